/** The score at the end of each of the last days, taken while the log is folded, so that each is as the log was then. Pure. */
import { trendsOf, type ComplianceTrends } from './score.ts'

const DAY_MS = 24 * 60 * 60_000

export type DailyScores = {
  /** To be called before what happened at a moment (ms since the epoch) is folded. */
  before(at: number): void
  /** Everything is folded: the last days, at most as many as it was made for. More may be folded afterwards. */
  trends(days: number): ComplianceTrends
}

export type DaysAsked = {
  /** How many, today included. */
  readonly days: number
  /** ms since the epoch. */
  readonly now: () => number
  /** The score of what has been folded so far, as of a moment; `undefined` if nothing has. */
  readonly scoreAt: (at: number) => number | undefined
}

type Sample = { readonly day: number; readonly score: number }

/** Days are those of UTC. */
export function dailyScores({ days, now, scoreAt }: DaysAsked): DailyScores {
  /** Of days that are over. */
  const samples: Sample[] = []
  const sampleOf = (day: number, at: number): Sample[] => {
    const score = scoreAt(at)
    return score === undefined ? [] : [{ day, score }]
  }
  /** The first day that has not been looked at. */
  let next = firstDay(now(), days)
  const sampleUntil = (day: number): void => {
    for (; next < day; next += 1) samples.push(...sampleOf(next, (next + 1) * DAY_MS - 1))
  }
  return {
    before: (at) => sampleUntil(Math.min(dayOf(at), dayOf(now()))),
    trends(last) {
      const at = now()
      sampleUntil(dayOf(at))
      const first = firstDay(at, last)
      const asked = [...samples.filter(({ day }) => day >= first), ...sampleOf(dayOf(at), at)]
      return trendsOf(asked.map(({ day, score }) => ({ date: dateOf(day), score })))
    },
  }
}

/** The first of so many days, today included. */
export function firstDay(now: number, days: number): number {
  return dayOf(now) - days + 1
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}

function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}
