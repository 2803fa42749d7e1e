/** Reads one stream, verified: each record against its checksum, its place, the record before it and the head. */
import { corruptError, damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import type { ReadStreamOptions, StreamHead } from './event-store.ts'
import { eventKey, headKey, streamKey, streamOfKey, streamRange } from './keys.ts'
import { checksumFault, continues, GENESIS, parseRecord, type ParsedRecord, type Stub } from './record.ts'
import { unseal, type HeadRecord } from './sealed.ts'
import type { Storage } from './storage.ts'

const PAGE = 256

/** @throws {EventStoreError} `ES_CORRUPT` if the head does not verify. */
export const readHead = (storage: Storage, stream_id: string): HeadRecord | undefined => {
  const key = headKey(stream_id)
  const stored = storage.getSync(key)
  return stored === undefined ? undefined : openHead(stream_id, stored)
}

/** @throws {EventStoreError} `ES_CORRUPT` if the head does not verify. */
export const openHead = (stream_id: string, stored: string): HeadRecord => {
  const head = unseal<HeadRecord>(headKey(stream_id), stored)
  if (head.type === 'value') return head.value
  throw corruptError(damage('head', `the head of the stream: ${head.detail}`, { stream_id }))
}

export const publicHead = (stream_id: string, head: HeadRecord): StreamHead => ({ stream_id, ...head })

/** Pages of one stream's events. */
export async function* readStreamPages(
  storage: Storage,
  stream_id: string,
  options: ReadStreamOptions,
): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
  options.signal?.throwIfAborted()
  const head = readHead(storage, stream_id)
  const backwards = options.direction === 'backwards'
  const low = Math.max(1, backwards ? (options.toVersion ?? 1) : (options.fromVersion ?? 1))
  const high = Math.min(
    head?.version ?? 0,
    (backwards ? options.fromVersion : options.toVersion) ?? Number.MAX_SAFE_INTEGER,
  )
  const pages = backwards ? pagesDown(low, high) : pagesUp(low, high)
  for (const { from, to } of pages) {
    options.signal?.throwIfAborted()
    const events = await readVersions(storage, { stream_id, from, to, head })
    yield backwards ? events.toReversed() : events
  }
  assertHeadIsLast(storage, stream_id, head)
}

type VersionRange = { readonly from: number; readonly to: number }

function* pagesUp(low: number, high: number): Generator<VersionRange> {
  for (let from = low; from <= high; from += PAGE) yield { from, to: Math.min(high, from + PAGE - 1) }
}

function* pagesDown(low: number, high: number): Generator<VersionRange> {
  for (let to = high; to >= low; to -= PAGE) yield { from: Math.max(low, to - PAGE + 1), to }
}

type Stretch = VersionRange & { readonly stream_id: string; readonly head: HeadRecord | undefined }

const readVersions = async (storage: Storage, stretch: Stretch): Promise<RecordedEvent[]> => {
  const records = await readRecords(storage, stretch)
  return records.filter(({ isStub }) => !isStub).map(({ event }) => event)
}

/** The records of a stretch, verified, stubs among them. */
const readRecords = async (storage: Storage, stretch: Stretch): Promise<ParsedRecord[]> => {
  const { stream_id, from, to, head } = stretch
  // One more before the first: its hash is what the first must follow.
  const start = Math.max(1, from - 1)
  const index = await storage.range(streamRange(stream_id, start, to))
  const positions = positionsOf(index, { stream_id, from: start, to, head })
  const stored = await storage.getMany(positions.map(eventKey))
  const records: ParsedRecord[] = []
  let previous = start === 1 ? GENESIS : undefined
  for (const [offset, position] of positions.entries()) {
    const version = start + offset
    const record = verified(stored[offset], previous, { stream_id, version, position })
    previous = record.event.hash
    if (version >= from) records.push(record)
  }
  if (to === head?.version && previous !== head.hash) {
    const detail = 'the stream does not end in the hash that its head has'
    throw corruptError(damage('head', detail, { stream_id, ...head }))
  }
  return records
}

/** A stored record that is the one that belongs here; without `previous` only its checksum can be looked at. */
const verified = (stored: string | undefined, previous: string | undefined, place: Stub): ParsedRecord => {
  if (stored === undefined) throw corruptError(damage('missing', 'there is no record', place))
  const record = parseRecord(stored)
  const follows = record !== undefined && previous !== undefined && continues(previous, record)
  const fault = follows ? undefined : checksumFault(stored)
  if (record === undefined || fault !== undefined) {
    throw corruptError(damage('unreadable', fault ?? 'its checksum holds, but the body is not JSON', place))
  }
  const { stream_id, version, position } = record.event
  if (stream_id !== place.stream_id || version !== place.version || position !== place.position) {
    const found = `stream '${stream_id}' version ${version} position ${position}`
    throw corruptError(damage('misplaced', `the record there is ${found}`, place))
  }
  if (follows || previous === undefined) return record
  throw corruptError(damage('chain', `it does not follow version ${version - 1} of its stream`, place))
}

/** Every record of a stream as it is stored, for its archive. */
export const readWholeStream = async (storage: Storage, stream_id: string): Promise<ParsedRecord[]> => {
  const head = readHead(storage, stream_id)
  const records: ParsedRecord[] = []
  for (const { from, to } of pagesUp(1, head?.version ?? 0)) {
    records.push(...(await readRecords(storage, { stream_id, from, to, head })))
  }
  return records
}

const positionsOf = (index: readonly (readonly [string, string])[], stretch: Stretch): number[] => {
  const { stream_id, from, to } = stretch
  const positions = index.map(([key, value], offset) => {
    const { version } = streamOfKey(key)
    if (version !== from + offset) throw missingVersion(stretch, from + offset)
    const position = Number(value)
    if (Number.isSafeInteger(position) && position > 0) return position
    throw corruptError(damage('index', 'the index does not name a position', { stream_id, version }))
  })
  if (positions.length !== to - from + 1) throw missingVersion(stretch, from + positions.length)
  return positions
}

const missingVersion = ({ stream_id, head }: Stretch, version: number): Error =>
  corruptError(
    damage('missing', `the stream should reach to version ${head?.version ?? 0}`, { stream_id, version }),
  )

/** The head that an append is decided on: it must be the last, or the append would overwrite an event. */
export const loadHead = (storage: Storage, stream_id: string): HeadRecord | undefined => {
  const head = readHead(storage, stream_id)
  assertHeadIsLast(storage, stream_id, head)
  return head
}

/** A head that fell back behind its stream would make the last events invisible. */
const assertHeadIsLast = (storage: Storage, stream_id: string, head: HeadRecord | undefined): void => {
  const next = (head?.version ?? 0) + 1
  const beyond = storage.getSync(streamKey(stream_id, next))
  if (beyond === undefined) return
  // Appended while we read? Then the head has moved on as well.
  const now = readHead(storage, stream_id)
  if (now !== undefined && now.version >= next) return
  const detail =
    head === undefined ? 'the stream has events but no head' : 'the stream goes on after its head'
  throw corruptError(damage('head', detail, { stream_id, version: next, position: Number(beyond) || 0 }))
}
