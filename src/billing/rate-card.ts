/** What an hour of a role's time costs, and from that the cost of an interval. */
import { BillingError } from './billing-error.ts'
import { type Cost, costFrom, countOf, microUsdOf } from './micro-usd.ts'

/** USD per hour, by role. */
export const DEFAULT_HOURLY_RATES = Object.freeze({ orchestrator: 2.5, supervisor: 2.5, workagent: 1 })

export type RateCard = {
  /** The roles that have a rate, in the order they were given. */
  readonly roles: () => readonly string[]
  /**
   * The cost of `ms` milliseconds (rounded to whole ones) of a role's time, rounded once to a micro-dollar,
   * halves up. Add up the milliseconds before, rather than the costs after.
   * Throws `BILLING_UNKNOWN_ROLE` or `BILLING_INVALID_USAGE`.
   */
  readonly costOfTime: (role: string, ms: number) => Cost
}

const MS_PER_HOUR = 3_600_000n

/** A rate card, USD per hour by role. Throws `BILLING_INVALID_PRICE`. */
export function createRateCard(rates: Readonly<Record<string, number>> = DEFAULT_HOURLY_RATES): RateCard {
  const perHour = new Map(
    Object.entries(rates).map(([role, usd]) => [role, BigInt(microUsdOf(usd, `rates.${role}`))]),
  )
  return {
    roles: () => [...perHour.keys()],
    costOfTime: (role, ms) => {
      const rate = perHour.get(role) ?? refuseRole(role, [...perHour.keys()])
      return costFrom(countOf(Math.round(ms), 'ms') * rate, MS_PER_HOUR)
    },
  }
}

const defaultCard = createRateCard()

/** As `RateCard.costOfTime`, with the default rates. */
export function costOfTime(role: string, ms: number): Cost {
  return defaultCard.costOfTime(role, ms)
}

function refuseRole(role: string, known: readonly string[]): never {
  throw new BillingError('BILLING_UNKNOWN_ROLE', {
    happened: `There is no hourly rate for the role "${role}".`,
    expected: `Expected one of: ${known.join(', ')}.`,
    todo: 'Add the role to the rate card, or correct its name.',
    path: 'role',
    details: { role, known },
  })
}
