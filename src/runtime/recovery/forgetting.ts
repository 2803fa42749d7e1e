/** Puts actors out of memory whose subject was erased, and drops what was derived from their streams. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { Audience } from '../cell/audience.ts'
import { actorErased } from '../cell/cell-errors.ts'
import type { Effects } from '../effects/effects.ts'
import type { Crashes } from '../family/crashes.ts'
import type { FamilyRegistry } from '../family/family-registry.ts'
import { rootOf } from '../fold/child-address.ts'
import type { Parked } from '../parked.ts'
import type { SnapshotKeeper } from '../snapshots/snapshot-keeper.ts'

export type ForgettingHost = {
  readonly store: Pick<EventStore, 'heads'>
  readonly families: FamilyRegistry
  readonly effects: Effects
  readonly crashes: Crashes
  readonly audiences: ReadonlyMap<string, Audience>
  readonly parked: Map<string, Parked>
  readonly snapshots: SnapshotKeeper | undefined
}

/** Those who watch one of them hear `ACTOR_ERASED`. What runs for them is aborted, and what comes of it is not heard. */
export async function forget(host: ForgettingHost, roots: readonly string[]): Promise<void> {
  const { families, effects, crashes, audiences, parked, snapshots } = host
  for (const root of roots) {
    await families.evict(root)
    effects.forget(root)
    crashes.forget(root)
    for (const id of parked.keys()) if (rootOf(id) === root) parked.delete(id)
    for (const [id, audience] of audiences)
      if (rootOf(id) === root) audience.fail(actorErased({ stream_id: id }))
    if (snapshots === undefined) continue
    for await (const { stream_id } of host.store.heads(root))
      if (rootOf(stream_id) === root) await snapshots.drop(stream_id)
  }
}
