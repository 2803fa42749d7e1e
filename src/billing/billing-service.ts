/** Billing with explicit arguments: what was worked and spent, by role, session and kind, over the ledger. */
import type { Clock } from '../runtime/clock.ts'
import {
  billableHours,
  billingBreakdown,
  dayRange,
  type BillableHours,
  type BillingBreakdown,
} from './billable-hours.ts'
import type { Ledger } from './ledger.ts'
import type { RateCard } from './rate-card.ts'
import { sessionEndEvent, type SessionEndEvent } from './tracking-line.ts'

export type BillingQuery = {
  /** UTC date such as `2026-01-01`. */
  readonly start_date: string
  /** UTC date; the day itself is included. */
  readonly end_date: string
  /** Only this project; default all of them. */
  readonly project?: string
}

export interface BillingService {
  /** Hours at work and their cost by role. @throws BillingError `BILLING_INVALID_RANGE` */
  calculateBillableHours(
    input: BillingQuery & { readonly format?: 'detailed' | 'summary' },
  ): Promise<BillableHours>
  /** The same cost by kind of session. @throws BillingError `BILLING_INVALID_RANGE` */
  getBackgroundBillingBreakdown(input: BillingQuery): Promise<BillingBreakdown>
  /** Every end of a session, or of one session, in the order of the log. */
  sessionEnds(session_id?: string): Promise<SessionEndEvent[]>
}

export function createBillingService(parts: {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly rates: RateCard
  /** Resolves when the ledger holds all that is on disk. */
  readonly caughtUp: () => Promise<unknown>
}): BillingService {
  const { ledger, clock, rates, caughtUp } = parts
  const entriesOf = (project: string | undefined) =>
    ledger.entries().filter((entry) => project === undefined || entry.project === project)
  return {
    async calculateBillableHours({ format = 'detailed', project, ...dates }) {
      const range = dayRange(dates)
      await caughtUp()
      return billableHours(entriesOf(project), range, { now: clock.now(), rates, format })
    },
    async getBackgroundBillingBreakdown({ project, ...dates }) {
      const range = dayRange(dates)
      await caughtUp()
      return billingBreakdown(entriesOf(project), range, { now: clock.now(), rates })
    },
    async sessionEnds(session_id) {
      await caughtUp()
      return ledger
        .ends()
        .filter((end) => session_id === undefined || end.session_id === session_id)
        .map(sessionEndEvent)
    },
  }
}
