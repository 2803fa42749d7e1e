/** The store, its indexes and snapshots in memory: the same as on disk, gone with the process. */
import { FIRST_BATCH } from './batch-auditor.ts'
import { EventIndexes } from './event-indexes.ts'
import type { EventStore } from './event-store.ts'
import { EventLog } from './event-log.ts'
import { MemoryStorage } from './memory-storage.ts'
import { Snapshots, type SnapshotOptions } from './snapshots.ts'

export type MemoryEventStoreOptions = {
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
  /** When `whenFull` of an append applies: events that wait to be written; default 10,000. */
  readonly maxPendingEvents?: number
}

/** An empty store in memory. */
export const createMemoryEventStore = (options: MemoryEventStoreOptions = {}): EventStore => {
  const storage = new MemoryStorage()
  return new EventLog({ ...options, storage, end: FIRST_BATCH, close: () => storage.close() })
}

/** Indexes of a store, in memory; they are built in the background. */
export const createMemoryIndexes = (store: EventStore): EventIndexes => {
  const storage = new MemoryStorage()
  return new EventIndexes({ store, storage, close: () => storage.close() })
}

/** Snapshots in memory. */
export const createMemorySnapshots = (options: SnapshotOptions = {}): Snapshots => {
  const storage = new MemoryStorage()
  return new Snapshots(storage, { ...options, close: () => storage.close() })
}
