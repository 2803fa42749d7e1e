/**
 * Reads LevelDB's log format, in which the write-ahead log and the MANIFEST are kept, and says what is bad.
 *
 * LevelDB itself passes over a bad stretch to the end of its 32 kB block and goes on; over a stretch of
 * zeros without even a line in its own log.
 */
import { crc32c, unmask } from './crc32c.ts'

const BLOCK = 32_768
const HEADER = 7

const FULL = 1
const FIRST = 2
const LAST = 4

/** The bytes of a record, put together when they are asked for: most are only checked. */
export type LogRecord = () => Buffer

/** Something in a log, in the order of offsets. */
export type LogItem =
  | { readonly type: 'record'; readonly offset: number; readonly bytes: LogRecord }
  /** Bytes that are no record: damage, unless nothing was ever acknowledged after them. */
  | { readonly type: 'bad'; readonly offset: number; readonly detail: string }
  /** The log ends inside a record: its writer died. */
  | { readonly type: 'torn'; readonly offset: number }

type Fragment =
  | { readonly type: 'fragment'; readonly kind: number; readonly body: Buffer; readonly next: number }
  | { readonly type: 'bad'; readonly detail: string }
  | { readonly type: 'end' }
  | { readonly type: 'torn' }

/** What a log holds. After a bad stretch it goes on at the next block, as LevelDB does. */
export function* readLogFile(bytes: Buffer): Generator<LogItem> {
  let at = 0
  let begun: { offset: number; parts: Buffer[] } | undefined
  while (at < bytes.length) {
    if (BLOCK - (at % BLOCK) < HEADER) {
      at += BLOCK - (at % BLOCK)
      continue
    }
    const fragment = fragmentAt(bytes, at)
    if (fragment.type === 'end') return
    if (fragment.type === 'torn') {
      yield { type: 'torn', offset: begun?.offset ?? at }
      return
    }
    if (fragment.type === 'bad') {
      yield { type: 'bad', offset: begun?.offset ?? at, detail: fragment.detail }
      begun = undefined
      at += BLOCK - (at % BLOCK)
      continue
    }
    const { kind, body, next } = fragment
    const starts = kind === FULL || kind === FIRST
    if (starts === (begun !== undefined)) {
      yield {
        type: 'bad',
        offset: begun?.offset ?? at,
        detail: 'a record begins or goes on where it should not',
      }
      begun = undefined
    }
    if (kind === FULL) yield { type: 'record', offset: at, bytes: () => body }
    else if (kind === FIRST) begun = { offset: at, parts: [body] }
    else if (begun !== undefined) begun.parts.push(body)
    if (kind === LAST && begun !== undefined) {
      const { offset, parts } = begun
      yield { type: 'record', offset, bytes: () => Buffer.concat(parts) }
      begun = undefined
    }
    at = next
  }
  if (begun !== undefined) yield { type: 'torn', offset: begun.offset }
}

const fragmentAt = (bytes: Buffer, at: number): Fragment => {
  if (at + HEADER > bytes.length) return { type: 'torn' }
  const stored = bytes.readUInt32LE(at)
  const length = bytes.readUInt16LE(at + 4)
  const kind = bytes[at + 6] ?? 0
  const next = at + HEADER + length
  if (kind === 0 && length === 0 && stored === 0) {
    return isZero(bytes, at) ? { type: 'end' } : { type: 'bad', detail: 'a stretch of zeros' }
  }
  if (kind < FULL || kind > LAST) return { type: 'bad', detail: `a record of the unknown kind ${kind}` }
  if (next > at - (at % BLOCK) + BLOCK) return { type: 'bad', detail: 'a record longer than its block' }
  if (next > bytes.length) return { type: 'torn' }
  if (unmask(stored) !== crc32c(bytes, at + 6, next))
    return { type: 'bad', detail: 'a checksum that does not hold' }
  return { type: 'fragment', kind, body: bytes.subarray(at + HEADER, next), next }
}

/** Whether there is nothing but zeros from here on: space that was reserved and not written. */
const isZero = (bytes: Buffer, from: number): boolean => {
  for (let at = from; at < bytes.length; at += 1) if (bytes[at] !== 0) return false
  return true
}
