/**
 * Writes a log as NDJSON: a header, one event per line as the log has it, and an end with a checksum over all.
 * The same log gives the same bytes, whenever it is exported.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { EventStoreError } from './errors.ts'
import type { EventStore } from './event-store.ts'

export const EXPORT_FORMAT = 1

/** The first line. */
export const exportHeader = z.object({
  export: z.literal('event-log'),
  format: z.int().positive(),
  /** The events after this position follow. */
  from_position: z.int().nonnegative(),
  /** Whether some streams were left out, so that positions may have gaps. */
  partial: z.boolean(),
})

/** The last line. */
export const exportEnd = z.object({
  end: z.object({
    events: z.int().nonnegative(),
    /** Lines with what is left of archived events. */
    stubs: z.int().nonnegative(),
    entries: z.int().nonnegative(),
    last_position: z.int().nonnegative(),
    /** SHA-256 over the lines between the first and the last, each with its line feed, in hex. */
    sha256: z.string(),
  }),
})

/** A line with an entry. */
export const exportEntry = z.object({ entry: z.object({ key: z.string(), value: z.json() }) })

export type ExportHeader = z.infer<typeof exportHeader>
export type ExportEnd = z.infer<typeof exportEnd>['end']

export type ExportProgress = {
  readonly events: number
  /** Position of the last event written; export from there to go on after an interruption. */
  readonly position: number
  /** Position at which the export will end. */
  readonly until: number
}

export type ExportOptions = {
  /** Events after this position; default 0. */
  readonly fromPosition?: number
  /** Only these streams. */
  readonly streams?: readonly string[]
  /** Whether the entries beside the events follow them; default false. Owed work in two places is done twice. */
  readonly entries?: boolean
  readonly signal?: AbortSignal
  /** Called for each piece that is handed out. */
  readonly onProgress?: (progress: ExportProgress) => void
}

/** Pieces are about this long, in characters. */
const PIECE = 64 * 1024

/**
 * The log as NDJSON, in pieces of whole lines; it ends where the log ended when the export began.
 * @throws {EventStoreError} `ES_CORRUPT`, `ES_CLOSED`, `ES_INVALID_OPTION`.
 * @example
 * await pipeline(exportLog(store), createWriteStream('log.ndjson'))
 */
export async function* exportLog(
  store: EventStore,
  options: ExportOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { fromPosition = 0, signal, onProgress } = options
  const until = store.position()
  if (fromPosition > until) throw aheadError(fromPosition, until)
  const streams = options.streams === undefined ? undefined : new Set(options.streams)
  const header: ExportHeader = {
    export: 'event-log',
    format: EXPORT_FORMAT,
    from_position: fromPosition,
    partial: streams !== undefined,
  }
  yield line(header)
  const digest = createHash('sha256')
  const count = { events: 0, stubs: 0, entries: 0 }
  let position = fromPosition
  let piece = ''
  const flush = (): string => {
    const full = piece
    piece = ''
    digest.update(full)
    onProgress?.({ events: count.events, position, until })
    return full
  }
  const reading = { fromPosition, ...(signal === undefined ? {} : { signal }) }
  for await (const record of store.readRecords?.(reading) ?? store.readAll(reading)) {
    if (record.position > until) break
    position = record.position
    if (streams?.has(record.stream_id) === false) continue
    piece += line(record)
    if ('stub' in record) count.stubs += 1
    else count.events += 1
    if (piece.length >= PIECE) yield flush()
  }
  for await (const entry of options.entries === true ? store.entries('', { stored: true }) : []) {
    signal?.throwIfAborted()
    piece += line({ entry })
    count.entries += 1
    if (piece.length >= PIECE) yield flush()
  }
  if (piece !== '') yield flush()
  const end: ExportEnd = { ...count, last_position: position, sha256: digest.digest('hex') }
  yield line({ end })
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`

const aheadError = (fromPosition: number, until: number): EventStoreError =>
  new EventStoreError('ES_POSITION_AHEAD', {
    happened: `The export should begin after position ${fromPosition}, but the log ends at ${until}`,
    expected: 'Expected a position that this log has reached',
    remedy: 'Export from a position up to the end of the log',
    details: { position: fromPosition },
  })
