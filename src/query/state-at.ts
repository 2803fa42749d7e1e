/** The state of an actor at any version of its stream, by replay through the one fold; nothing is executed. */
import type { AnyStateMachine } from 'xstate'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { JsonValue, RecordedEvent } from '../../eventstore/event.ts'
import type { CellState } from '../runtime/fold/cell-state.ts'
import { durableMachine, withDescendants, type DurableMachine } from '../runtime/fold/durable-machine.ts'
import { asRegistered, type MachineWithPolicies } from '../runtime/policies.ts'
import { foldSteps, type FoldStepsOptions } from './fold-to.ts'
import { jsonSafe } from './json-safe.ts'
import { QueryError } from './query-error.ts'

/** The machines whose streams can be replayed, by label (`name@version`). */
export type KnownMachines = ReadonlyMap<string, DurableMachine>

/** A machine as it is registered. */
export type Given = AnyStateMachine | MachineWithPolicies

/** Prepares machines for replay. @throws RuntimeError `MACHINE_NOT_DURABLE`; QueryError `QUERY_MACHINE_INVALID` */
export function knownMachines(given: Iterable<Given>): KnownMachines {
  const known = new Map<string, DurableMachine>()
  const all = Array.from(given, asRegistered)
  const older = new Map<string, DurableMachine>()
  for (const { machine, ...policies } of all) {
    // One that was given with its policies as well is meant like that.
    if (
      Object.keys(policies).length === 0 &&
      all.some((one) => one.machine === machine && Object.keys(one).length > 1)
    )
      continue
    const durable = durableMachine(machine, policies)
    for (const one of withDescendants(durable)) {
      for (const version of one.versions.values()) {
        for (const each of withDescendants(version)) older.set(each.label, each)
      }
    }
    if (known.has(durable.label)) {
      throw new QueryError('QUERY_MACHINE_INVALID', {
        happened: `Two machines are called "${durable.label}".`,
        expected: 'Expected one machine of each name and version.',
        todo: 'Rename one, or give it another version.',
      })
    }
    // Its children have streams of their own, written under labels of their own.
    for (const one of withDescendants(durable)) known.set(one.label, one)
  }
  // The newest last: a name alone means that one.
  return new Map([...[...older].filter(([label]) => !known.has(label)), ...known])
}

export type StateAt = {
  readonly stream_id: string
  /** `name@version`; empty for a stream that belongs to no machine. */
  readonly machine: string
  readonly version: number
  /** The last version that the stream has. */
  readonly head_version: number
  /** When the event of this version was recorded, and which it was. */
  readonly at: string
  readonly event_type: string
  readonly event_id: string
  /** `replay`: folded by the machine's code. `recorded`: the state value that the log itself has. */
  readonly source: 'recorded' | 'replay'
  readonly value: JsonValue
  /** The rest is `null` unless it was replayed. */
  readonly status: string | null
  readonly context: unknown
  readonly output: unknown
  readonly error: unknown
  readonly children: readonly { readonly id: string; readonly src: string; readonly key: string }[] | null
  readonly timers:
    | readonly { readonly id: string; readonly due_at: string; readonly event_type: string }[]
    | null
}

/**
 * The state at a version; without one, the latest.
 *
 * @throws QueryError `QUERY_NOT_FOUND` for a stream or version that is not there, `QUERY_REPLAY_DIVERGED` when an
 * event does not replay as it was recorded; EventStoreError `ES_CORRUPT`
 */
export async function stateAt(
  store: Pick<EventStore, 'head' | 'readStream'>,
  streamId: string,
  options: {
    readonly version?: number | undefined
    readonly machines: KnownMachines
    readonly signal?: AbortSignal | undefined
  },
): Promise<StateAt> {
  const head = await store.head(streamId)
  if (head === undefined) throw noStream(streamId)
  const version = options.version ?? head.version
  if (!Number.isSafeInteger(version) || version < 1 || version > head.version) {
    throw noVersion(streamId, version, head.version)
  }
  const recorded = await readRecorded(store, streamId, version)
  // Not always the last one's: a migration may have come between.
  const machine = options.machines.get(recorded.record.machine)
  const replayed =
    machine === undefined
      ? recorded
      : await replay(store, { streamId, version, machine, signal: options.signal })
  const { record, state } = replayed
  return {
    stream_id: streamId,
    machine: record.machine,
    version,
    head_version: head.version,
    at: record.timestamp,
    event_type: record.event_type,
    event_id: record.event_id,
    source: state === undefined ? 'recorded' : 'replay',
    ...(state === undefined ? unfolded(record) : folded(state)),
  }
}

type Reached = { readonly record: RecordedEvent; readonly state: CellState | undefined }

async function readRecorded(
  store: Pick<EventStore, 'readStream'>,
  streamId: string,
  version: number,
): Promise<Reached> {
  for await (const record of store.readStream(streamId, { fromVersion: version, toVersion: version })) {
    return { record, state: undefined }
  }
  throw noVersion(streamId, version, version - 1)
}

async function replay(store: Pick<EventStore, 'readStream'>, at: FoldStepsOptions): Promise<Reached> {
  let reached: Reached | undefined
  for await (const step of foldSteps(store, at)) reached = step
  if (reached === undefined) throw noVersion(at.streamId, at.version, 0)
  return reached
}

type Interior = Pick<StateAt, 'children' | 'context' | 'error' | 'output' | 'status' | 'timers' | 'value'>

function folded({ snapshot, children, timers }: CellState): Interior {
  return {
    value: jsonSafe(snapshot.value),
    status: snapshot.status,
    context: jsonSafe(snapshot.context),
    output: jsonSafe(snapshot.output),
    error: jsonSafe(snapshot.error),
    children: Array.from(children.values(), ({ id, src, key }) => ({ id, src, key })),
    timers: Array.from(timers.values(), ({ id, dueAt, event }) => ({
      id,
      due_at: new Date(dueAt).toISOString(),
      event_type: event.type,
    })),
  }
}

function unfolded(record: RecordedEvent): Interior {
  const none = { status: null, context: null, output: null, error: null, children: null, timers: null }
  return { value: record.state, ...none }
}

export function noStream(streamId: string): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `There is no stream "${streamId}".`,
    expected: 'Expected the id of a session, run, tool call or other actor in this log.',
    todo: 'List what is there with `agentctl log`.',
    details: { id: streamId },
  })
}

export function noVersion(streamId: string, version: number, head: number): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `Stream "${streamId}" has no version ${version}.`,
    expected: `Expected a whole number from 1 to ${head}.`,
    todo: `List its versions with \`agentctl log ${streamId}\`.`,
    details: { id: streamId, version, head_version: head },
  })
}
