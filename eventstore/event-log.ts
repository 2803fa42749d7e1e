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
import { createEventIds } from './event-id.ts'
import { admitBatch, admitReadOptions, admitStreamId } from './admission.ts'
import type { BatchEnd } from './batch-auditor.ts'
import { Commands, type RunningCommand } from './commands.ts'
import { corruptError, damage } from './damage.ts'
import type { EventStoreError } from './errors.ts'
import type { NewEvent, RecordedEvent } from './event.ts'
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
import { busyError, closedError } from './write-errors.ts'
import { HeadCache } from './head-cache.ts'
import { entriesRange, entryKey, headsRange, nameOfKey } from './keys.ts'
import { LiveTail } from './live-tail.ts'
import { itemsOf } from './paged.ts'
import { captureBatch, planBatch, type LogBatch, type Plan } from './plan.ts'
import { loadHead, openHead, publicHead, readHead, readStreamPages, readWholeStream } from './read-stream.ts'
import { scanLog, type LogPage } from './scan-log.ts'
import { unseal } from './sealed.ts'
import type { Storage } from './storage.ts'
import { verifyLog } from './verify.ts'

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
  /** Why the log is for reading only; left out if it is not. */
  readonly refuseAppends?: EventStoreError
  /** Closes the storage and what else was opened for it. */
  readonly close: () => Promise<void>
}

const MAX_PENDING_EVENTS = 10_000
const MAX_PENDING_SIZE = 64 * 1024 * 1024

export class EventLog implements EventStore {
  readonly #storage: Storage
  readonly #writer: GroupCommit
  readonly #tail: LiveTail
  readonly #heads: HeadCache
  readonly #now: () => string
  readonly #newId: () => string
  readonly #onWritten: ((group: WrittenGroup) => void) | undefined
  readonly #refuseAppends: EventStoreError | undefined
  readonly #closeStorage: () => Promise<void>
  readonly #commands: Commands
  /** Last position handed out; ahead of the disk while a write is under way. */
  #reserved: number
  #closing: Promise<void> | undefined

