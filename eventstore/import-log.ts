/**
 * Reads a log back from NDJSON, verified line by line, into a store that may be empty or not.
 *
 * Into a store that ends where the export begins, events keep their positions, and so their hashes: the
 * copy is the same log. Into another they get new positions, and the old ones are kept in entries under
 * `imported/`. A stream that exists is refused, unless it is there because the same import was interrupted:
 * then it goes on where it ended.
 */
import { createHash } from 'node:crypto'
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { Entry, EventStore, RecordedStub } from './event-store.ts'
import {
  EXPORT_FORMAT,
  exportEnd,
  exportEntry,
  exportHeader,
  type ExportEnd,
  type ExportHeader,
} from './export-log.ts'
import { ImportedEvents } from './imported-events.ts'
import { readLines } from './read-lines.ts'
import { GENESIS, sha256 } from './record.ts'
import { SealedStore } from './sealing/sealed-store.ts'

export type ImportProgress = {
  /** Lines read. */
  readonly lines: number
  /** Events appended now. */
  readonly imported: number
  /** Events that were there already. */
  readonly skipped: number
}

export type ImportOptions = {
  readonly signal?: AbortSignal
  /** Called after each batch. */
  readonly onProgress?: (progress: ImportProgress) => void
}

export type ImportReport = ImportProgress & {
  readonly entries: number
  /** Whether every event has the position it had. */
  readonly samePositions: boolean
}

const BATCH = 500

/**
 * Imports what `exportLog` wrote, in pieces of any size.
 * @throws {EventStoreError} `ES_IMPORT_REFUSED` with `path` (the line), `ES_STREAM_EXISTS`, and what an
 *   append throws. What was imported before stays; the same import goes on from there.
 */
export const importLog = async (
  store: EventStore,
  pieces: AsyncIterable<string | Uint8Array>,
  options: ImportOptions = {},
): Promise<ImportReport> => {
  // What is imported is put back as it was: sealed or in the clear.
  const into = store instanceof SealedStore ? store.stored : store
  const events = new ImportedEvents(into)
  const check = new LineCheck()
  let entries: Entry[] = []
  let written = 0
  const flush = async (): Promise<void> => {
    await events.flush()
    if (entries.length > 0) await into.appendBatch({ appends: [], entries })
    written += entries.length
    entries = []
    options.onProgress?.({ lines: check.line, ...events.count })
  }
  for await (const text of readLines(pieces)) {
    options.signal?.throwIfAborted()
    const item = check.next(text)
    if (item.type === 'record') await events.add(item.record)
    if (item.type === 'entry') entries.push(item.entry)
    if (events.waiting + entries.length >= BATCH && events.mayPause) await flush()
  }
  check.end()
  await flush()
  if (store instanceof SealedStore) await store.learnAnew()
  return { lines: check.line, ...events.count, entries: written, samePositions: events.samePositions }
}

/**
 * Reads an export without importing it.
 * @throws {EventStoreError} `ES_IMPORT_REFUSED` with `path` (the line) where it is not whole.
 */
export const verifyExport = async (
  pieces: AsyncIterable<string | Uint8Array>,
): Promise<{ readonly lines: number }> => {
  const check = new LineCheck()
  for await (const text of readLines(pieces)) check.next(text)
  check.end()
  return { lines: check.line }
}

type Item =
  | { readonly type: 'record'; readonly record: RecordedEvent | RecordedStub }
  | { readonly type: 'entry'; readonly entry: Entry }
  | { readonly type: 'frame' }

/** Checks that the lines are a whole export: frame, order, chains, checksum. */
class LineCheck {
  line = 0
  #header: ExportHeader | undefined
  #ended = false
  #position = 0
  #records = 0
  #entries = 0
  readonly #digest = createHash('sha256')
  readonly #hashes = new Map<string, { version: number; hash: string }>()

  next(text: string): Item {
    this.line += 1
    const value = parse(text)
    if (value === undefined) throw this.#refusal('it is not JSON')
    if (this.#header === undefined) return this.#begin(value)
    if (this.#ended) throw this.#refusal('something follows the end')
    const end = exportEnd.safeParse(value)
    if (end.success) return this.#finish(end.data.end)
    this.#digest.update(`${text}\n`)
    const entry = exportEntry.safeParse(value)
    if (entry.success) {
      this.#entries += 1
      return { type: 'entry', entry: entry.data.entry }
    }
    return { type: 'record', record: this.#record(value) }
  }

  /** @throws {EventStoreError} `ES_IMPORT_REFUSED` if the last line is missing. */
  end(): void {
    if (this.#ended) return
    this.line += 1
    throw this.#refusal('the export ends before its last line: it was cut off')
  }

  #begin(value: unknown): Item {
    const header = exportHeader.safeParse(value)
    if (!header.success) throw this.#refusal('the first line is not the header of an export', header.error)
    if (header.data.format > EXPORT_FORMAT) throw this.#refusal(`the export has format ${header.data.format}`)
    this.#header = header.data
    this.#position = header.data.from_position
    return { type: 'frame' }
  }

  #finish(end: ExportEnd): Item {
    this.#ended = true
    if (end.events + end.stubs !== this.#records || end.entries !== this.#entries) {
      throw this.#refusal(`there are ${this.#records} records, the end says ${end.events + end.stubs}`)
    }
    if (this.#digest.digest('hex') !== end.sha256)
      throw this.#refusal('the checksum over all lines does not hold')
    return { type: 'frame' }
  }

  #record(value: unknown): RecordedEvent | RecordedStub {
    if (!isRecord(value)) throw this.#refusal('it is not an event')
    const { hash, ...rest } = value
    const gapless = this.#header?.partial === false
    if (value.position <= this.#position || (gapless && value.position !== this.#position + 1)) {
      throw this.#refusal(`position ${value.position} follows position ${this.#position}`)
    }
    const before = this.#hashes.get(value.stream_id)
    if (before !== undefined && value.version !== before.version + 1) {
      throw this.#refusal(
        `version ${value.version} follows version ${before.version} of '${value.stream_id}'`,
      )
    }
    const previous = value.version === 1 ? GENESIS : before?.hash
    const isEvent = !('stub' in value)
    if (isEvent && previous !== undefined && sha256(previous + JSON.stringify(rest)) !== hash) {
      throw this.#refusal(`the hash does not follow version ${value.version - 1} of '${value.stream_id}'`)
    }
    this.#position = value.position
    this.#records += 1
    this.#hashes.set(value.stream_id, { version: value.version, hash })
    return value
  }

  #refusal(detail: string, cause?: unknown): EventStoreError {
    return new EventStoreError('ES_IMPORT_REFUSED', {
      happened: `Line ${this.line} of the export cannot be imported: ${detail}`,
      expected: 'Expected the lines that exportLog() wrote, unchanged and all of them',
      remedy: 'Export again; what was imported before this line stays, and the next import goes on after it',
      cause,
      details: { path: `line ${this.line}` },
    })
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The fields the import itself relies on; the rest is checked when it is appended. */
const isRecord = (value: unknown): value is RecordedEvent | RecordedStub =>
  typeof value === 'object' &&
  value !== null &&
  (('event_id' in value && typeof value.event_id === 'string') || ('stub' in value && value.stub === true)) &&
  'stream_id' in value &&
  typeof value.stream_id === 'string' &&
  'version' in value &&
  Number.isSafeInteger(value.version) &&
  'position' in value &&
  Number.isSafeInteger(value.position) &&
  'hash' in value &&
  typeof value.hash === 'string'
