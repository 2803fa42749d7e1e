/** Folds a stream event by event through its machine, for every question about a state in the past. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { CellState } from '../runtime/fold/cell-state.ts'
import type { DurableMachine } from '../runtime/fold/durable-machine.ts'
import { Replayer, type Divergence } from '../runtime/fold/replay.ts'
import { QueryError } from './query-error.ts'

export type FoldedStep = { readonly record: RecordedEvent; readonly state: CellState }

export type FoldStepsOptions = {
  readonly streamId: string
  readonly machine: DurableMachine
  /** By label, for what was decided before a migration. */
  readonly machines?: ReadonlyMap<string, DurableMachine>
  /** The last version to fold. */
  readonly version: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Each event up to a version with the state after it; nothing is executed.
 *
 * @throws QueryError `QUERY_REPLAY_DIVERGED`; EventStoreError `ES_CORRUPT`
 */
export async function* foldSteps(
  store: Pick<EventStore, 'readStream'>,
  { streamId, machine, machines, version, signal }: FoldStepsOptions,
): AsyncGenerator<FoldedStep, void, undefined> {
  const replayers = new Map([[machine.label, new Replayer(machine, streamId)]])
  for await (const record of store.readStream(streamId, { toVersion: version, ...(signal && { signal }) })) {
    const older = machines?.get(record.machine)
    if (older !== undefined && !replayers.has(older.label))
      replayers.set(older.label, new Replayer(older, streamId))
    const replayed = replayers.get(record.machine)?.take(record)
    if (replayed === undefined) continue
    if (replayed.kind === 'diverged') throw replayDiverged(replayed)
    if (replayed.kind === 'agrees') yield { record, state: replayed.state }
  }
}

function replayDiverged({ record, now, reason, cause }: Divergence): QueryError {
  const { stream_id, version, position, event_id, event_type, machine } = record
  if (now === 'erased' || now === 'locked') return unreadable(record, now)
  return new QueryError('QUERY_REPLAY_DIVERGED', {
    happened: `Event ${version} ("${event_type}") of "${stream_id}", at position ${position}, does not replay: ${reason}.`,
    expected: `Expected the code of "${machine}" to decide today as it did when the event was recorded.`,
    todo:
      version > 1
        ? `Use the code that wrote it, or look at the state before it: agentctl show ${stream_id} --at ${version - 1}.`
        : 'Use the code that wrote it.',
    details: { stream_id, version, position, event_id, event_type, machine },
    cause,
  })
}

function unreadable(
  { stream_id, version, subject_id, key_id }: RecordedEvent,
  now: 'erased' | 'locked',
): QueryError {
  const details = { stream_id, version, subject_id, key_id }
  if (now === 'erased')
    return new QueryError('QUERY_ERASED', {
      happened: `What "${stream_id}" was cannot be told: its subject "${subject_id}" was erased.`,
      expected: 'Expected events that can be read.',
      todo: 'Read its events for what is left: agentctl log.',
      details,
    })
  return new QueryError('QUERY_LOCKED', {
    happened: `What "${stream_id}" is cannot be told: its events are sealed for "${subject_id}", and the key is not here.`,
    expected:
      'Expected the keys of the log: keys/ in the project folder, and the master key if they are wrapped.',
    todo: 'Restore the folder of keys, or ask where the keys are.',
    details,
  })
}
