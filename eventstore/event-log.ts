/**
 * The log over any storage: what both stores are.
 *
 * Owns the positions and versions that are handed out, the heads it has loaded, the commands, the writer
 * and the readers' tail. Never touches a disk itself and never rewrites an event.
 *
 * I1  An append is checked, planned and reserved without a pause in between: no other can come in.
 * I2  Versions and positions are handed out in the order in which they are written, without gaps.
 * I3  What a caller or a reader is told of is on disk (or, if it asked for no more, with the system).
 * I4  A head that is cached is either on disk or reserved; only the former are ever forgotten.
 */
import type { Observable } from 'rxjs'
import { admitBatch, admitReadOptions, admitSoundBatch, admitStreamId } from './admission.ts'
import { ofAllStreams, ofOneStream, type Result, type Shape } from './append-results.ts'
import { Promised, Told, type AppendHearer } from './append-waiters.ts'
import type { BatchEnd } from './batch-auditor.ts'
import { Commands, type RunningCommand } from './commands.ts'
import { DamageGuard, type DamagePolicy, type Quarantined } from './damage-guard.ts'
import type { EventStoreError } from './errors.ts'
import type { NewEvent, RecordedEvent } from './event.ts'
import { createEventIds } from './event-id.ts'
import type {
  AppendOptions,
  AppendResult,
  AtomicBatch,
  BatchResult,
  Durability,
  Entry,
  EventStore,
  ImportBatch,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedStub,
  StreamHead,
  SubscribeOptions,
  TruncateOptions,
  VerifyReport,
} from './event-store.ts'
import { GroupCommit, type WrittenGroup } from './group-commit.ts'
import { HeadCache } from './head-cache.ts'
import { LiveTail } from './live-tail.ts'
import { LogReader } from './log-reader.ts'
import { captureBatch, planBatch, type LogBatch, type Plan, type PlanContext } from './plan.ts'
import { readWholeStream } from './read-stream.ts'
import type { Storage } from './storage.ts'
import { busyError, closedError } from './write-errors.ts'

export type EventLogOptions = {
  readonly storage: Storage
  /** Where the log in the storage ends. */
  readonly end: BatchEnd
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
  /** When `whenFull` applies: events that wait to be written; default 10,000. */
  readonly maxPendingEvents?: number
  /** Called after each batch, before anybody is told of it. */
  readonly onWritten?: (group: WrittenGroup) => void
  /** What to do about damage; default `'fail-stop'`. */
  readonly onDamage?: DamagePolicy
  /** Streams that are closed already. */
  readonly quarantined?: readonly Quarantined[]
  /** Why the log is for reading only; left out if it is not. */
  readonly refuseAppends?: EventStoreError
  /** Closes the storage and what else was opened for it. */
  readonly close: () => Promise<void>
}

type Abortable = { readonly signal?: AbortSignal }

/** A batch that is synced, taken however much waits, and of no command. */
export type FreshBatch = Pick<AtomicBatch, 'appends' | 'entries' | 'outcome'>

/** Such a batch of nothing but events; `SOUND` says that they have been checked. */
export type SoundBatch = Pick<AtomicBatch, 'appends'>

const SOUND = { isSound: true }

const MAX_PENDING_EVENTS = 10_000
const MAX_PENDING_SIZE = 64 * 1024 * 1024

export class EventLog implements EventStore {
  readonly #storage: Storage
  readonly #writer: GroupCommit
  readonly #tail: LiveTail
  readonly #heads: HeadCache
  /** What plans are made with; its position is the last handed out, ahead of the disk while a write is under way. */
  readonly #planning: PlanContext & { position: number }
  readonly #onWritten: ((group: WrittenGroup) => void) | undefined
  readonly #refuseAppends: EventStoreError | undefined
  readonly #guard: DamageGuard
  readonly #reader: LogReader
  readonly #closeStorage: () => Promise<void>
  readonly #commands: Commands
  #closing: Promise<void> | undefined

