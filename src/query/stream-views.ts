/** A stream as a row of views, one after each event: what the machine's code makes of it, or what the log itself says. */
import type { StreamHead } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { CellState } from '../runtime/fold/cell-state.ts'
import { foldSteps } from './fold-to.ts'
import { jsonSafe } from './json-safe.ts'
import { reading, type Foldable } from './query-call.ts'

/** What can be compared between two versions. Without the machine's code only the state value is known. */
export type View = {
  readonly value: unknown
  readonly status?: unknown
  readonly context?: unknown
  readonly output?: unknown
  readonly error?: unknown
  /** Names of what was running. */
  readonly children?: unknown
  /** By id, when each is due. */
  readonly timers?: unknown
}

export type ViewedEvent = { readonly record: RecordedEvent; readonly view: View }

/** `replay`: folded by the machine's code. `recorded`: the state value that the log itself has. */
export type ViewSource = 'recorded' | 'replay'

export function sourceOf({ machines }: Foldable, head: StreamHead): ViewSource {
  return machines.has(head.machine) ? 'replay' : 'recorded'
}

/**
 * Each event up to a version with the view after it; a part that stays the same is the same object.
 *
 * @throws QueryError `QUERY_REPLAY_DIVERGED`; EventStoreError `ES_CORRUPT`
 */
export async function* viewsOf(
  { log, machines, signal }: Foldable,
  { stream_id, machine: label }: StreamHead,
  version: number,
): AsyncGenerator<ViewedEvent, void, undefined> {
  const machine = machines.get(label)
  if (machine === undefined) {
    for await (const record of log.readStream(stream_id, { toVersion: version, ...reading({ signal }) })) {
      yield { record, view: { value: record.state } }
    }
    return
  }
  let last: { readonly state: CellState; readonly view: View } | undefined
  for await (const { record, state } of foldSteps(log, { streamId: stream_id, machine, version, signal })) {
    const view = viewOf(state, last)
    last = { state, view }
    yield { record, view }
  }
}

/** The view after a version. */
export async function viewAt(
  source: Foldable,
  head: StreamHead,
  version: number,
): Promise<ViewedEvent | undefined> {
  if (version < 1) return undefined
  if (sourceOf(source, head) === 'recorded') {
    for await (const record of source.log.readStream(head.stream_id, {
      fromVersion: version,
      toVersion: version,
    })) {
      return { record, view: { value: record.state } }
    }
  }
  let last: ViewedEvent | undefined
  for await (const each of viewsOf(source, head, version)) last = each
  return last
}

function viewOf(
  state: CellState,
  last: { readonly state: CellState; readonly view: View } | undefined,
): View {
  const { snapshot, children, timers } = state
  const before = last?.state.snapshot
  // What a machine did not touch is the same object, and copying a large context for each event would be slow.
  const copied = (name: 'context' | 'error' | 'output' | 'value'): unknown =>
    last !== undefined && before?.[name] === snapshot[name] ? last.view[name] : jsonSafe(snapshot[name])
  return {
    value: copied('value'),
    status: snapshot.status,
    context: copied('context'),
    output: copied('output'),
    error: copied('error'),
    children: Array.from(children.values(), ({ id }) => id),
    timers: Object.fromEntries(
      Array.from(timers.values(), ({ id, dueAt }) => [id, new Date(dueAt).toISOString()]),
    ),
  }
}
