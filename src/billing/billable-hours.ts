/** Reports over the ledger: hours and their cost by role and session, in the foreground and the background. Pure. */
import type { Role } from '../../machines/session-record.ts'
import { BillingError } from './billing-error.ts'
import { timeAtWork, type LedgerEntry } from './ledger.ts'
import type { RateCard } from './rate-card.ts'

export type HoursAndCost = {
  readonly hours: number
  /** USD. */
  readonly cost: number
  readonly ms: number
  /** The same cost in whole micro-dollars: these add up exactly. */
  readonly micro_usd: number
}

export type BillableHours = {
  readonly by_role: Readonly<Record<Role, HoursAndCost>>
  /** Left out of a summary. */
  readonly by_session?: readonly (HoursAndCost & { readonly session_id: string; readonly role: Role })[]
  readonly total_hours: number
  /** USD. */
  readonly total_cost: number
  readonly total_micro_usd: number
}

export type BillingBreakdown = {
  /** USD each. */
  readonly foreground_cost: number
  readonly background_cost: number
  readonly total_cost: number
  /** The background's share of the cost; 0 if nothing was billed. */
  readonly parallelization_efficiency: number
  readonly foreground_micro_usd: number
  readonly background_micro_usd: number
  readonly total_micro_usd: number
}

/** From the first moment of one UTC day to the last of another, in ms since the epoch. */
export type Range = { readonly from: number; readonly to: number }

const DAY_MS = 24 * 60 * 60_000

/** @throws BillingError `BILLING_INVALID_RANGE` */
export function dayRange(input: { readonly start_date: string; readonly end_date: string }): Range {
  const from = dayStart(input.start_date, 'start_date')
  const to = dayStart(input.end_date, 'end_date') + DAY_MS
  if (to <= from) throw badRange('end_date', input.end_date, 'is before start_date')
  return { from, to }
}

/**
 * What a session's time in a range costs: what it had cost at the range's end, less what it had cost at its start.
 * So the parts of a time add up to the whole, wherever it is cut.
 */
export function billed(
  entry: Pick<LedgerEntry, 'intervals' | 'role'>,
  range: Range,
  { now, rates }: Reckoning,
): { ms: number; micro_usd: number } {
  const until = (moment: number): number => timeAtWork(entry.intervals, Math.min(moment, now))
  const [before, after] = [until(range.from), until(range.to)]
  const cost = (ms: number): number => rates.costOfTime(entry.role, ms).micro_usd
  return { ms: after - before, micro_usd: cost(after) - cost(before) }
}

export type Reckoning = {
  /** Until when what is still open is counted; ms since the epoch. */
  readonly now: number
  readonly rates: RateCard
}

export function billableHours(
  entries: readonly LedgerEntry[],
  range: Range,
  options: Reckoning & { readonly format?: 'detailed' | 'summary' },
): BillableHours {
  const sessions = entries
    .map((entry) => ({ entry, ...billed(entry, range, options) }))
    .filter(({ ms }) => ms > 0)
  const sumOf = (role?: Role): { ms: number; micro_usd: number } => {
    const own = sessions.filter(({ entry }) => role === undefined || entry.role === role)
    return {
      ms: own.reduce((sum, { ms }) => sum + ms, 0),
      micro_usd: own.reduce((sum, { micro_usd }) => sum + micro_usd, 0),
    }
  }
  const total = hoursAndCost(sumOf())
  return {
    by_role: {
      orchestrator: hoursAndCost(sumOf('orchestrator')),
      supervisor: hoursAndCost(sumOf('supervisor')),
      workagent: hoursAndCost(sumOf('workagent')),
    },
    ...(options.format !== 'summary' && {
      by_session: sessions.map(({ entry, ...part }) => ({
        session_id: entry.session_id,
        role: entry.role,
        ...hoursAndCost(part),
      })),
    }),
    total_hours: total.hours,
    total_cost: total.cost,
    total_micro_usd: total.micro_usd,
  }
}

export function billingBreakdown(
  entries: readonly LedgerEntry[],
  range: Range,
  options: Reckoning,
): BillingBreakdown {
  const costOf = (kind: LedgerEntry['kind']): number =>
    entries
      .filter((entry) => entry.kind === kind)
      .reduce((sum, entry) => sum + billed(entry, range, options).micro_usd, 0)
  const [foreground, background] = [costOf('foreground'), costOf('background')]
  const total = foreground + background
  return {
    foreground_cost: foreground / 1e6,
    background_cost: background / 1e6,
    total_cost: total / 1e6,
    parallelization_efficiency: total === 0 ? 0 : background / total,
    foreground_micro_usd: foreground,
    background_micro_usd: background,
    total_micro_usd: total,
  }
}

function hoursAndCost({ ms, micro_usd }: { ms: number; micro_usd: number }): HoursAndCost {
  return { hours: ms / 3_600_000, cost: micro_usd / 1e6, ms, micro_usd }
}

function dayStart(date: unknown, path: string): number {
  const ms =
    typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN
  if (Number.isFinite(ms) && new Date(ms).toISOString().startsWith(String(date))) return ms
  throw badRange(path, date, 'is no date')
}

function badRange(path: string, value: unknown, why: string): BillingError {
  return new BillingError('BILLING_INVALID_RANGE', {
    happened: `${path} ${why}: ${JSON.stringify(value)}.`,
    expected: 'Expected two UTC dates such as 2026-01-01, the second not before the first.',
    todo: 'Correct the date; nothing was reckoned.',
    path,
  })
}
