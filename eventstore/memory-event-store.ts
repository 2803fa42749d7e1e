/** The store in memory: the same log, checks and chain as on disk, gone with the process. */
import { FIRST_BATCH } from './batch-auditor.ts'
import type { EventStore } from './event-store.ts'
import { EventLog } from './event-log.ts'
import { MemoryStorage } from './memory-storage.ts'

export type MemoryEventStoreOptions = {
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
}

/** An empty store in memory. */
export const createMemoryEventStore = (options: MemoryEventStoreOptions = {}): EventStore => {
  const storage = new MemoryStorage()
  return new EventLog({ ...options, storage, end: FIRST_BATCH, close: () => storage.close() })
}
