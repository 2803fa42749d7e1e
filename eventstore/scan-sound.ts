/**
 * The quick pass over the log: batch by batch, and nothing is given out before its batch has verified.
 *
 * Each record is checked against its checksum, its place against the one before, and each batch against the
 * chain over batches, which covers the hash of every record in it. That finds all damage to what was written.
 * The hash of each record is not computed again (that costs more than all the rest); `verify` and the
 * reading of a stream do it. At the first thing that does not hold, the careful scan takes over and says what is
 * wrong.
 */
import { BatchAuditor, FIRST_BATCH, type BatchEnd } from './batch-auditor.ts'
import type { RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { batchesBetween, eventRange, positionOfKey } from './keys.ts'
import { isStubRecord, readRecord } from './record.ts'
import { lastBatchEnd, scanLog, type LogPage } from './scan-log.ts'
import type { KeyValue, StorageView } from './storage.ts'

export type ScanSoundOptions = {
  /** Events after this position … */
  readonly after: number
  /** … up to and including this one, which ends a batch. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
}

/** Pages of the log; those from the damage on, if there is any, as the careful scan gives them. */
export async function* scanSound(
  storage: StorageView,
  options: ScanSoundOptions,
): AsyncGenerator<LogPage, void, undefined> {
  const { after, until, signal } = options
  const start = after === 0 ? FIRST_BATCH : await lastBatchEnd(storage, after)
  let reached = after
  if (start !== undefined) {
    const reader = new BatchReader(start)
    // The links at `after` itself belong to what is before, unless there is nothing before.
    const links = new Links(storage.scan(batchesBetween(after === 0 ? 0 : start.position + 1, until)))
    try {
      for await (const values of storage.scanValues(eventRange(start.position, until))) {
        signal?.throwIfAborted()
        const isSound = reader.take(values) && reader.close(await links.upTo(reader.position))
        yield reader.page(reached)
        reached = Math.max(reached, reader.verified)
        if (!isSound) break
      }
    } finally {
      await links.close()
    }
  }
  if (reached < until || until === 0) yield* scanCarefully(storage, options, reached)
}

/** From the start of the log, because only who has seen all of a stream can say where it is broken. */
async function* scanCarefully(
  storage: StorageView,
  { until, signal }: ScanSoundOptions,
  reached: number,
): AsyncGenerator<LogPage, void, undefined> {
  const isNew = ({ position }: { readonly position: number }): boolean => position > reached
  for await (const page of scanLog(storage, { after: 0, until, signal })) {
    const events = page.events.slice(0, page.soundUntil).filter(isNew)
    yield { ...page, events, stubs: page.stubs.filter(isNew), soundUntil: events.length }
  }
}

/** The links of the chain over batches, handed out as far as their batches were read. */
class Links {
  readonly #pages: AsyncIterator<readonly KeyValue[]>
  #page: readonly KeyValue[] = []
  #next = 0
  #isOver = false

  constructor(pages: AsyncIterable<readonly KeyValue[]>) {
    this.#pages = pages[Symbol.asyncIterator]()
  }

  /** Those that were not handed out yet of batches that end at `position` or before. */
  async upTo(position: number): Promise<KeyValue[]> {
    const links: KeyValue[] = []
    for (;;) {
      for (; this.#next < this.#page.length; this.#next += 1) {
        const link = this.#page[this.#next] as KeyValue
        if (positionOfKey(link[0]) > position) return links
        links.push(link)
      }
      if (this.#isOver) return links
      const page = await this.#pages.next()
      this.#isOver = page.done === true
      this.#page = page.done === true ? [] : page.value
      this.#next = 0
    }
  }

  async close(): Promise<void> {
    await this.#pages.return?.()
  }
}

/** Puts records into their batches. Keeps those of a batch whose link it has not seen. */
class BatchReader {
  readonly #auditor: BatchAuditor
  #records: (RecordedEvent | RecordedStub)[] = []
  /** How many of the records belong to batches that verified. */
  #sound = 0
  /** How many of them the auditor was shown. */
  #shown = 0
  #position: number
  verified: number

  constructor(start: BatchEnd) {
    this.#position = start.position
    this.verified = start.position
    this.#auditor = new BatchAuditor(start)
  }

  /** Position of the last record taken. */
  get position(): number {
    return this.#position
  }

  /** Takes records as they are stored; false at the first that cannot be read or stands elsewhere. */
  take(values: readonly string[]): boolean {
    for (const value of values) {
      const record = readRecord(value)
      if (record === undefined || record.position !== this.#position + 1) return false
      this.#position += 1
      this.#records.push(record)
    }
    return true
  }

  /** Closes the batches that end in what was taken; false at the first that does not verify. */
  close(links: readonly KeyValue[]): boolean {
    for (const link of links) {
      const end = positionOfKey(link[0])
      for (; this.#positionShown() < end; this.#shown += 1) {
        this.#auditor.add((this.#records[this.#shown] as RecordedEvent).hash)
      }
      if (this.#auditor.close(link) !== undefined) return false
      this.#sound = this.#shown
      this.verified = end
    }
    return true
  }

  /** The records after a position that verified since the last page. */
  page(after: number): LogPage {
    const events: RecordedEvent[] = []
    const stubs: RecordedStub[] = []
    for (let index = 0; index < this.#sound; index += 1) {
      const record = this.#records[index] as RecordedEvent | RecordedStub
      if (record.position <= after) continue
      if (isStubRecord(record)) stubs.push(record)
      else events.push(record)
    }
    this.#records = this.#records.slice(this.#sound)
    this.#shown -= this.#sound
    this.#sound = 0
    return { events, stubs, damages: [], soundUntil: events.length }
  }

  #positionShown(): number {
    return this.#position - this.#records.length + this.#shown
  }
}
