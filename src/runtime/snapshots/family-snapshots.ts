/** When the members of a family are saved: every so many events, and when they leave memory. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import type { Cell } from '../cell/cell.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'
import type { Act } from '../family/turn.ts'

/** Saves those of a turn that are due; its `events` are on disk. */
export function saveDue(
  snapshots: SnapshotKeeper,
  script: readonly Act[],
  events: readonly RecordedEvent[],
): void {
  for (const { cell, state, announce } of script) {
    if (!announce || !snapshots.isDue(state.version, cell.kept)) continue
    const last = events.find(({ stream_id, version }) => stream_id === cell.id && version === state.version)
    if (last === undefined) continue
    const time = Date.parse(last.timestamp)
    if (snapshots.save(cell, state, { hash: last.hash, time })) cell.kept = state.version
  }
}

/** Saves those for which it is worth it; all they decided is on disk. */
export async function saveLeaving(
  {
    store,
    snapshots,
    time,
  }: { readonly store: EventStore; readonly snapshots: SnapshotKeeper; readonly time: number },
  members: Iterable<Cell>,
): Promise<void> {
  for (const cell of members) {
    const { decided } = cell
    if (decided === undefined || !snapshots.isDue(decided.version, cell.kept, true)) continue
    const head = await store.head(cell.id).catch(() => undefined)
    if (head?.version === decided.version) snapshots.save(cell, decided, { hash: head.hash, time })
  }
}
