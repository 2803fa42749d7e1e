/**
 * Reads LevelDB's log format, in which the write-ahead log and the MANIFEST are kept, and says what is bad.
 *
 * LevelDB itself passes over a bad stretch to the end of its 32 kB block and goes on; over a stretch of
 * zeros without even a line in its own log.
 */
import { crc32c, unmask } from './crc32c.ts'

export const BLOCK = 32_768
const HEADER = 7

const FULL = 1
const FIRST = 2
const LAST = 4

const ZEROS = 'a stretch of zeros'

/** Something in a log, in the order of offsets. */
export type LogItem =
  /** `bytes` puts it together; from a log that is read in chunks, only until the next one is taken. */
  | { readonly type: 'record'; readonly offset: number; readonly end: number; readonly bytes: () => Buffer }
  /** Bytes that are no record: damage, unless nothing was ever acknowledged after them. */
  | { readonly type: 'bad'; readonly offset: number; readonly detail: string }
  /** The log ends inside a record: its writer died. */
  | { readonly type: 'torn'; readonly offset: number }

type Fragment =
  | { readonly type: 'fragment'; readonly kind: number; readonly body: Buffer; readonly next: number }
  | { readonly type: 'bad'; readonly detail: string }
  | { readonly type: 'end' }
  | { readonly type: 'torn' }

/** What a log holds, from `start` on, where a record begins. */
export const readLogFile = (bytes: Buffer, start = 0): Generator<LogItem> =>
  new LogChunks().take(bytes, { start, isLast: true })

/** A log that is taken chunk by chunk, each a whole number of blocks but the last: no fragment is in two of them. */
export class LogChunks {
  /** Where in the log the chunk begins. */
  #base = 0
  #begun: { readonly offset: number; readonly parts: Buffer[] } | undefined
  /** Since where there has been nothing but zeros: the end of the log, or a hole in it. */
  #zerosFrom: number | undefined;

  /** What the next chunk holds. After a bad stretch it goes on at the next block, as LevelDB does. */
  *take(bytes: Buffer, chunk: { readonly start?: number; readonly isLast: boolean }): Generator<LogItem> {
    const { start = 0, isLast } = chunk
    if (this.#zerosFrom !== undefined) {
      if (isZero(bytes, start)) {
        this.#base += bytes.length
        return
      }
      yield { type: 'bad', offset: this.#begun?.offset ?? this.#zerosFrom, detail: ZEROS }
      this.#begun = undefined
      this.#zerosFrom = undefined
    }
    let at = start
    while (at < bytes.length) {
      if (BLOCK - (at % BLOCK) < HEADER) {
        at += BLOCK - (at % BLOCK)
        continue
      }
      const fragment = fragmentAt(bytes, at)
      const offset = this.#begun?.offset ?? this.#base + at
      if (fragment.type === 'end') {
        this.#zerosFrom = this.#base + at
        break
      }
      if (fragment.type === 'torn') {
        yield { type: 'torn', offset }
        return
      }
      if (fragment.type === 'bad') {
        yield { type: 'bad', offset, detail: fragment.detail }
        this.#begun = undefined
        at += BLOCK - (at % BLOCK)
        continue
      }
      yield* this.#join(fragment, this.#base + at)
      at = fragment.next
    }
    this.#base += bytes.length
    if (isLast && this.#begun !== undefined && this.#zerosFrom === undefined) {
      yield { type: 'torn', offset: this.#begun.offset }
    }
  }

  /** Takes a fragment that is whole in itself. */
  *#join({ kind, body, next }: Extract<Fragment, { type: 'fragment' }>, at: number): Generator<LogItem> {
    const starts = kind === FULL || kind === FIRST
    if (starts === (this.#begun !== undefined)) {
      const detail = 'a record begins or goes on where it should not'
      yield { type: 'bad', offset: this.#begun?.offset ?? at, detail }
      this.#begun = undefined
    }
    const end = this.#base + next
    if (kind === FULL) yield { type: 'record', offset: at, end, bytes: () => body }
    else if (kind === FIRST) this.#begun = { offset: at, parts: [body] }
    else this.#begun?.parts.push(body)
    if (kind !== LAST || this.#begun === undefined) return
    const { offset, parts } = this.#begun
    yield { type: 'record', offset, end, bytes: () => Buffer.concat(parts) }
    this.#begun = undefined
  }
}

const fragmentAt = (bytes: Buffer, at: number): Fragment => {
  if (at + HEADER > bytes.length) return { type: 'torn' }
  const stored = bytes.readUInt32LE(at)
  const length = bytes.readUInt16LE(at + 4)
  const kind = bytes[at + 6] ?? 0
  const next = at + HEADER + length
  if (kind === 0 && length === 0 && stored === 0) {
    return isZero(bytes, at) ? { type: 'end' } : { type: 'bad', detail: ZEROS }
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
