/** What models cost: USD per million tokens, and from that the cost of one call. The caller counts the tokens. */
import { BillingError } from './billing-error.ts'
import { type Cost, costFrom, countOf, microUsdOf } from './micro-usd.ts'

/** USD per million tokens, with at most six decimals. */
export type ModelPrice = {
  readonly model: string
  readonly input_usd_per_million: number
  readonly output_usd_per_million: number
}

export type TokenUsage = {
  readonly model: string
  readonly input_tokens: number
  readonly output_tokens: number
}

export type PriceBook = {
  /** The models that have a price, in the order they were given. */
  readonly models: () => readonly string[]
  /**
   * The cost of one call: both parts added exactly, then rounded once to a micro-dollar, halves up.
   * Throws `BILLING_UNKNOWN_MODEL` or `BILLING_INVALID_USAGE`.
   */
  readonly costOf: (usage: TokenUsage) => Cost
}

const MILLION = 1_000_000n

/** A price book. Throws `BILLING_INVALID_PRICE` for a bad price, a missing name, or a model that stands twice. */
export function createPriceBook(entries: readonly ModelPrice[]): PriceBook {
  const prices = new Map<string, { readonly input: bigint; readonly output: bigint }>()
  for (const [index, entry] of entries.entries()) {
    const path = `entries[${index}]`
    if (typeof entry.model !== 'string' || entry.model === '' || prices.has(entry.model)) {
      throw new BillingError('BILLING_INVALID_PRICE', {
        happened: `The model at ${path}.model is ${JSON.stringify(entry.model)}, which is no name or stands twice.`,
        expected: 'Expected one entry per model, with its name.',
        todo: 'Correct or remove the entry.',
        path: `${path}.model`,
      })
    }
    prices.set(entry.model, {
      input: BigInt(microUsdOf(entry.input_usd_per_million, `${path}.input_usd_per_million`)),
      output: BigInt(microUsdOf(entry.output_usd_per_million, `${path}.output_usd_per_million`)),
    })
  }
  return {
    models: () => [...prices.keys()],
    costOf: ({ model, input_tokens, output_tokens }) => {
      const price = prices.get(model) ?? refuseModel(model, [...prices.keys()])
      const input = countOf(input_tokens, 'input_tokens') * price.input
      const output = countOf(output_tokens, 'output_tokens') * price.output
      return costFrom(input + output, MILLION)
    },
  }
}

function refuseModel(model: string, known: readonly string[]): never {
  throw new BillingError('BILLING_UNKNOWN_MODEL', {
    happened: `There is no price for the model "${model}".`,
    expected: known.length > 0 ? `Expected one of: ${known.join(', ')}.` : 'The price book is empty.',
    todo: 'Add the model to the price book, or correct its name.',
    path: 'model',
    details: { model, known },
  })
}
