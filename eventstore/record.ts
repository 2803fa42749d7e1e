/**
 * How one event is stored: `crc32 (8 hex) · sha256 (64 hex) · body (JSON)`, in one text.
 *
 * The hash covers the previous hash of the stream and the body, so each record vouches for all before it.
 * The checksum covers hash and body, so a flipped bit is found without the record before it. Both are
 * taken over the stored text: reading never needs to serialise again.
 */
import { hash as digest } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { RecordedEvent } from './event.ts'

const CRC_END = 8
const BODY_START = 72

/** The hash before a stream's first event. */
export const GENESIS = '0'.repeat(64)

/** CRC-32 of a text as eight hex digits. */
export const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0')

/** SHA-256 of a text in hex. */
export const sha256 = (text: string): string => digest('sha256', text)

/** An event without its hash, in the order in which the body keeps its fields. */
export type EventBody = Omit<RecordedEvent, 'hash'>

export type EncodedRecord = { readonly hash: string; readonly value: string }

export const encodeRecord = (body: EventBody, previousHash: string): EncodedRecord => {
  const text = JSON.stringify(body)
  const hash = sha256(previousHash + text)
  const sealed = hash + text
  return { hash, value: checksum(sealed) + sealed }
}

export type DecodedRecord =
  | { readonly type: 'event'; readonly event: RecordedEvent; readonly body: string }
  | { readonly type: 'unreadable'; readonly detail: string }

/** The event in a stored text, or why it is not one. Says nothing about the chain: `continues` does. */
export const decodeRecord = (value: string): DecodedRecord => {
  if (value.length <= BODY_START) {
    return { type: 'unreadable', detail: `the record has ${value.length} characters` }
  }
  const stored = value.slice(0, CRC_END)
  const actual = checksum(value.slice(CRC_END))
  if (stored !== actual) {
    return { type: 'unreadable', detail: `its checksum is ${actual}, the record says ${stored}` }
  }
  const body = value.slice(BODY_START)
  try {
    const event = JSON.parse(body) as { -readonly [K in keyof RecordedEvent]: RecordedEvent[K] }
    event.hash = value.slice(CRC_END, BODY_START)
    return { type: 'event', event, body }
  } catch {
    return { type: 'unreadable', detail: 'its checksum holds, but the body is not JSON' }
  }
}

/** Whether a record follows `previousHash` in its stream. */
export const continues = (previousHash: string, record: { event: RecordedEvent; body: string }): boolean =>
  sha256(previousHash + record.body) === record.event.hash

/** The chain over batches: the link before, what else the batch wrote, and each record's hash in order. */
export const batchHash = (
  previous: string,
  batch: { notes: readonly (readonly string[])[] | undefined; hashes: readonly string[] },
): string =>
  sha256(previous + (batch.notes === undefined ? '' : JSON.stringify(batch.notes)) + batch.hashes.join(''))