  constructor(options: EventLogOptions) {
    const { end } = options
    this.#storage = options.storage
    const clock = options.clock ?? Date.now
    this.#now = timestamps(clock)
    this.#newId = options.newId ?? createEventIds(clock)
    this.#onWritten = options.onWritten
    this.#refuseAppends = options.refuseAppends
    this.#closeStorage = options.close
    this.#reserved = end.position
    this.#commands = new Commands(options.storage)
    this.#heads = new HeadCache((stream_id) => loadHead(this.#storage, stream_id))
    this.#tail = new LiveTail({
      position: end.position,
      read: (after) => this.#pages({ fromPosition: after }, onlyEvents),
    })
    this.#writer = new GroupCommit({
      storage: options.storage,
      end,
      bound: { events: options.maxPendingEvents ?? MAX_PENDING_EVENTS, size: MAX_PENDING_SIZE },
      onWritten: (group) => this.#written(group),
    })
  }

  append(stream_id: string, events: readonly NewEvent[], options: AppendOptions = {}): Promise<AppendResult> {
    const { expectedVersion, ...rest } = options
    const append =
      expectedVersion === undefined ? { stream_id, events } : { stream_id, events, expectedVersion }
    return this.#submit({ ...rest, appends: [append] }, ({ versions, ...result }) => ({
      ...result,
      version: versions.get(stream_id) ?? 0,
    }))
  }

  appendBatch(batch: AtomicBatch): Promise<BatchResult> {
    return this.#submit(batch, (result) => result)
  }

  readStream(stream_id: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedEvent> {
    this.#assertOpen()
    admitStreamId(stream_id)
    admitReadOptions('readStream', options)
    return itemsOf(readStreamPages(this.#storage, stream_id, options), throwIfAborted(options.signal))
  }

  readAll(options: ReadAllOptions = {}): AsyncIterable<RecordedEvent> {
    this.#assertOpen()
    admitReadOptions('readAll', options)
    return itemsOf(this.#pages(options, onlyEvents), throwIfAborted(options.signal))
  }

  async head(stream_id: string): Promise<StreamHead | undefined> {
    this.#assertOpen()
    admitStreamId(stream_id)
    const head = readHead(this.#storage, stream_id)
    return head === undefined ? undefined : publicHead(stream_id, head)
  }

  async *heads(prefix = ''): AsyncGenerator<StreamHead, void, undefined> {
    this.#assertOpen()
    for await (const page of this.#storage.scan(headsRange(prefix))) {
      for (const [key, stored] of page) {
        const stream_id = nameOfKey(key)
        yield publicHead(stream_id, openHead(stream_id, stored))
      }
    }
  }

  async *entries(prefix: string): AsyncGenerator<Entry, void, undefined> {
    this.#assertOpen()
    for await (const page of this.#storage.scan(entriesRange(prefix))) {
      for (const [stored, value] of page) {
        const key = nameOfKey(stored)
        const entry = unseal<unknown>(entryKey(key), value)
        if (entry.type === 'damaged')
          throw corruptError(damage('entry', `entry '${key}': ${entry.detail}`, {}))
        yield { key, value: entry.value }
      }
    }
  }

  readRecords(options: ReadAllOptions = {}): AsyncIterable<RecordedEvent | RecordedStub> {
    this.#assertOpen()
    admitReadOptions('readAll', options)
    return itemsOf(this.#pages(options, withStubs), throwIfAborted(options.signal))
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
    return this.#admitted(batch, ({ versions, ...result }) => ({
      ...result,
      version: versions.get(stream_id) ?? 0,
    }))
  }

  importBatch(batch: ImportBatch): Promise<BatchResult> {
    return this.#admitted(batch, (result) => result)
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

  async verify(options: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
    this.#assertOpen()
    const until = this.position()
    const problems = await this.#storage.locateDamage?.({ last: until, signal: options.signal })
    if (problems !== undefined && problems.length > 0) return { ok: false, events: 0, streams: 0, problems }
    const snapshot = this.#storage.snapshot()
    try {
      return await verifyLog(snapshot, { until, signal: options.signal })
    } finally {
      await snapshot.close()
    }
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

  /** Checks and plans a batch and takes its versions and positions, in one go. */
  #reserve(batch: LogBatch): Plan {
    const plan = planBatch(batch, {
      position: this.#reserved,
      headOf: (stream_id) => this.#heads.get(stream_id),
      now: this.#now,
      newId: this.#newId,
    })
    this.#reserved = plan.position
    this.#heads.reserve(plan.heads, this.position())
    return plan
  }

  /**
   * Checks, plans, reserves and hands to the writer, without a pause. Not `async`: this is the hot path, and
   * each layer of promises costs as much as a checksum.
   */
  #submit<T>(batch: AtomicBatch, shape: (result: BatchResult) => T): Promise<T> {
    try {
      admitBatch(batch)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#admitted(batch, shape)
  }

  #admitted<T>(batch: LogBatch, shape: (result: BatchResult) => T): Promise<T> {
    try {
      this.#assertOpen()
      if (this.#refuseAppends !== undefined) throw this.#refuseAppends
      this.#writer.assertOpen()
      const { commandId, whenFull = 'accept' } = batch
      if (whenFull !== 'accept' && this.#writer.isFull) return this.#whenFull(batch, whenFull, shape)
      if (commandId === undefined) return this.#write(this.#reserve(batch), batch.durability, shape)
      return this.#commands.run(commandId, batch, () => this.#writeCommand(batch)).then(shape)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #whenFull<T>(
    batch: LogBatch,
    whenFull: 'wait' | 'refuse',
    shape: (result: BatchResult) => T,
  ): Promise<T> {
    if (whenFull === 'refuse') throw busyError()
    const kept = captureBatch(batch)
    await this.#writer.room()
    return this.#admitted({ ...kept, whenFull: 'accept' }, shape)
  }

  #writeCommand(batch: LogBatch): RunningCommand {
    const plan = this.#reserve(batch)
    return { versions: plan.versions, result: this.#write(plan, batch.durability, (result) => result) }
  }

  #write<T>(plan: Plan, durability: Durability = 'fsync', shape: (result: BatchResult) => T): Promise<T> {
    const { position, events, versions } = plan
    return this.#writer.add(plan, durability, (reached) =>
      shape({ position, events, versions, durability: reached, duplicate: false }),
    )
  }

  #written(group: WrittenGroup): void {
    this.#onWritten?.(group)
    this.#tail.publish(group.events, group.end.position)
  }

  /** Verified pages of the log up to where it ends now. */
  async *#pages<T>(
    options: ReadAllOptions,
    content: (page: LogPage) => readonly T[],
  ): AsyncGenerator<readonly T[], void, undefined> {
    const { fromPosition: after = 0, signal } = options
    signal?.throwIfAborted()
    for await (const page of scanLog(this.#storage, { after, until: this.position(), signal })) {
      const [first] = page.damages
      if (first === undefined) {
        yield content(page)
        continue
      }
      yield content({ ...page, events: page.events.slice(0, page.soundUntil), stubs: [] })
      throw corruptError(first)
    }
  }
}

const onlyEvents = ({ events }: LogPage): readonly RecordedEvent[] => events

const withStubs = ({ events, stubs }: LogPage): readonly (RecordedEvent | RecordedStub)[] =>
  stubs.length === 0 ? events : [...events, ...stubs].sort((a, b) => a.position - b.position)

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

const throwIfAborted = (signal: AbortSignal | undefined) => (): boolean => {
  signal?.throwIfAborted()
  return false
}
