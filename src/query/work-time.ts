/** Time at work and what it costs, sorted by whatever a report is about; the parts add up to the ledger's own figures. Pure. */
import { billed, type Range, type Reckoning } from '../billing/billable-hours.ts'
import type { LedgerEntry } from '../billing/ledger.ts'

export type WorkTime = { readonly ms: number; readonly time_micro_usd: number }

const DAY_MS = 24 * 60 * 60_000

/** What one session's time in a range comes to. */
export function workTime(entry: LedgerEntry, range: Range, reckoning: Reckoning): WorkTime {
  const { ms, micro_usd } = billed(entry, range, reckoning)
  return { ms, time_micro_usd: micro_usd }
}

/** The same by the days of UTC that it falls on. */
export function workTimeByDay(
  entry: LedgerEntry,
  { from, to }: Range,
  reckoning: Reckoning,
): Map<string, WorkTime> {
  const days = new Map<string, WorkTime>()
  for (const interval of entry.intervals) {
    const last = Math.min(interval.to ?? reckoning.now, to, reckoning.now)
    for (let day = startOfDay(Math.max(interval.from, from)); day < last; day += DAY_MS) {
      const date = new Date(day).toISOString().slice(0, 10)
      if (days.has(date)) continue
      const part = { from: Math.max(day, from), to: Math.min(day + DAY_MS, to) }
      days.set(date, workTime(entry, part, reckoning))
    }
  }
  return days
}

function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS
}
