/**
 * How one event is stored: `crc32 (8 hex) · sha256 (64 hex) · body (JSON)`, in one text.
 *
 * The hash covers the previous hash of the stream and the body, so each record vouches for all before it.
 * The checksum covers hash and body, so a flipped bit is found without the record before it. Both are
 * taken over the stored text: reading never needs to serialise again.
 */
import { hash as digest } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { EventBody, RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { hexWord, wordOfHex } from './hex.ts'

const CRC_END = 8
const BODY_START = 72

/** The hash before a stream's first event. */
export const GENESIS = '0'.repeat(64)

/** CRC-32 of a text, in one or two pieces, as eight hex digits. */
export const checksum = (text: string, more?: string): string =>
  hexWord(more === undefined ? crc32(text) : crc32(more, crc32(text)))

/** SHA-256 of a text in hex. */
export const sha256 = (text: string): string => digest('sha256', text)

export type EncodedRecord = { readonly hash: string; readonly value: string }

export const encodeRecord = (body: EventBody, previousHash: string): EncodedRecord => {
  const linked = previousHash + JSON.stringify(body)
  const hash = sha256(linked)
  // Cut out of what was put together for the hash, and its checksum taken in pieces: each is a copy less.
  const text = linked.slice(previousHash.length)
  return { hash, value: checksum(hash, text) + hash + text }
}

/** Completes a body that is not needed as such any more; the hash is the last field, as in what is read. */
export const withHash = (body: EventBody, hash: string): RecordedEvent => {
  const event = body as { -readonly [K in keyof RecordedEvent]: RecordedEvent[K] }
  event.hash = hash
  return event
}

/**
 * What is left of an event whose stream was archived: its place and its hash, which the chains need. Nothing
 * but its checksum vouches for it.
 */
export type Stub = Pick<RecordedStub, 'stream_id' | 'version' | 'position'>

const STUB_BEGINS = '{"stub":'

export const encodeStub = ({ stream_id, version, position }: Stub, hash: string): string => {
  const sealed = `${hash}${JSON.stringify({ stub: true, stream_id, version, position })}`
  return checksum(sealed) + sealed
}

/** The record in a stored text, if the checksum holds; a stub is told by `isStubRecord`. */
export const readRecord = (value: string): RecordedEvent | RecordedStub | undefined => {
  if (value.length <= BODY_START || crc32(value.slice(CRC_END)) !== wordOfHex(value)) return undefined
  try {
    return withHash(JSON.parse(value.slice(BODY_START)) as EventBody, value.slice(CRC_END, BODY_START))
  } catch {
    return undefined
  }
}

export const isStubRecord = (record: RecordedEvent | RecordedStub): record is RecordedStub => 'stub' in record

/** A stored text taken apart; nothing of it is to be believed before it was checked. */
export type ParsedRecord = {
  readonly value: string
  readonly body: string
  /** Of a stub only stream, version, position and hash are there. */
  readonly event: RecordedEvent
  readonly isStub: boolean
}

/** The parts of a stored text, if it looks like a record. */
export const parseRecord = (value: string): ParsedRecord | undefined => {
  if (value.length <= BODY_START) return undefined
  const body = value.slice(BODY_START)
  try {
    const event = withHash(JSON.parse(body) as EventBody, value.slice(CRC_END, BODY_START))
    return { value, body, event, isStub: body.startsWith(STUB_BEGINS) }
  } catch {
    return undefined
  }
}

/**
 * Whether a record follows `previousHash` in its stream. That vouches for every byte of hash and body, so
 * the checksum needs no look where this holds. For a stub its checksum must do.
 */
export const continues = (previousHash: string, { value, body, event, isStub }: ParsedRecord): boolean =>
  isStub ? checksumFault(value) === undefined : sha256(previousHash + body) === event.hash

/** What is wrong with the checksum of a stored text; undefined if it holds. */
export const checksumFault = (value: string): string | undefined => {
  if (value.length <= BODY_START) return `the record has ${value.length} characters`
  const stored = value.slice(0, CRC_END)
  const actual = checksum(value.slice(CRC_END))
  return stored === actual ? undefined : `its checksum is ${actual}, the record says ${stored}`
}

export type DecodedRecord =
  | { readonly type: 'record'; readonly record: ParsedRecord }
  | { readonly type: 'unreadable'; readonly detail: string }

/** A record whose checksum holds; for where the record before it is not known. */
export const decodeRecord = (value: string): DecodedRecord => {
  const fault = checksumFault(value)
  const record = fault === undefined ? parseRecord(value) : undefined
  if (record !== undefined) return { type: 'record', record }
  return { type: 'unreadable', detail: fault ?? 'its checksum holds, but the body is not JSON' }
}

/** The chain over batches: the link before, what else the batch wrote, and each record's hash in order. */
export const batchHash = (
  previous: string,
  batch: { notes: readonly (readonly string[])[] | undefined; hashes: readonly string[] },
): string =>
  sha256(previous + (batch.notes === undefined ? '' : JSON.stringify(batch.notes)) + batch.hashes.join(''))
