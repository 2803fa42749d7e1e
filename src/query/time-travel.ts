/** Takes an actor back to a version, a position or a moment, by replay: no effect and no hook is run. */
import type { EventStore, StreamHead } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { foldSteps, type FoldedStep } from './fold-to.ts'
import { QueryError } from './query-error.ts'
import { noStream, noVersion, type KnownMachines } from './state-at.ts'

/** Where to go: a version of the stream, or the last event at or before a position of the log or a moment. */
export type ReplayTarget =
  | number
  | { readonly version: number }
  | { readonly position: number }
  /** ISO 8601, milliseconds since the epoch, or a date. */
  | { readonly time: Date | number | string }

export type ReplayOptions = {
  /** A number is a version; default the last. */
  readonly to?: ReplayTarget
  /** Called with each state on the way, the last included; the replay waits for what it returns. */
  readonly onStep?: (step: ReplayStep) => unknown
  readonly signal?: AbortSignal
}

/** An actor as it was after an event. Values are the machine's own, not copies for JSON. */
export type ReplayedState = {
  readonly stream_id: string
  /** `name@version` of the machine that wrote the event. */
  readonly machine: string
  readonly version: number
  /** The last version that the stream has. */
  readonly head_version: number
  readonly position: number
  /** When the event was recorded. */
  readonly timestamp: string
  readonly event_type: string
  readonly event_id: string
  readonly value: unknown
  readonly context: unknown
  readonly status: string
  readonly output: unknown
  readonly error: unknown
  /** What was running; it is not started. */
  readonly children: readonly { readonly id: string; readonly src: string; readonly key: string }[]
  /** What was waited for; it does not fire. */
  readonly timers: readonly { readonly id: string; readonly due_at: string; readonly event_type: string }[]
}

export type ReplayStep = ReplayedState & { readonly event: RecordedEvent }

/**
 * The state of an actor at a point of its past.
 *
 * @throws QueryError `QUERY_NOT_FOUND` for an id, version, position or moment that is not there, saying what is;
 * `QUERY_REPLAY_DIVERGED`; RuntimeError `MACHINE_UNKNOWN`, `INPUT_INVALID`; EventStoreError `ES_CORRUPT`
 */
export async function replayTo(
  store: Pick<EventStore, 'head' | 'position' | 'readStream'>,
  streamId: string,
  { to, onStep, signal, machines }: ReplayOptions & { readonly machines: KnownMachines },
): Promise<ReplayedState> {
  const target = checkedTarget(to)
  const head = await store.head(streamId)
  if (head === undefined) throw noStream(streamId)
  const machine = machines.get(head.machine)
  if (machine === undefined) throw notRegistered(head, [...machines.keys()])
  const version = 'version' in target ? target.version : head.version
  if (version < 1 || version > head.version) throw noVersion(streamId, version, head.version)
  if ('position' in target && target.position > store.position()) {
    throw noPosition(streamId, target.position, store.position())
  }
  let reached: FoldedStep | undefined
  let first: RecordedEvent | undefined
  for await (const step of foldSteps(store, { streamId, machine, machines, version, signal })) {
    first ??= step.record
    if (isBeyond(step.record, target)) break
    reached = step
    if (onStep !== undefined) await onStep({ ...stateOf(step, head), event: step.record })
  }
  if ('version' in target && reached?.record.version !== version) {
    for await (const { machine: label } of store.readStream(streamId, {
      fromVersion: version,
      toVersion: version,
    })) {
      throw notRegistered({ ...head, machine: label }, [...machines.keys()])
    }
  }
  if (reached === undefined) throw notYet(streamId, first)
  return stateOf(reached, head)
}

type Target = { readonly version: number } | { readonly position: number } | { readonly at: number } | object

function checkedTarget(to: ReplayTarget | undefined): Target {
  if (to === undefined) return {}
  const target = typeof to === 'number' ? { version: to } : to
  if ('version' in target && Number.isSafeInteger(target.version)) return { version: target.version }
  if ('position' in target && Number.isSafeInteger(target.position)) return { position: target.position }
  if ('time' in target) {
    const at = new Date(target.time).getTime()
    if (!Number.isNaN(at)) return { at }
  }
  throw new RuntimeError('INPUT_INVALID', {
    happened: `A replay cannot go to ${JSON.stringify(to)}.`,
    expected:
      'A version, { version }, { position } as whole numbers, or { time } as ISO 8601 or milliseconds.',
    todo: 'Correct `to`; without it, the replay goes to the last version.',
    details: { what: 'replay', path: 'to' },
  })
}

function isBeyond(record: RecordedEvent, target: Target): boolean {
  if ('position' in target) return record.position > target.position
  return 'at' in target && Date.parse(record.timestamp) > target.at
}

function stateOf({ record, state }: FoldedStep, head: StreamHead): ReplayedState {
  const { snapshot, children, timers } = state
  return {
    stream_id: record.stream_id,
    machine: record.machine,
    version: record.version,
    head_version: head.version,
    position: record.position,
    timestamp: record.timestamp,
    event_type: record.event_type,
    event_id: record.event_id,
    value: snapshot.value,
    context: snapshot.context,
    status: snapshot.status,
    output: snapshot.output,
    error: snapshot.error,
    children: Array.from(children.values(), ({ id, src, key }) => ({ id, src, key })),
    timers: Array.from(timers.values(), ({ id, dueAt, event }) => ({
      id,
      due_at: new Date(dueAt).toISOString(),
      event_type: event.type,
    })),
  }
}

function notRegistered({ stream_id, machine }: StreamHead, known: readonly string[]): RuntimeError {
  return new RuntimeError('MACHINE_UNKNOWN', {
    happened:
      machine === ''
        ? `"${stream_id}" is a stream of plain facts: no machine wrote it.`
        : `"${stream_id}" was written by machine "${machine}", which is not registered.`,
    expected: `A stream of a registered machine; there are: ${known.join(', ')}.`,
    todo:
      machine === ''
        ? 'Read it with store.readStream().'
        : 'Give the machine that wrote it to createRuntime({ machines: [...] }).',
    details: { stream_id, machine },
  })
}

function noPosition(streamId: string, position: number, last: number): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `The log has no position ${position}.`,
    expected: `Expected a whole number from 1 to ${last}.`,
    todo: `Leave \`to\` away for the last version of "${streamId}".`,
    details: { id: streamId, position, last_position: last },
  })
}

function notYet(streamId: string, first: RecordedEvent | undefined): QueryError {
  const begins = first === undefined ? '' : `; it begins at position ${first.position}, ${first.timestamp}`
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `"${streamId}" did not exist yet at that point.`,
    expected: `Expected a position or moment at or after its first event${begins}.`,
    todo: 'Choose a later one.',
    details: { id: streamId, first_position: first?.position, first_timestamp: first?.timestamp },
  })
}
