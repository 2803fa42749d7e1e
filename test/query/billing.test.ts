/** What a log alone says of time and money is what the runtime that wrote it says: one ledger, one reckoning. */
import { describe, expect, test } from 'vitest'
import { createLogQuery, createRateCard, defineAgent, type Spending } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { SPENDING_GROUPS } from '../../src/query/spending-groups.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const RATES = { orchestrator: 4, supervisor: 2.5, workagent: 0.333333 }

const working = defineAgent('working', async (ctx) => {
  await ctx.spend({ usd: 0.0125, tokens: 1200, what: 'plan' })
  await ctx.step('think', () => new Promise<never>(() => {}))
})
const quick = defineAgent('quick', async (ctx) => {
  await ctx.spend({ usd: 0.002, tokens: 150, what: 'report' })
  return 1
})
/** Works for a session: its time and what it spends are that session's. */
const hands = defineAgent('hands', (ctx) => ctx.spend({ usd: 0.5, tokens: 7, what: 'talk' }))

/** Sessions and runs that were paused, resumed, ended and left at work, over several days. */
async function busy(): Promise<TestRuntime> {
  const runtime = await createTestRuntime({
    agents: [working, quick, hands],
    rates: createRateCard(RATES),
    project: 'shop',
  })
  const { sessions, agents, clock } = runtime
  const lead = await sessions.start({ role: 'orchestrator', name: 'lead' })
  await clock.advance(50 * MINUTE)
  await sessions.spend(lead, { usd: 1.25, tokens: 10 })
  const { run_id } = await agents.startById({ agent_id: 'quick', parent_id: lead.id })
  await agents.wait(run_id)
  const helped = await sessions.start({ role: 'supervisor', parent_id: lead.id })
  const attending = await agents.startById({ agent_id: 'hands', session_id: helped.id })
  await agents.wait(attending.run_id)
  await sessions.pause(lead)
  await clock.advance(30 * HOUR)
  await sessions.resume(lead)
  const long = await agents.startById({ agent_id: 'working', parent_id: lead.id })
  await expect.poll(async () => (await sessions.get(long.run_id)).status).toBe('active')
  await clock.advance(47 * MINUTE + 123)
  const done = await sessions.start({ role: 'supervisor', project: 'other' })
  await clock.advance(7 * MINUTE)
  await sessions.end(done)
  await clock.advance(11 * MINUTE)
  return runtime
}

const asked = (runtime: TestRuntime, question: object = {}): Promise<Spending> =>
  createLogQuery(runtime.store).billing({
    rates: RATES,
    live: true,
    now: new Date(runtime.clock.now()).toISOString(),
    ...question,
  })
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

describe('billing from the log (O-226, O-227, O-228)', () => {
  test('of each range of days is what calculateBillableHours says, by role and by session', async () => {
    await using runtime = await busy()
    const today = runtime.clock.now()
    const ranges = [
      [today - 72 * HOUR, today],
      [today, today],
      [today - 24 * HOUR, today - 24 * HOUR],
      [today - 48 * HOUR, today - 24 * HOUR],
    ] as const
    let billed = 0
    for (const [from, to] of ranges) {
      const dates = { start_date: day(from), end_date: day(to) }
      const ours = await runtime.billing.calculateBillableHours(dates)
      const range = { since: `${dates.start_date}T00:00:00Z`, until: `${day(to + 24 * HOUR)}T00:00:00Z` }
      const byRole = await asked(runtime, { by: 'role', ...range })
      expect(byRole.total).toMatchObject({
        ms: Math.round(ours.total_hours * HOUR),
        time_micro_usd: ours.total_micro_usd,
      })
      for (const [role, { ms, micro_usd }] of Object.entries(ours.by_role)) {
        const row = byRole.rows.find(({ key }) => key === role)
        expect([role, row?.ms ?? 0, row?.time_micro_usd ?? 0]).toEqual([role, ms, micro_usd])
      }
      const bySession = await asked(runtime, { by: 'session', ...range })
      const worked = bySession.rows.filter(({ ms }) => ms > 0)
      expect(
        Object.fromEntries(worked.map(({ key, ms, time_micro_usd }) => [key, [ms, time_micro_usd]])),
      ).toEqual(
        Object.fromEntries(
          ours.by_session?.map(({ session_id, ms, micro_usd }) => [session_id, [ms, micro_usd]]) ?? [],
        ),
      )
      expect(byRole.breakdown).toEqual(await runtime.billing.getBackgroundBillingBreakdown(dates))
      billed += ours.total_micro_usd
    }
    expect(billed).toBeGreaterThan(0)
  })

  test('counts the sessions as sessionMetrics does', async () => {
    await using runtime = await busy()
    const metrics = await runtime.compliance.sessionMetrics({ utc: true })
    expect(metrics).toMatchObject({ active_foreground: 1, active_background: 1, completed_today: 1 })
    expect((await asked(runtime)).sessions).toEqual(metrics)
  })

  test('books what each session spent as its ends say, also of sessions without an agent', async () => {
    await using runtime = await busy()
    const ends = await runtime.billing.sessionEnds()
    expect(ends.length).toBeGreaterThan(2)
    const { rows, total } = await asked(runtime)
    for (const end of ends) {
      const row = rows.find(({ key }) => key === end.session_id)
      expect([row?.tokens ?? 0, row?.cost_micro_usd ?? 0]).toEqual([
        end.tokens_used,
        end.estimated_cost * 1e6,
      ])
      expect(row?.ms ?? 0).toBe(end.duration_ms)
    }
    expect(total).toMatchObject({ bookings: 4, tokens: 1367, cost_micro_usd: 1_764_500 })
  })

  test('adds up to the same however it is grouped, and wherever the time is cut', async () => {
    await using runtime = await busy()
    const { total } = await asked(runtime)
    for (const by of SPENDING_GROUPS) {
      const { rows, ...rest } = await asked(runtime, { by })
      expect(rest.total).toEqual(total)
      for (const field of ['ms', 'time_micro_usd', 'cost_micro_usd', 'tokens', 'bookings'] as const) {
        expect([by, field, rows.reduce((sum, row) => sum + row[field], 0)]).toEqual([by, field, total[field]])
      }
    }
    const cut = new Date(runtime.clock.now() - 25 * HOUR - 17).toISOString()
    const [before, after] = [await asked(runtime, { until: cut }), await asked(runtime, { since: cut })]
    expect(before.total.ms).toBeGreaterThan(0)
    expect(before.total.ms + after.total.ms).toBe(total.ms)
    expect(before.total.time_micro_usd + after.total.time_micro_usd).toBe(total.time_micro_usd)
    expect(before.total.cost_micro_usd + after.total.cost_micro_usd).toBe(total.cost_micro_usd)
  })

  test('counts what was left at work until the last sign of life, where nobody has the log open', async () => {
    await using runtime = await busy()
    const live = await asked(runtime)
    expect(live.going_on?.count).toBe(2)
    const dead = await asked(runtime, { live: false, now: '2099-01-01T00:00:00Z' })
    const last = Date.parse(dead.going_on?.counted_until ?? '')
    expect(last).toBeLessThan(runtime.clock.now())
    // Two are at work, and nothing has happened since.
    expect(live.total.ms - dead.total.ms).toBe(2 * (runtime.clock.now() - last))
  })

  test('refuses a rate that is no price', async () => {
    await using runtime = await createTestRuntime()
    await expect(asked(runtime, { rates: { supervisor: -1 } })).rejects.toMatchObject({
      code: 'BILLING_INVALID_PRICE',
    })
  })
})
