/** The option that names a point in an actor's past: a version, a position of the log, or a moment. */
import { InvalidArgumentError } from 'commander'
import type { At } from '../query/moment.ts'
import { readMoment } from './moments.ts'

/** What can be typed, for a help text. */
export const PLACES = 'a version (7), a position (#57) or a moment (yesterday, "2026-11-20 14:05")'

/** Versions and positions are whole numbers, 1 or more; 0 is a version where `fromZero` says so. */
export function placeOption(now: () => number, fromZero = false): (typed: string) => At {
  return (typed) => {
    const [, hash, digits] = /^(#?)(\d+)$/.exec(typed.trim()) ?? []
    if (digits !== undefined) {
      const value = Number(digits)
      const least = fromZero && hash === '' ? 0 : 1
      if (!Number.isSafeInteger(value) || value < least) {
        throw new InvalidArgumentError(`Expected a whole number, ${least} or more.`)
      }
      return hash === '' ? { version: value } : { position: value }
    }
    const time = readMoment(typed, now())
    if (time === undefined) throw new InvalidArgumentError(`Expected ${PLACES}.`)
    return { time: new Date(time).toISOString() }
  }
}
