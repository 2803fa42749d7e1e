/**
 * Money as whole micro-dollars (1 USD = 1,000,000), so that sums are exact.
 *
 * Rounding: prices are exact (at most six decimals, else refused); a cost is reckoned exactly and rounded once, at
 * its end, to the nearest micro-dollar, halves up. So one cost is off by at most half a micro-dollar.
 */
import { BillingError } from './billing-error.ts'

export type Cost = {
  readonly micro_usd: number
  /** The same in USD, for people; add up `micro_usd` instead. */
  readonly usd: number
}

/** A price in whole micro-dollars. Throws `BILLING_INVALID_PRICE`. */
export function microUsdOf(usd: unknown, path: string): number {
  const micro = typeof usd === 'number' ? Math.round(usd * 1e6) : Number.NaN
  const noise = 4 * Number.EPSILON * Math.max(1, micro / 1e6)
  // 0.1 + 0.2 is 0.30 to whoever wrote it; a seventh decimal is not noise.
  if (Number.isSafeInteger(micro) && micro >= 0 && Math.abs(micro / 1e6 - Number(usd)) <= noise) return micro
  throw new BillingError('BILLING_INVALID_PRICE', {
    happened: `The price at ${path} is ${typeof usd === 'number' ? usd : typeof usd}.`,
    expected: 'Expected an amount of USD, 0 or more, with at most six decimals.',
    todo: 'Correct the price.',
    path,
  })
}

/** A count of tokens or milliseconds. Throws `BILLING_INVALID_USAGE`. */
export function countOf(count: unknown, path: string): bigint {
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return BigInt(count)
  throw new BillingError('BILLING_INVALID_USAGE', {
    happened: `The value at ${path} is ${typeof count === 'number' ? count : typeof count}.`,
    expected: 'Expected a whole number, 0 or more.',
    todo: 'Correct the count; round it up if it was measured in fractions.',
    path,
  })
}

/** `total / per` micro-dollars as a cost, rounded halves up. Throws `BILLING_INVALID_USAGE` beyond 9 billion USD. */
export function costFrom(total: bigint, per: bigint): Cost {
  const micro_usd = Number((2n * total + per) / (2n * per))
  if (Number.isSafeInteger(micro_usd)) return { micro_usd, usd: micro_usd / 1e6 }
  throw new BillingError('BILLING_INVALID_USAGE', {
    happened: 'The cost is too large to be counted in micro-dollars.',
    expected: 'Expected a cost below 9 billion USD.',
    todo: 'Check the unit of the counts and of the prices.',
    path: 'usage',
  })
}
