/** New `event_id`s: UUIDv7, in the order in which they were made, without a system call for each. */
import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

const POOLED_IDS = 512
const BYTES = 16
/** A sequence starts in the lower half of its 32 bits, so that a busy millisecond cannot overflow it. */
const SEQUENCE_START_MASK = 0x7fffffff

/** A source of ids; `clock` gives milliseconds since 1970. */
export const createEventIds = (clock: () => number): (() => string) => {
  const pool = Buffer.alloc(POOLED_IDS * BYTES)
  let used = pool.length
  let last = 0
  let sequence = 0
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    const random = pool.subarray(used, used + BYTES)
    used += BYTES
    const now = clock()
    // A clock that was set back must not break the order.
    if (now > last) {
      last = now
      sequence = random.readUInt32BE(6) & SEQUENCE_START_MASK
    } else {
      sequence += 1
    }
    return v7({ random, msecs: last, seq: sequence })
  }
}
