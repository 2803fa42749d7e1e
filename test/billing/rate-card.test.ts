/** The rate card reckons the cost of a role's time. */
import { expect, it } from 'vitest'
import { costOfTime, createRateCard } from '../../src/billing/rate-card.ts'

const HOUR = 3_600_000

it.each([
  ['orchestrator', 2.5, 6.25],
  ['supervisor', 18.3, 45.75],
  ['workagent', 35.2, 35.2],
])('O-227 %s: %d hours cost $%d', (role, hours, usd) => {
  expect(costOfTime(role, Math.round(hours * HOUR)).usd).toBe(usd)
})

it('O-227 the total of the article is $87.20', () => {
  const total = [
    costOfTime('orchestrator', 2.5 * HOUR),
    costOfTime('supervisor', 18.3 * HOUR),
    costOfTime('workagent', 35.2 * HOUR),
  ].reduce((sum, cost) => sum + cost.micro_usd, 0)
  expect(total).toBe(87_200_000)
})

it('X-5 rounds once, halves up, to a micro-dollar', () => {
  const card = createRateCard({ r: 1.8 })
  expect([0, 1, 2, 3].map((ms) => card.costOfTime('r', ms).micro_usd)).toEqual([0, 1, 1, 2])
})

it('X-5 rates can be set', () => {
  const card = createRateCard({ reviewer: 4 })
  expect(card.roles()).toEqual(['reviewer'])
  expect(card.costOfTime('reviewer', HOUR)).toEqual({ micro_usd: 4_000_000, usd: 4 })
})

it.each(['stranger', 'constructor'])('X-5 refuses the unknown role %s, with the known ones', (role) => {
  expect(() => costOfTime(role, 1)).toThrow(
    expect.objectContaining({
      code: 'BILLING_UNKNOWN_ROLE',
      details: { role, known: ['orchestrator', 'supervisor', 'workagent'] },
    }),
  )
})

it('X-5 refuses a bad rate and a bad time', () => {
  expect(() => createRateCard({ r: -1 })).toThrow(
    expect.objectContaining({ code: 'BILLING_INVALID_PRICE', path: 'rates.r' }),
  )
  expect(() => costOfTime('workagent', -1)).toThrow(
    expect.objectContaining({ code: 'BILLING_INVALID_USAGE', path: 'ms' }),
  )
})