  constructor(options: EventLogOptions) {
    const { end } = options
    this.#storage = options.storage
    const clock = options.clock ?? Date.now
    this.#onWritten = options.onWritten
    this.#refuseAppends = options.refuseAppends
    this.#guard = new DamageGuard(options.onDamage ?? 'fail-stop', options.quarantined ?? [])
    this.#reader = new LogReader({
      storage: options.storage,
      guard: this.#guard,
      position: () => this.position(),
    })
    this.#closeStorage = options.close
    this.#commands = new Commands(options.storage)
    const heads = new HeadCache((stream_id) => this.#reader.loadHead(stream_id))
    this.#heads = heads
    this.#planning = {
      position: end.position,
      headOf: (stream_id) => heads.get(stream_id),
      now: timestamps(clock),
      newId: options.newId ?? createEventIds(clock),
    }
    this.#tail = new LiveTail({
      position: end.position,
      read: (after) => this.#reader.pagesAfter(after),
    })
    this.#writer = new GroupCommit({
      storage: options.storage,
      end,
      bound: { events: options.maxPendingEvents ?? MAX_PENDING_EVENTS, size: MAX_PENDING_SIZE },
      onWritten: (group) => this.#written(group),
    })
  }

  append(stream_id: string, events: readonly NewEvent[], options?: AppendOptions): Promise<AppendResult> {
    if (options === undefined) return this.#submit({ appends: [{ stream_id, events }] }, ofOneStream)
    const { expectedVersion, ...rest } = options
    const append =
      expectedVersion === undefined ? { stream_id, events } : { stream_id, events, expectedVersion }
    return this.#submit({ ...rest, appends: [append] }, ofOneStream)
  }

  appendBatch(batch: AtomicBatch): Promise<BatchResult> {
    return this.#submit(batch, ofAllStreams)
  }

  /**
   * `appendBatch` without a promise, for a store that is a log itself: what stands around one (a seal, somebody's proxy)
   * is asked through its own door.
   */
  static appendFor(store: EventStore, batch: FreshBatch, hearer: AppendHearer): void {
    if (#writer in store) store.#appendFor(batch, hearer)
    else appendAround(store, batch, hearer)
  }

  /**
   * The same for events whose names have been checked, and whose payloads and states are JSON: neither is checked again.
   * Both are copied all the same.
   */
  static appendSound(store: EventStore, batch: SoundBatch, hearer: AppendHearer): void {
    if (#writer in store) store.#appendFor(batch, hearer, SOUND)
    else appendAround(store, batch, hearer)
  }

  #appendFor(batch: FreshBatch, hearer: AppendHearer, sound?: typeof SOUND): void {
    try {
      if (sound === undefined) admitBatch(batch)
      else admitSoundBatch(batch)
      this.#assertMayAppend(batch)
      const plan = this.#reserve(batch, sound)
      this.#writer.add(plan, 'fsync', new Told(hearer, plan.events))
    } catch (error) {
      queueMicrotask(() => hearer.failed(error))
    }
  }

  readStream(stream_id: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedEvent> {
    this.#assertOpen()
    admitStreamId(stream_id)
    admitReadOptions('readStream', options)
    return this.#reader.readStream(stream_id, options)
  }

  readAll(options: ReadAllOptions = {}): AsyncIterable<RecordedEvent> {
    this.#assertOpen()
    admitReadOptions('readAll', options)
    return this.#reader.readAll(options)
  }

  async head(stream_id: string): Promise<StreamHead | undefined> {
    this.#assertOpen()
    admitStreamId(stream_id)
    return this.#reader.head(stream_id)
  }

  async *heads(prefix = '', options: Abortable = {}): AsyncGenerator<StreamHead, void, undefined> {
    this.#assertOpen()
    yield* this.#reader.heads(prefix, options.signal)
  }

  async *entries(prefix: string, options: Abortable = {}): AsyncGenerator<Entry, void, undefined> {
    this.#assertOpen()
    yield* this.#reader.entries(prefix, options.signal)
  }

  readRecords(options: ReadAllOptions = {}): AsyncIterable<RecordedEvent | RecordedStub> {
    this.#assertOpen()
    admitReadOptions('readAll', options)
    return this.#reader.readRecords(options)
  }

  async truncate(stream_id: string, options: TruncateOptions): Promise<AppendResult> {
    const { tombstone, expectedVersion } = options
    this.#assertOpen()
    admitBatch({ appends: [{ stream_id, events: [tombstone], expectedVersion }] })
    const records = await readWholeStream(this.#storage, stream_id)
    const archived = records.map(({ event }) => event)
    // What was appended while we read makes the expected version wrong, and nothing is written.
    const batch: LogBatch = {
      appends: [{ stream_id, events: [tombstone], expectedVersion }],
      archive: [{ stream_id, records: archived }],
    }
    return this.#admitted(batch, ofOneStream)
  }

  importBatch(batch: ImportBatch): Promise<BatchResult> {
    return this.#admitted(batch, ofAllStreams)
  }

  async compact(): Promise<void> {
    this.#assertOpen()
    await this.#storage.compact?.()
  }

  position(): number {
    return this.#tail.position
  }

  subscribe(options: SubscribeOptions = {}): Observable<RecordedEvent> {
    this.#assertOpen()
    admitReadOptions('subscribe', options)
    return this.#tail.subscribe(options)
  }

  follow(options: SubscribeOptions = {}): AsyncIterable<RecordedEvent> {
    this.#assertOpen()
    admitReadOptions('subscribe', options)
    return this.#tail.follow(options)
  }

  async verify(options: Abortable = {}): Promise<VerifyReport> {
    this.#assertOpen()
    return this.#reader.verify(options.signal)
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    this.#tail.end()
    await this.#closeStorage()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError()
  }

  #assertMayAppend({ appends }: LogBatch): void {
    this.#assertOpen()
    if (this.#refuseAppends !== undefined) throw this.#refuseAppends
    this.#guard.assertMayAppend(appends)
    this.#writer.assertOpen()
  }

  quarantined(): readonly Quarantined[] {
    return this.#guard.quarantined()
  }

  /** Checks and plans a batch and takes its versions and positions, in one go. */
  #reserve(batch: LogBatch, sound?: typeof SOUND): Plan {
    const plan = planBatch(batch, this.#planning, sound)
    this.#planning.position = plan.position
    this.#heads.reserve(plan.heads, this.position())
    return plan
  }

  /**
   * Checks, plans, reserves and hands to the writer, without a pause. Not `async`: this is the hot path, and
   * each layer of promises costs as much as a checksum.
   */
  #submit<T extends Result>(batch: AtomicBatch, shape: Shape<T>): Promise<T> {
    try {
      admitBatch(batch)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#admitted(batch, shape)
  }

  #admitted<T extends Result>(batch: LogBatch, shape: Shape<T>): Promise<T> {
    try {
      this.#assertMayAppend(batch)
      const { commandId, durability = 'fsync', whenFull = 'accept' } = batch
      if (whenFull !== 'accept' && this.#writer.isFull) return this.#whenFull(batch, whenFull, shape)
      if (commandId === undefined) {
        const plan = this.#reserve(batch)
        return this.#write(plan, shape.ofPlan(plan, durability))
      }
      return this.#commands
        .run(commandId, batch, () => this.#writeCommand(batch, durability))
        .then(shape.ofResult)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #whenFull<T extends Result>(
    batch: LogBatch,
    whenFull: 'wait' | 'refuse',
    shape: Shape<T>,
  ): Promise<T> {
    if (whenFull === 'refuse') throw busyError()
    const kept = captureBatch(batch)
    await this.#writer.room()
    return this.#admitted({ ...kept, whenFull: 'accept' }, shape)
  }

  #writeCommand(batch: LogBatch, durability: Durability): RunningCommand {
    const plan = this.#reserve(batch)
    const result = ofAllStreams.ofPlan(plan, durability)
    return { versions: result.versions, result: this.#write(plan, result) }
  }

  #write<T extends Result>(plan: Plan, result: T): Promise<T> {
    return new Promise((resolve, reject) =>
      this.#writer.add(plan, result.durability, new Promised(result, resolve, reject)),
    )
  }

  #written(group: WrittenGroup): void {
    this.#onWritten?.(group)
    this.#tail.publish(group.events, group.end.position)
  }
}

/** Appends through the door that a store has for everybody. */
const appendAround = (store: EventStore, batch: FreshBatch, hearer: AppendHearer): void => {
  store.appendBatch(batch).then(
    ({ events }) => hearer.written(events),
    (error: unknown) => hearer.failed(error),
  )
}

/** The clock's time as text; many events share a millisecond. */
const timestamps = (clock: () => number): (() => string) => {
  let last = Number.NaN
  let text = ''
  return () => {
    const now = clock()
    if (now !== last) {
      last = now
      text = new Date(now).toISOString()
    }
    return text
  }
}
