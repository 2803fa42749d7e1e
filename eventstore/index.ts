/** The event store on its own: everything a user of the log needs, and nothing of agents. */
export type { JsonValue, NewEvent, RecordedEvent } from './event.ts'
export type {
  AppendOptions,
  AppendResult,
  AtomicBatch,
  BatchResult,
  Durability,
  Entry,
  EventStore,
  ExpectedVersion,
  IntegrityProblem,
  ReadAllOptions,
  ReadStreamOptions,
  StreamAppend,
  StreamHead,
  SubscribeOptions,
  VerifyReport,
} from './event-store.ts'
export { EventStoreError, isEventStoreError } from './errors.ts'
export type { EventStoreErrorCode } from './errors.ts'
export { openLevelEventStore } from './level-event-store.ts'
export type { LevelEventStoreOptions } from './level-event-store.ts'
export { createMemoryEventStore } from './memory-event-store.ts'
export type { MemoryEventStoreOptions } from './memory-event-store.ts'
export { readStoreOwner } from './owner.ts'
export type { StoreOwner, StoreOwnership } from './owner.ts'
