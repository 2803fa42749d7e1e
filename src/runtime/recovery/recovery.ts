/** Finds at opening who owes work, from what is owed alone, and wakes them, a bounded number at a time. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import { rootOf } from '../fold/child-address.ts'
import { rootsWithMail } from '../delivery/outbox.ts'
import { allOwed } from './owed.ts'

/** How many actors recover at once. */
const AT_ONCE = 16

export type RecoveryHost = {
  readonly store: EventStore
  /** Milliseconds since the epoch. */
  now(): number
  /** Never fails. */
  wake(root: string): Promise<void>
  /** An actor that is not woken has a timer due then. */
  sleepUntil(dueAt: number): void
}

/** Resolves when all are awake that have something under way, due, or to be taken. */
export async function recover(host: RecoveryHost): Promise<void> {
  const waking = new Set<Promise<void>>()
  let last: string | undefined
  const wake = async (root: string): Promise<void> => {
    // What is owed is in the order of streams, so that one root's is found in a row.
    if (root === last) return
    last = root
    const wakes = host.wake(root).finally(() => waking.delete(wakes))
    waking.add(wakes)
    if (waking.size >= AT_ONCE) await Promise.race(waking)
  }
  for await (const { streamId, dueAt } of allOwed(host.store)) {
    if (dueAt === undefined || dueAt <= host.now()) await wake(rootOf(streamId))
    else host.sleepUntil(dueAt)
  }
  for (const root of await rootsWithMail(host.store)) await wake(root)
  await Promise.all(waking)
}
