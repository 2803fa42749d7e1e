/** What it cost: booked costs and tokens, and time at work, by session, tree, role, agent, day, or what it was for. */
import { billingBreakdown, type BillingBreakdown, type Range } from '../billing/billable-hours.ts'
import { createLedger } from '../billing/ledger.ts'
import { createRateCard, DEFAULT_HOURLY_RATES } from '../billing/rate-card.ts'
import { foldFacts, noFacts, type Facts } from '../compliance/facts.ts'
import { countSessions, type SessionMetrics } from '../compliance/session-metrics.ts'
import { lastAlive } from '../upkeep/last-alive.ts'
import { checkedMoment } from './moment.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'
import { bookingKey, chainOf, SPENDING_GROUPS, timesOf, type SpendingGroup } from './spending-groups.ts'
import { NOTHING, SpendingSheet, type SpendingRow, type Spent } from './spending-sheet.ts'
import { growingTree } from './tree.ts'

export type SpendingQuestion = {
  /**
   * Default `session`: the one that pays; a run is a session of its own, unless it works for another. `tree` is the
   * topmost one, with all below it.
   */
  readonly by?: SpendingGroup | undefined
  /** Only what this session or run and all below it spent. */
  readonly within?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Somebody has the log open: work that goes on is counted until now, else until the last sign of life on record. */
  readonly live?: boolean | undefined
  /** ISO 8601. Default: now. */
  readonly now?: string | undefined
  /** USD per hour of a role's time, in place of the default rate. */
  readonly rates?: Readonly<Record<string, number>> | undefined
}

export type Spending = {
  readonly by: SpendingGroup
  readonly total: Spent
  /** The dearest first, time included; days in their order. */
  readonly rows: readonly SpendingRow[]
  /** What the time costs, by kind of session. */
  readonly breakdown: BillingBreakdown
  /** Sessions as they stand, with the runs among them; today in UTC. */
  readonly sessions: SessionMetrics
  /** USD per hour. */
  readonly rates: Readonly<Record<string, number>>
  /** How many sessions and runs the log leaves at work, and until when that is counted; `null` if there are none. */
  readonly going_on: { readonly count: number; readonly counted_until: string } | null
}

/** @throws QueryError `QUERY_INVALID`; BillingError `BILLING_INVALID_PRICE` */
export async function readSpending(
  log: Pick<QueryableLog, 'entries' | 'readAll'>,
  question: SpendingQuestion = {},
  call: QueryCall = {},
): Promise<Spending> {
  const { by = 'session', within, live = false } = question
  if (!SPENDING_GROUPS.includes(by)) throw invalidGroup(by)
  const range = rangeOf(question)
  const now = question.now === undefined ? Date.now() : checkedMoment(question.now, 'now')
  const rates = { ...DEFAULT_HOURLY_RATES, ...question.rates }
  const card = createRateCard(rates)
  const tree = growingTree()
  const facts = noFacts()
  const sheet = new SpendingSheet()
  const belongs = (id: string): boolean =>
    within === undefined || chainOf(tree.state(), id).some((node) => node.id === within)
  const ledger = createLedger({
    onBooking(booking) {
      const { event } = booking
      const at = Date.parse(event.timestamp)
      if (at < range.from || at >= range.to || !belongs(event.stream_id)) return
      sheet.add(bookingKey(by, booking, tree.state()), {
        ...booking,
        bookings: 1,
        ms: 0,
        time_micro_usd: 0,
      })
    },
  })
  let lastEventAt = 0
  for await (const event of log.readAll(reading(call))) {
    tree.take(event)
    foldFacts(facts, event)
    ledger.fold(event)
    // Registering a machine is what an opening does; nobody works by that.
    if (event.event_type !== 'machine.registered') lastEventAt = Date.parse(event.timestamp)
  }
  const working_until = live ? now : Math.min(now, Math.max(lastEventAt, await lastAlive(log)))
  const reckoning = { now: working_until, rates: card }
  const entries = ledger.entries().filter(({ session_id }) => belongs(session_id))
  for (const entry of entries) {
    for (const [key, time] of timesOf(by, entry, { tree: tree.state(), range, reckoning })) {
      if (time.ms > 0) sheet.add(key, { ...NOTHING, ...time })
    }
  }
  const open = entries.filter(({ intervals }) => intervals.at(-1)?.to === null).length
  return {
    by,
    total: sheet.total,
    rows: sheet.rows(by, tree.state()),
    breakdown: billingBreakdown(entries, range, reckoning),
    sessions: metricsOf(facts, { belongs, now }),
    rates,
    going_on: open === 0 ? null : { count: open, counted_until: new Date(working_until).toISOString() },
  }
}

function rangeOf({ since, until }: SpendingQuestion): Range {
  return {
    from: since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since'),
    to: until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until'),
  }
}

function metricsOf(
  { subjects }: Facts,
  { belongs, now }: { readonly belongs: (id: string) => boolean; readonly now: number },
): SessionMetrics {
  const own = [...subjects.values()].filter(({ id }) => belongs(id))
  const counted = own.map(({ kind, status, ended }) => ({
    kind,
    status,
    completion_time: ended === null ? null : new Date(ended.at).toISOString(),
  }))
  return countSessions(counted, { now, utc: true })
}

function invalidGroup(by: string): QueryError {
  return new QueryError('QUERY_INVALID', {
    happened: `Costs cannot be told by "${by}".`,
    expected: `Expected one of ${SPENDING_GROUPS.join(', ')}.`,
    todo: 'Correct `by`.',
    details: { path: 'by' },
  })
}
