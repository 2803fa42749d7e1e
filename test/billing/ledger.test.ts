/** Time and money from the log: opened and closed by lifecycle events, counted once, and every part adds up to the whole. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { billableHours, billingBreakdown, dayRange } from '../../src/billing/billable-hours.ts'
import { createLedger, type Ledger, type LedgerEntry } from '../../src/billing/ledger.ts'
import { createPriceBook } from '../../src/billing/price-book.ts'
import { createRateCard } from '../../src/billing/rate-card.ts'
import { sessionEndEvent, trackingLine } from '../../src/billing/tracking-line.ts'
import { defineAgent, startBackgroundAgent, startSession } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { allEvents } from '../agents/project-folder.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const rates = createRateCard()

const end = {
  event_id: 'e',
  position: 9,
  session_id: 'sess_abc123',
  role: 'supervisor',
  project: 'p',
  start_time: '2026-01-05T13:16:00.000Z',
  end_time: '2026-01-05T14:23:00.000Z',
  duration_ms: 67 * 60_000,
  before_ms: 0,
  tokens_used: 42_000,
  cost_micro_usd: 12_600_000,
  reason: 'completed',
} as const

describe('a line of the tracking file', () => {
  test('is the one that the article prints, byte for byte (O-117, O-118)', () => {
    expect(trackingLine(end)).toBe(
      '{"timestamp":"2026-01-05T14:23:00Z","session_id":"sess_abc123","role":"supervisor","duration_minutes":67,"tokens_used":42000,"estimated_cost":12.60,"reason":"completed"}',
    )
    expect(JSON.parse(trackingLine(end))).toMatchObject({ estimated_cost: 12.6 })
    // $0.30 for a thousand tokens.
    const book = createPriceBook([{ model: 'm', input_usd_per_million: 300, output_usd_per_million: 300 }])
    expect(book.costOf({ model: 'm', input_tokens: 40_000, output_tokens: 2_000 }).micro_usd).toBe(
      end.cost_micro_usd,
    )
  })

  test.each([
    [0, '0.00'],
    [1, '0.000001'],
    [125, '0.000125'],
    [10_000, '0.01'],
    [1_234_500, '1.2345'],
    [100_000_000, '100.00'],
  ])('writes %d micro-dollars as %s', (cost_micro_usd, text) => {
    expect(trackingLine({ ...end, cost_micro_usd })).toContain(`"estimated_cost":${text},`)
  })

  test('comes from the article’s event, with its eight fields (O-116)', () => {
    expect(Object.keys(sessionEndEvent(end)).toSorted()).toEqual(
      [
        'session_id',
        'role',
        'start_time',
        'end_time',
        'duration_ms',
        'tokens_used',
        'estimated_cost',
        'reason',
      ].toSorted(),
    )
  })
})

describe('intervals (O-064, O-110, ruling 7)', () => {
  test('are opened and closed by the lifecycle, over a pause of weeks; each end covers the time since the one before', async () => {
    await using runtime = await createTestRuntime()
    const { sessions, clock, billing } = runtime
    const session = await sessions.start({ role: 'supervisor' })
    await clock.advance(1 * HOUR)
    await sessions.spend(session, { usd: 1, tokens: 100 })
    await sessions.pause(session)
    await clock.advance(21 * DAY)
    await sessions.resume(session)
    await clock.advance(2 * HOUR)
    await sessions.end(session, { reason: 'interrupted' })
    await sessions.resume(session)
    await clock.advance(0.5 * HOUR)
    await sessions.spend(session, { usd: 0.5, tokens: 50 })
    await sessions.end(session)
    expect(await billing.sessionEnds(session.id)).toMatchObject([
      { reason: 'interrupted', duration_ms: 3 * HOUR, tokens_used: 100, estimated_cost: 1 },
      { reason: 'completed', duration_ms: 0.5 * HOUR, tokens_used: 50, estimated_cost: 0.5 },
    ])
    expect(
      (await billing.calculateBillableHours({ start_date: '2030-01-01', end_date: '2030-01-31' }))
        .total_hours,
    ).toBe(3.5)
  })

  test('the reasons of ends: completed, exit, interrupted; of runs as well (O-114, O-115, X-7)', async () => {
    const seen: string[] = []
    const agents = [
      defineAgent('good', () => 1),
      defineAgent('bad', () => {
        throw new Error('no luck')
      }),
      defineAgent('slow', () => new Promise<never>(() => {})),
    ]
    await using runtime = await createTestRuntime({
      agents,
      onSessionEnd: ({ reason }) => void seen.push(reason),
    })
    const ended = async (reason?: 'completed' | 'exit' | 'interrupted') => {
      const session = await runtime.sessions.start({ role: 'supervisor' })
      await runtime.sessions.end(session, reason === undefined ? {} : { reason })
    }
    await ended('exit')
    await ended('interrupted')
    await ended()
    await expect(
      runtime.run(async () => {
        await startSession({ role: 'supervisor' })
        throw new Error('/exit was not asked')
      }),
    ).rejects.toThrow('/exit')
    await (await runtime.agents.startById({ agent_id: 'good' })).result()
    await (await runtime.agents.startById({ agent_id: 'bad' })).result()
    const run = await runtime.agents.startById({ agent_id: 'slow' })
    await run.cancel()
    await runtime.billing.sessionEnds()
    expect(seen).toEqual([
      'exit',
      'interrupted',
      'completed',
      'interrupted',
      'completed',
      'interrupted',
      'exit',
    ])
  })

  test('a run has a ledger of its own; one that works for a session has that one’s (O-022)', async () => {
    const spender = defineAgent('spender', async (ctx) => {
      await ctx.spend({ usd: 0.25, tokens: 5, what: 'call' })
      return 1
    })
    await using runtime = await createTestRuntime({ agents: [spender] })
    const session = await runtime.sessions.start({ role: 'workagent' })
    await (await runtime.agents.startById({ agent_id: 'spender', session_id: session.id })).result()
    const own = await runtime.agents.startById({ agent_id: 'spender' })
    await own.result()
    expect(await runtime.billing.sessionEnds(session.id)).toMatchObject([
      { tokens_used: 5, estimated_cost: 0.25 },
    ])
    expect(await runtime.billing.sessionEnds(own.run_id)).toMatchObject([
      { tokens_used: 5, role: 'workagent' },
    ])
    expect(await runtime.billing.sessionEnds()).toHaveLength(2)
  })

  test('time in which no process was there is not billed (O-223)', async () => {
    const first = await createTestRuntime()
    const session = await first.sessions.start({ role: 'supervisor' })
    await first.clock.advance(HOUR)
    await using second = await first.restart()
    await second.clock.advance(5 * HOUR)
    await second.sessions.progress(session.id, { percent: 50 })
    await second.clock.advance(HOUR)
    await second.sessions.end(session.id)
    // It closed after an hour, and was taken up again five hours later.
    expect(await second.billing.sessionEnds()).toMatchObject([{ duration_ms: 2 * HOUR }])
  })

  test('a replayed log gives the same ledger, in one pass or several, and a repeated booking counts once (X-13)', async () => {
    await using runtime = await createTestRuntime({
      agents: [defineAgent('a', async (ctx) => ctx.spend({ usd: 1 }))],
    })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await (await runtime.agents.startById({ agent_id: 'a' })).result()
    await runtime.clock.advance(HOUR)
    await runtime.sessions.spend(session, { usd: 2, spend_id: 'once' })
    await runtime.sessions.end(session)
    const events = await allEvents(runtime)
    const fold = (...parts: RecordedEvent[][]): Ledger => {
      const ledger = createLedger()
      for (const part of parts) for (const event of part) ledger.fold(event)
      return ledger
    }
    const whole = fold(events)
    expect(fold(events.slice(0, 5), events.slice(5)).entries()).toEqual(whole.entries())
    const booking = events.find(({ event_type }) => event_type === 'session.spent')!
    const again = fold(events.slice(0, -1), [{ ...booking, event_id: 'other' }])
    expect(again.entry(session.id)?.cost_micro_usd).toBe(2_000_000)
  })
})

describe('reports', () => {
  const interval = fc
    .tuple(fc.integer({ min: 0, max: 20 * DAY }), fc.integer({ min: 0, max: 3 * DAY }))
    .map(([from, length]) => ({ from, to: from + length }))
  const entry: fc.Arbitrary<LedgerEntry> = fc.record({
    session_id: fc.uuid(),
    kind: fc.constantFrom('foreground' as const, 'background' as const),
    role: fc.constantFrom('orchestrator' as const, 'supervisor' as const, 'workagent' as const),
    project: fc.constant('p'),
    parent_id: fc.constant(null),
    intervals: fc.array(interval, { maxLength: 4 }),
    tokens_used: fc.nat(),
    cost_micro_usd: fc.nat(),
  })
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

  test('every way to cut the time, the roles, the sessions and the kinds adds up to the same total (O-226, O-228)', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 12 }),
        fc.integer({ min: 1, max: 24 * DAY }),
        (entries, cut) => {
          const now = 30 * DAY
          const all = billableHours(entries, { from: 0, to: now }, { now, rates })
          const parts = [
            billableHours(entries, { from: 0, to: cut }, { now, rates }),
            billableHours(entries, { from: cut, to: now }, { now, rates }),
          ]
          const kinds = billingBreakdown(entries, { from: 0, to: now }, { now, rates })
          const roles = Object.values(all.by_role)
          expect(sum(roles.map((role) => role.micro_usd))).toBe(all.total_micro_usd)
          expect(sum((all.by_session ?? []).map((one) => one.micro_usd))).toBe(all.total_micro_usd)
          expect(sum(parts.map((part) => part.total_micro_usd))).toBe(all.total_micro_usd)
          expect(kinds.foreground_micro_usd + kinds.background_micro_usd).toBe(all.total_micro_usd)
          expect(kinds.total_micro_usd).toBe(all.total_micro_usd)
          expect(sum(roles.map((role) => role.ms))).toBe(sum((all.by_session ?? []).map((one) => one.ms)))
        },
      ),
    )
  })

  const hours = (role: LedgerEntry['role'], kind: LedgerEntry['kind'], length: number): LedgerEntry => ({
    session_id: `${role}-${kind}`,
    kind,
    role,
    project: 'p',
    parent_id: null,
    intervals: [{ from: 0, to: Math.round(length * HOUR) }],
    tokens_used: 0,
    cost_micro_usd: 0,
  })

  test('the article’s example: 87.20 in all (O-227)', () => {
    const entries = [
      hours('orchestrator', 'foreground', 2.5),
      hours('supervisor', 'foreground', 18.3),
      hours('workagent', 'background', 35.2),
    ]
    const report = billableHours(entries, { from: 0, to: 5 * DAY }, { now: 5 * DAY, rates })
    expect(report).toMatchObject({
      by_role: {
        orchestrator: { hours: 2.5, cost: 6.25 },
        supervisor: { hours: 18.3, cost: 45.75 },
        workagent: { hours: 35.2, cost: 35.2 },
      },
      total_cost: 87.2,
    })
    expect(
      billableHours(entries, { from: 0, to: DAY }, { now: DAY, rates, format: 'summary' }).by_session,
    ).toBeUndefined()
    expect(billingBreakdown(entries, { from: 0, to: 5 * DAY }, { now: 5 * DAY, rates })).toMatchObject({
      foreground_cost: 52,
      background_cost: 35.2,
      total_cost: 87.2,
      parallelization_efficiency: 35.2 / 87.2,
    })
  })

  test('nothing billed is no division by nothing (O-228)', () => {
    expect(billingBreakdown([], { from: 0, to: DAY }, { now: DAY, rates }).parallelization_efficiency).toBe(0)
  })

  test('the last day is included, in UTC, and time is split at its edges (O-226)', async () => {
    await using runtime = await createTestRuntime({ startAt: '2026-01-05T23:00:00Z' })
    await runtime.sessions.start({ role: 'orchestrator' })
    await runtime.clock.advance(3 * HOUR)
    const hoursOf = async (start_date: string, end_date: string): Promise<number> =>
      (await runtime.billing.calculateBillableHours({ start_date, end_date })).total_hours
    expect(await hoursOf('2026-01-01', '2026-01-05')).toBe(1)
    expect(await hoursOf('2026-01-06', '2026-01-06')).toBe(2)
    expect(await hoursOf('2026-01-01', '2026-01-06')).toBe(3)
  })

  test.each(['2026-02-30', 'yesterday', '2026-1-1', ''])('refuses %j as a date', (date) => {
    expect(() => dayRange({ start_date: date, end_date: '2026-03-01' })).toThrow(
      expect.objectContaining({ code: 'BILLING_INVALID_RANGE', path: 'start_date' }),
    )
    expect(() => dayRange({ start_date: '2026-03-02', end_date: '2026-03-01' })).toThrow(
      expect.objectContaining({ code: 'BILLING_INVALID_RANGE', path: 'end_date' }),
    )
  })
})

test('a child started in passing is billed to itself', async () => {
  const agents = [defineAgent('a', async (ctx) => ctx.spend({ usd: 1, tokens: 3 }))]
  await using runtime = await createTestRuntime({ agents })
  await runtime.run(async () => {
    await startSession({ role: 'supervisor' })
    await runtime.agents.wait(await startBackgroundAgent({ agent_id: 'a' }), { timeout: 5000 })
  })
  expect((await runtime.billing.sessionEnds()).map(({ role, tokens_used }) => [role, tokens_used])).toEqual([
    ['workagent', 3],
    ['supervisor', 0],
  ])
})
