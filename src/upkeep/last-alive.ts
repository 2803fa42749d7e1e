/** The record of when a runtime was last alive, beside the log. */
import type { EventStore } from '../../eventstore/event-store.ts'

export const LEASE_KEY = 'lease/runtime'

/** ms since the epoch; 0 if none is recorded. */
export async function lastAlive(log: Pick<EventStore, 'entries'>): Promise<number> {
  for await (const { key, value } of log.entries(LEASE_KEY)) {
    if (key === LEASE_KEY) return Number((value as { alive_at?: unknown }).alive_at) || 0
  }
  return 0
}
