/** The price book reckons the cost of tokens exactly. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPriceBook, type ModelPrice } from '../../src/billing/price-book.ts'

const book = createPriceBook([
  { model: 'large', input_usd_per_million: 3, output_usd_per_million: 15 },
  { model: 'small', input_usd_per_million: 0.25, output_usd_per_million: 1.25 },
])

describe('O-145 X-5 costOf', () => {
  it.each([
    ['large', [1_000_000, 1_000_000], 18_000_000],
    ['large', [1200, 300], 8100],
    ['large', [0, 0], 0],
    ['small', [1, 0], 0],
    ['small', [2, 0], 1],
    ['small', [3, 1], 2],
  ] as const)('%s with %j tokens in and out costs %d micro-dollars', (model, [input, output], micro_usd) => {
    const usage = { model, input_tokens: input, output_tokens: output }
    expect(book.costOf(usage)).toEqual({ micro_usd, usd: micro_usd / 1e6 })
  })

  it('is off by at most half a micro-dollar, and never shrinks with more tokens', () => {
    const tokens = fc.nat({ max: 2_000_000_000 })
    fc.assert(
      fc.property(tokens, tokens, (input_tokens, output_tokens) => {
        const { micro_usd } = book.costOf({ model: 'small', input_tokens, output_tokens })
        const exact = BigInt(input_tokens) * 250_000n + BigInt(output_tokens) * 1_250_000n
        const off = BigInt(micro_usd) * 1_000_000n - exact
        expect(off <= 500_000n && off > -500_000n).toBe(true)
        const more = book.costOf({ model: 'small', input_tokens: input_tokens + 1, output_tokens })
        expect(more.micro_usd).toBeGreaterThanOrEqual(micro_usd)
      }),
    )
  })

  it('stays exact where floating point does not', () => {
    const cost = book.costOf({ model: 'large', input_tokens: 9_007_199_253, output_tokens: 600_000_001 })
    expect(cost.micro_usd).toBe(9_007_199_253 * 3 + 600_000_001 * 15)
  })

  it('of an unknown model is refused, with the known ones', () => {
    expect(() => book.costOf({ model: 'larg', input_tokens: 1, output_tokens: 1 })).toThrow(
      expect.objectContaining({
        code: 'BILLING_UNKNOWN_MODEL',
        message: expect.stringContaining('large, small'),
        details: { model: 'larg', known: ['large', 'small'] },
      }),
    )
    expect(() => createPriceBook([]).costOf({ model: 'x', input_tokens: 1, output_tokens: 1 })).toThrow(
      /is empty/,
    )
  })

  it.each([-1, 1.5, Number.NaN, Infinity, '3', 2 ** 60])('refuses the count %j', (count) => {
    expect(() => book.costOf({ model: 'large', input_tokens: 0, output_tokens: count as number })).toThrow(
      expect.objectContaining({ code: 'BILLING_INVALID_USAGE', path: 'output_tokens' }),
    )
  })

  it('refuses a cost beyond what can be counted', () => {
    const usage = { model: 'large', input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 0 }
    expect(() => book.costOf(usage)).toThrow(expect.objectContaining({ code: 'BILLING_INVALID_USAGE' }))
  })
})

describe('createPriceBook', () => {
  const entry = (more: object): ModelPrice => ({
    model: 'm',
    input_usd_per_million: 1,
    output_usd_per_million: 1,
    ...more,
  })

  it('lists its models in order', () => {
    expect(book.models()).toEqual(['large', 'small'])
  })

  it.each([
    [[entry({ input_usd_per_million: -1 })], 'entries[0].input_usd_per_million'],
    [[entry({ output_usd_per_million: Number.NaN })], 'entries[0].output_usd_per_million'],
    [[entry({ output_usd_per_million: '1' })], 'entries[0].output_usd_per_million'],
    [[entry({ input_usd_per_million: 0.0000001 })], 'entries[0].input_usd_per_million'],
    [[entry({ model: '' })], 'entries[0].model'],
    [[entry({}), entry({})], 'entries[1].model'],
  ])('refuses %j at %s', (entries, path) => {
    expect(() => createPriceBook(entries)).toThrow(
      expect.objectContaining({ code: 'BILLING_INVALID_PRICE', path }),
    )
  })

  it('accepts every price with six decimals, and floating-point noise', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_000_000_000 }), (micro) => {
        const priced = createPriceBook([entry({ input_usd_per_million: micro / 1e6 })])
        expect(priced.costOf({ model: 'm', input_tokens: 1_000_000, output_tokens: 0 }).micro_usd).toBe(micro)
      }),
    )
    const noisy = createPriceBook([entry({ input_usd_per_million: 0.1 + 0.2 })])
    expect(noisy.costOf({ model: 'm', input_tokens: 1_000_000, output_tokens: 0 }).usd).toBe(0.3)
  })
})
