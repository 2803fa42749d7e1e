/** Ids and draws that are the same in each run: a counter and a generator, both begun from a seed. */
import type { NewId } from '../runtime/clock.ts'

/** What a seed gives. */
export type SeededSource = {
  readonly newId: NewId
  readonly newEventId: () => string
  /** Draws from 0 to 1. */
  readonly random: () => number
}

/**
 * A source that begins at `seed`, a whole number from 0 to 4,294,967,295. Ids have the shape of a UUIDv7: the seed, then
 * a count.
 *
 * @throws RangeError for another seed
 */
export function seededSource(seed: number): SeededSource {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    throw new RangeError(`A seed is a whole number from 0 to 4,294,967,295, not ${seed}.`)
  const begin = seed.toString(16).padStart(8, '0')
  const counting = (variant: string): (() => string) => {
    let count = 0
    return () => {
      count += 1
      return `${begin}-0000-7000-${variant}-${count.toString(16).padStart(12, '0')}`
    }
  }
  const next = counting('8000')
  return { newId: (prefix) => `${prefix}_${next()}`, newEventId: counting('9000'), random: draws(seed) }
}

/** Mulberry32: 32 bits of state, good enough for delays that are spread out. */
function draws(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
