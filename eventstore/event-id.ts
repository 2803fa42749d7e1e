/**
 * New `event_id`s: UUIDv7, in the order in which they were made, without a system call for each.
 *
 * The layout is that of RFC 9562: 48 bits of time, then a counter of 32 bits, then chance. The texts are put
 * together here, and not by a library, because every append waits for one.
 */
import { randomBytes } from 'node:crypto'
import { hexByte } from './hex.ts'

/** Hex digits of chance at the end of each id. */
const TAIL = 10
/** Hex digits that a counter starts from. */
const START = 8
const POOLED_IDS = 256
/** A counter starts in the lower half of its 32 bits, so that a busy millisecond cannot overflow it. */
const START_MASK = 0x7fffffff

/** A source of ids; `clock` gives milliseconds since 1970. */
export const createEventIds = (clock: () => number): (() => string) => {
  let chance = ''
  let used = 0
  let last = 0
  let counter = 0
  /** The part of the id that a millisecond shares, and the part that 64 values of the counter share. */
  let time = ''
  let begin = ''
  let begun = -1
  const random = (digits: number): string => {
    if (used + digits > chance.length) {
      chance = randomBytes((POOLED_IDS * TAIL) / 2).toString('hex')
      used = 0
    }
    used += digits
    return chance.slice(used - digits, used)
  }
  return () => {
    const now = clock()
    // A clock that was set back must not break the order.
    if (now > last) {
      last = now
      counter = Number.parseInt(random(START), 16) & START_MASK
      const digits = Math.floor(now).toString(16).padStart(12, '0')
      time = `${digits.slice(0, 8)}-${digits.slice(8)}-`
      begun = -1
    } else {
      counter += 1
    }
    if (counter >>> 6 !== begun) {
      begun = counter >>> 6
      const high = 0x7000 | (counter >>> 20)
      const low = 0x8000 | (begun & 0x3fff)
      begin = `${time}${high.toString(16)}-${low.toString(16)}-`
    }
    return begin + hexByte((counter & 0x3f) << 2) + random(TAIL)
  }
}
