/**
 * Reads the log over any storage, verified; what it finds damaged it reports and does not return.
 *
 * Owns nothing but the guard that remembers damage. Never writes.
 *
 * I1  An event that is given to a reader has verified: its record, its place, and a chain: that of its stream
 *     for who reads the stream, that of the batches for who reads the log.
 * I2  A read sees the log as it was on disk when the read began, or longer; never half of a batch.
 */
import { corruptError, damage, type Damage } from './damage.ts'
import type { DamageGuard } from './damage-guard.ts'
import type { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type {
  Entry,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedStub,
  StreamHead,
  VerifyReport,
} from './event-store.ts'
import { entriesRange, entryKey, headsRange, nameOfKey } from './keys.ts'
import { itemsOf } from './paged.ts'
import { loadHead, openHead, publicHead, readHead, readStreamPages } from './read-stream.ts'
import { scanLog, type LogPage } from './scan-log.ts'
import { scanSound } from './scan-sound.ts'
import { unseal, type HeadRecord } from './sealed.ts'
import type { Storage } from './storage.ts'
import { verifyLog } from './verify.ts'

export type LogReaderOptions = {
  readonly storage: Storage
  readonly guard: DamageGuard
  /** Position of the last event on disk. */
  readonly position: () => number
}

export class LogReader {
  readonly #storage: Storage
  readonly #guard: DamageGuard
  readonly #position: () => number

  constructor({ storage, guard, position }: LogReaderOptions) {
    this.#storage = storage
    this.#guard = guard
    this.#position = position
  }

  /** The head that an append is decided on. */
  loadHead(stream_id: string): HeadRecord | undefined {
    return this.#watch(() => loadHead(this.#storage, stream_id))
  }

  readStream(stream_id: string, options: ReadStreamOptions): AsyncIterable<RecordedEvent> {
    const pages = readStreamPages(this.#storage, stream_id, options)
    return itemsOf(this.#watched(pages), throwIfAborted(options.signal))
  }

  readAll(options: ReadAllOptions): AsyncIterable<RecordedEvent> {
    return itemsOf(this.#pages(options, onlyEvents), throwIfAborted(options.signal))
  }

  readRecords(options: ReadAllOptions): AsyncIterable<RecordedEvent | RecordedStub> {
    return itemsOf(this.#pages(options, withStubs), throwIfAborted(options.signal))
  }

  /** Pages of events after a position, up to where the log ends now. */
  pagesAfter(fromPosition: number): AsyncIterable<readonly RecordedEvent[]> {
    return this.#pages({ fromPosition }, onlyEvents)
  }

  head(stream_id: string): StreamHead | undefined {
    const head = this.#watch(() => readHead(this.#storage, stream_id))
    return head === undefined ? undefined : publicHead(stream_id, head)
  }

  async *heads(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<StreamHead, void, undefined> {
    signal?.throwIfAborted()
    for await (const page of this.#storage.scan(headsRange(prefix))) {
      for (const [key, stored] of page) {
        signal?.throwIfAborted()
        const stream_id = nameOfKey(key)
        const head = this.#watch(() => openHead(stream_id, stored))
        yield publicHead(stream_id, head)
      }
    }
  }

  async *entries(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<Entry, void, undefined> {
    signal?.throwIfAborted()
    for await (const page of this.#storage.scan(entriesRange(prefix))) {
      for (const [stored, value] of page) {
        signal?.throwIfAborted()
        const key = nameOfKey(stored)
        const entry = unseal<unknown>(entryKey(key), value)
        if (entry.type === 'damaged')
          throw this.#found(damage('entry', `entry '${key}': ${entry.detail}`, {}))
        yield { key, value: entry.value }
      }
    }
  }

  async verify(signal: AbortSignal | undefined): Promise<VerifyReport> {
    const until = this.#position()
    const files = (await this.#storage.locateDamage?.({ last: until, signal })) ?? []
    for (const problem of files) this.#guard.reported(problem)
    // Reading on through a storage that is damaged itself is not safe.
    if (files.length > 0) return { ok: false, events: 0, streams: 0, problems: files }
    const snapshot = this.#storage.snapshot()
    try {
      const report = await verifyLog(snapshot, { until, signal })
      for (const problem of report.problems) this.#guard.reported(problem)
      return report
    } finally {
      await snapshot.close()
    }
  }

  async *#pages<T>(
    options: ReadAllOptions,
    content: (page: LogPage) => readonly T[],
  ): AsyncGenerator<readonly T[], void, undefined> {
    const { fromPosition: after = 0, signal } = options
    signal?.throwIfAborted()
    // To pass over damage, each record must be known to follow what is left of its stream.
    const scan = this.#guard.passesOver ? scanLog : scanSound
    for await (const page of scan(this.#storage, { after, until: this.#position(), signal })) {
      const [first] = page.damages
      if (this.#guard.passesOver) {
        for (const found of page.damages) this.#guard.reported(found)
        yield content({ ...page, events: page.events.filter((event) => this.#guard.lets(event)) })
      } else if (first === undefined) {
        yield content(page)
      } else {
        yield content({ ...page, events: page.events.slice(0, page.soundUntil), stubs: [] })
        throw this.#found(first)
      }
    }
  }

  #found(problem: Damage): EventStoreError {
    this.#guard.reported(problem)
    return corruptError(problem)
  }

  #watch<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      this.#guard.caught(error)
      throw error
    }
  }

  async *#watched<T>(pages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* pages
    } catch (error) {
      this.#guard.caught(error)
      throw error
    }
  }
}

const onlyEvents = ({ events }: LogPage): readonly RecordedEvent[] => events

const withStubs = ({ events, stubs }: LogPage): readonly (RecordedEvent | RecordedStub)[] =>
  stubs.length === 0 ? events : [...events, ...stubs].sort((a, b) => a.position - b.position)

const throwIfAborted = (signal: AbortSignal | undefined) => (): boolean => {
  signal?.throwIfAborted()
  return false
}
