/** The typed error for a price, a rate or a usage that cannot be reckoned with. */
import type { ErrorStory } from '../runtime/runtime-error.ts'

/**
 * - `BILLING_UNKNOWN_MODEL`: the price book has no price for a model.
 * - `BILLING_UNKNOWN_ROLE`: the rate card has no rate for a role.
 * - `BILLING_INVALID_PRICE`: a price or a rate is not an amount of USD, or stands twice.
 * - `BILLING_INVALID_RANGE`: a report was asked for dates that are none, or in the wrong order.
 * - `BILLING_INVALID_USAGE`: a count of tokens or milliseconds is not one, or costs more than can be counted.
 */
export type BillingErrorCode =
  | 'BILLING_INVALID_PRICE'
  | 'BILLING_INVALID_RANGE'
  | 'BILLING_INVALID_USAGE'
  | 'BILLING_UNKNOWN_MODEL'
  | 'BILLING_UNKNOWN_ROLE'

/** Tell these apart by `code`. */
export class BillingError extends Error {
  override readonly name: string = 'BillingError'
  readonly code: BillingErrorCode
  /** Where the offending value stands, like `entries[2].input_usd_per_million`. */
  readonly path: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: BillingErrorCode, story: ErrorStory & { readonly path: string }) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.path = story.path
    this.details = story.details ?? {}
  }
}
