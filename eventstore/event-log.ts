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
import type { NewEvent, RecordedEvent } from './event.ts'
import type {
  AppendOptions,
  AppendResult,
  AtomicBatch,
  BatchResult,
  Durability,
  Entry,
  EventStore,
  ReadAllOptions,
  ReadStreamOptions,
  StreamHead,
  SubscribeOptions,
  VerifyReport,
} from './event-store.ts'
import { GroupCommit, closedError, type WrittenGroup } from './group-commit.ts'
import { HeadCache } from './head-cache.ts'
import { entriesRange, entryKey, headsRange, nameOfKey } from './keys.ts'
import { LiveTail } from './live-tail.ts'
import { itemsOf } from './paged.ts'
import { planBatch, type Plan } from './plan.ts'
import { loadHead, openHead, publicHead, readHead, readStreamPages } from './read-stream.ts'
import { scanLog } from './scan-log.ts'
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
  /** Called when everything up to this end has reached the disk. */
  readonly onSynced?: (end: BatchEnd) => void
  /** Closes the storage and what else was opened for it. */
  readonly close: () => Promise<void>
}

export class EventLog implements EventStore {
  readonly #storage: Storage
  readonly #writer: GroupCommit
  readonly #tail: LiveTail
  readonly #heads: HeadCache
  readonly #now: () => string
  readonly #newId: () => string
  readonly #onSynced: ((end: BatchEnd) => void) | undefined
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
    this.#onSynced = options.onSynced
    this.#closeStorage = options.close
    this.#reserved = end.position
    this.#commands = new Commands(options.storage)
    this.#heads = new HeadCache((stream_id) => loadHead(this.#storage, stream_id))
    this.#tail = new LiveTail({
      position: end.position,
      read: (after) => this.#pages({ fromPosition: after }),
    })
    this.#writer = new GroupCommit({
      storage: options.storage,
      end,
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
    return itemsOf(this.#pages(options), throwIfAborted(options.signal))
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
  #reserve(batch: AtomicBatch): Plan {
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
      this.#assertOpen()
      this.#writer.assertOpen()
      admitBatch(batch)
      const { commandId } = batch
      if (commandId === undefined) return this.#write(this.#reserve(batch), batch.durability, shape)
      return this.#commands.run(commandId, batch, () => this.#writeCommand(batch)).then(shape)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #writeCommand(batch: AtomicBatch): RunningCommand {
    const plan = this.#reserve(batch)
    return { versions: plan.versions, result: this.#write(plan, batch.durability, (result) => result) }
  }

  #write<T>(plan: Plan, durability: Durability = 'fsync', shape: (result: BatchResult) => T): Promise<T> {
    const { position, events, versions } = plan
    return this.#writer.add(plan, durability, (reached) =>
      shape({ position, events, versions, durability: reached, duplicate: false }),
    )
  }

  #written({ events, end, durability }: WrittenGroup): void {
    if (durability === 'fsync') this.#onSynced?.(end)
    this.#tail.publish(events)
  }

  /** Verified pages of the log up to where it ends now. */
  async *#pages(options: ReadAllOptions): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    const { fromPosition: after = 0, signal } = options
    signal?.throwIfAborted()
    for await (const page of scanLog(this.#storage, { after, until: this.position(), signal })) {
      const [first] = page.damages
      if (first === undefined) {
        yield page.events
        continue
      }
      yield page.events.slice(0, page.soundUntil)
      throw corruptError(first)
    }
  }
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

const throwIfAborted = (signal: AbortSignal | undefined) => (): boolean => {
  signal?.throwIfAborted()
  return false
}
