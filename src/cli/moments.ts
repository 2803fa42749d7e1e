/** Reads a moment as people type it: `yesterday`, `2h ago`, `2026-11-20 14:05`. In UTC, as the log is printed. */
import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const DAY = 86_400_000
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

const AGO =
  /^(?:last\s+)?(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?:\s+ago)?$/
const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,3})?)?$/
const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[t\s]+(\S.*))?$/
const ZONE = /\s*(z|utc|[+-]\d{2}:?\d{2})$/

/** What can be typed, for a help text. */
const MOMENTS = 'yesterday, monday, 2h, 14:05, 2026-11-20, "2026-11-20 14:05"; UTC'

/**
 * Milliseconds since 1970; `undefined` if it is no moment. A day is its beginning, a time alone is today's, a weekday is
 * the last one, and a span counts back from now.
 */
export function readMoment(typed: string, now: number): number | undefined {
  const text = typed.trim().toLowerCase()
  if (text === 'now') return now
  const ago = AGO.exec(text)
  if (ago !== null) {
    const [, count = '', unit = ''] = ago
    const size = UNITS[unit] ?? UNITS[unit.startsWith('milli') ? 'ms' : unit.charAt(0)] ?? Number.NaN
    const at = now - Number(count) * size
    return Number.isFinite(at) && at >= 0 ? Math.round(at) : undefined
  }
  const [first = '', ...rest] = text.split(/\s+/)
  const day = namedDay(first, now)
  if (day !== undefined) return at(day, rest.join(' '))
  if (TIME.test(text.replace(ZONE, ''))) return at(startOfDay(now), text)
  return dated(text)
}

/** For an option; `2026-11-20T14:00:00.000Z`. */
export function momentOption(now: () => number): (typed: string) => string {
  return (typed) => {
    const read = readMoment(typed, now())
    if (read === undefined) throw new InvalidArgumentError(`Expected a moment: ${MOMENTS}.`)
    return new Date(read).toISOString()
  }
}

function startOfDay(time: number): number {
  return Math.floor(time / DAY) * DAY
}

function namedDay(word: string, now: number): number | undefined {
  const today = startOfDay(now)
  if (word === 'today') return today
  if (word === 'yesterday') return today - DAY
  const weekday = word.length < 3 ? -1 : WEEKDAYS.findIndex((name) => name.startsWith(word))
  if (weekday < 0) return undefined
  // The last one that has begun; on a Monday, `monday` is today.
  return today - ((new Date(today).getUTCDay() - weekday + 7) % 7) * DAY
}

/** A day with a time of that day, or none. */
function at(day: number, time: string): number | undefined {
  if (time === '') return day
  const zone = ZONE.exec(time)?.[1] ?? 'z'
  const found = TIME.exec(time.replace(ZONE, ''))
  if (found === null) return undefined
  const [, hours = '', minutes = '', seconds = '0', fraction = '0'] = found
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  const clock = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000
  return day + clock + Math.round(Number(fraction) * 1000) - offset(zone)
}

function offset(zone: string): number {
  const found = /^([+-])(\d{2}):?(\d{2})$/.exec(zone)
  if (found === null) return 0
  const [, sign, hours, minutes] = found
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3_600_000 + Number(minutes) * 60_000)
}

function dated(text: string): number | undefined {
  const found = DATE.exec(text)
  if (found === null) return undefined
  const [, year = '', month = '', day = '', time = ''] = found
  const start = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const back = new Date(start)
  // 2026-02-30 would be a day in March.
  if (back.getUTCMonth() !== Number(month) - 1 || back.getUTCDate() !== Number(day)) return undefined
  return at(start, time)
}
