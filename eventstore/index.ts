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
  ImportBatch,
  IntegrityProblem,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedStub,
  StreamAppend,
  StreamHead,
  SubscribeOptions,
  TruncateOptions,
  VerifyReport,
} from './event-store.ts'
export { archiveStreams, STREAM_ARCHIVED } from './archive.ts'
export type { ArchivedStream, ArchiveOptions } from './archive.ts'
export { fromCloudEvent, toCloudEvent } from './cloud-events.ts'
export type { CloudEvent } from './cloud-events.ts'
export type { DamagePolicy } from './damage-guard.ts'
export { subscribeDurably } from './durable-subscription.ts'
export type { DurableSubscriptionOptions } from './durable-subscription.ts'
export { EventStoreError, isEventStoreError } from './errors.ts'
export type { EventStoreErrorCode } from './errors.ts'
export type { EventIndexes, IndexQuery, TimeQuery } from './event-indexes.ts'
export { exportLog } from './export-log.ts'
export type { ExportOptions, ExportProgress } from './export-log.ts'
export { importLog, verifyExport } from './import-log.ts'
export type { ImportOptions, ImportProgress, ImportReport } from './import-log.ts'
export { openLevelEventStore, openLevelIndexes, openLevelSnapshots, salvage } from './level-event-store.ts'
export type { LevelEventStoreOptions } from './level-event-store.ts'
export { createMemoryEventStore, createMemoryIndexes, createMemorySnapshots } from './memory-event-store.ts'
export type { MemoryEventStoreOptions } from './memory-event-store.ts'
export { readStoreOwner } from './owner.ts'
export type { StoreOwner, StoreOwnership } from './owner.ts'
export type { SalvageOptions, SalvageReport } from './salvage.ts'
export type { Snapshot, SnapshotOptions, Snapshots, SnapshotSeal } from './snapshots.ts'
export { openSealedStore } from './sealing/sealed-store.ts'
export type { SealedStore, SealingOptions } from './sealing/sealed-store.ts'
export type { Erased, EraseOptions } from './sealing/eraser.ts'
export { openFileKeyRing } from './sealing/file-key-ring.ts'
export { createMemoryKeyRing } from './sealing/key-ring.ts'
export type { KeyRing, SubjectKey } from './sealing/key-ring.ts'
export type { MasterKey } from './sealing/master-key.ts'
export { unopenedIn } from './sealing/sealed-value.ts'
export type { Unopened } from './sealing/sealed-value.ts'
export { ERASURES, SUBJECT_ERASED } from './sealing/subjects.ts'
export type { Erasure } from './sealing/subjects.ts'
export { withUpcasters } from './upcasters.ts'
export type { Upcaster } from './upcasters.ts'
