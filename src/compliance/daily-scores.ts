/** The score at the end of each of the last days, taken while the log is folded, so that each is as the log was then. Pure. */
import { trendsOf, type ComplianceTrends } from './score.ts'

const DAY_MS = 24 * 60 * 60_000

export type DailyScores = {
  /** To be called before what happened at a moment (ms since the epoch) is folded. */
  before(at: number): void
  /** Everything is folded. */
  trends(): ComplianceTrends
}

export type DaysAsked = {
  /** How many, today included. */
  readonly days: number
  /** ms since the epoch. */
  readonly now: number
  /** The score of what has been folded so far, as of a moment; `undefined` if nothing has. */
  readonly scoreAt: (at: number) => number | undefined
}

/** Days are those of UTC. */
export function dailyScores({ days, now, scoreAt }: DaysAsked): DailyScores {
  const samples: { date: string; score: number }[] = []
  const sample = (day: number, at: number): void => {
    const score = scoreAt(at)
    if (score !== undefined) samples.push({ date: new Date(day * DAY_MS).toISOString().slice(0, 10), score })
  }
  /** The first day that has not been looked at. */
  let next = dayOf(now) - days + 1
  const sampleUntil = (day: number): void => {
    for (; next < day; next += 1) sample(next, (next + 1) * DAY_MS - 1)
  }
  return {
    before: (at) => sampleUntil(Math.min(dayOf(at), dayOf(now))),
    trends() {
      sampleUntil(dayOf(now))
      sample(dayOf(now), now)
      return trendsOf(samples)
    },
  }
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}
