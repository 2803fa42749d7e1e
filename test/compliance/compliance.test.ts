/** The protocol's rules point at the events that show what broke them; trends, stale projects and the watchdog go by the log. */
import { describe, expect, test } from 'vitest'
import { RULES } from '../../src/compliance/rules.ts'
import { trendsOf } from '../../src/compliance/score.ts'
import { defineAgent, isToday, type Issue, type PermissionHook } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { allEvents } from '../agents/project-folder.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const idle = defineAgent('idle', () => new Promise<never>(() => {}))

const issuesOf = async (runtime: TestRuntime): Promise<readonly Issue[]> =>
  (await runtime.compliance.checkProtocolCompliance()).issues
const rulesOf = async (runtime: TestRuntime): Promise<string[]> =>
  (await issuesOf(runtime)).map(({ rule }) => rule)

async function named(runtime: TestRuntime, name: string): Promise<string> {
  const { id } = await runtime.sessions.start({ role: 'supervisor', name })
  await runtime.sessions.handOff({ from: id, to: id }, { type: 'supervisor_continuation', context: {} })
  return id
}

describe('checkProtocolCompliance (O-220)', () => {
  test('weights add up to 100; a project that does it right, and an empty one, score 100', async () => {
    expect(RULES.reduce((sum, { weight }) => sum + weight, 0)).toBe(100)
    await using runtime = await createTestRuntime()
    expect(await runtime.compliance.checkProtocolCompliance()).toEqual({
      score: 100,
      issues: [],
      recommendations: [],
    })
    await runtime.sessions.end(await named(runtime, 'right'))
    expect(await runtime.compliance.checkProtocolCompliance()).toEqual({
      score: 100,
      issues: [],
      recommendations: [],
    })
  })

  test('every issue names events that are in the log, of the subject it is about', async () => {
    const yes: PermissionHook = { triggers: ['*'], validate: () => ({ allowed: true }) }
    await using runtime = await createTestRuntime({ agents: [idle], hooks: { yes } })
    const { id } = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.agents.startById({ agent_id: 'idle', parent_id: id })
    for (let n = 0; n < 10; n += 1) {
      await runtime.sessions.pause(id)
      await runtime.sessions.resume(id)
    }
    await runtime.clock.advance(8 * DAY)
    await runtime.sessions.end(id)
    const issues = await issuesOf(runtime)
    expect(issues.map(({ rule }) => rule)).toEqual([
      'fire_and_forget',
      'unnamed_session',
      'permissive_hook',
      'no_checkpoint',
      'missing_handoff',
    ])
    const events = new Map((await allEvents(runtime)).map((event) => [event.event_id, event]))
    for (const { events: refs, fix, weight } of issues) {
      expect(refs.length).toBeGreaterThan(0)
      for (const ref of refs) expect(events.get(ref.event_id)).toMatchObject(ref)
      expect([fix.length > 10, weight > 0]).toEqual([true, true])
    }
  })

  test('a rule costs its weight times the share of those that break it; the dearest advice comes first', async () => {
    await using runtime = await createTestRuntime()
    await named(runtime, 'one')
    const bad = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.pause(bad)
    const { score, issues, recommendations } = await runtime.compliance.checkProtocolCompliance()
    expect(issues.map(({ rule, subject }) => [rule, subject])).toEqual([
      ['unnamed_session', bad.id],
      ['missing_handoff', bad.id],
    ])
    // 10 for one of two sessions without a name, 10 for the only one that stopped without a handoff.
    expect(score).toBe(100 - 5 - 10)
    expect(recommendations[0]).toContain('handoff')
  })

  test('is about one project, if it is asked about one', async () => {
    await using runtime = await createTestRuntime({ project: 'mine' })
    await runtime.sessions.end(await runtime.sessions.start({ role: 'supervisor', project: 'theirs' }))
    expect((await runtime.compliance.checkProtocolCompliance('mine')).issues).toEqual([])
    expect((await runtime.compliance.checkProtocolCompliance('theirs')).issues).toHaveLength(2)
  })

  test('a session without a checkpoint for 30 minutes is an issue that names its reminders (O-120)', async () => {
    await using runtime = await createTestRuntime()
    const { id } = await runtime.sessions.start({ role: 'supervisor', name: 'n' })
    await runtime.clock.advance(30 * MINUTE)
    const [issue] = await issuesOf(runtime)
    const reminder = (await allEvents(runtime)).find(
      ({ event_type }) => event_type === 'session.checkpoint_due',
    )
    expect(issue).toMatchObject({
      rule: 'no_checkpoint',
      subject: id,
      events: [{ event_id: reminder?.event_id }],
    })
  })

  test('an agent nobody looked at is an issue when its parent has ended, or after seven days (O-054)', async () => {
    const quick = defineAgent('quick', () => 1)
    await using runtime = await createTestRuntime({ agents: [quick] })
    const parent = await named(runtime, 'parent')
    const run = await runtime.agents.startById({ agent_id: 'quick', parent_id: parent })
    await runtime.clock.advance(20 * MINUTE)
    expect(await rulesOf(runtime)).toEqual([])
    await runtime.clock.advance(7 * DAY)
    expect(await rulesOf(runtime)).toContain('fire_and_forget')
    await runtime.agents.result({ agent_id: run.run_id })
    expect(await rulesOf(runtime)).not.toContain('fire_and_forget')
  })
})

describe('getComplianceTrends (O-221)', () => {
  test('is the score at the end of each day, as the log was then', async () => {
    await using runtime = await createTestRuntime()
    const bad = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.pause(bad)
    await runtime.clock.advance(2 * DAY)
    await runtime.sessions.end(await named(runtime, 'good'))
    await runtime.clock.advance(1 * DAY)
    const trends = await runtime.compliance.getComplianceTrends({ days: 30 })
    expect(trends.samples.map(({ date }) => date)).toEqual([
      '2030-01-01',
      '2030-01-02',
      '2030-01-03',
      '2030-01-04',
    ])
    expect(trends.samples.map(({ score }) => score)).toEqual([80, 80, 90, 90])
    expect(trends).toMatchObject({ average: 85, highest: 90, lowest: 80, improving: true })
    expect((await runtime.compliance.getComplianceTrends({ days: 2 })).samples).toHaveLength(2)
  })

  test.each([
    [[], false],
    [[90], false],
    [[80, 80], false],
    [[80, 90], true],
    [[90, 80, 90], false],
    [[80, 100, 90], true],
  ])('of %j improves: %s', (scores, improving) => {
    expect(trendsOf(scores.map((score) => ({ date: '', score }))).improving).toBe(improving)
  })
})

describe('checkStaleProjects (O-222)', () => {
  test('projects with an open session and no activity for more than seven days', async () => {
    await using runtime = await createTestRuntime()
    const start = (project: string) => runtime.sessions.start({ role: 'supervisor', project, name: project })
    const stale = await start('stale')
    await runtime.sessions.end(await start('done'))
    const busy = await start('busy')
    await runtime.clock.advance(7 * DAY)
    expect(await runtime.compliance.checkStaleProjects()).toEqual([])
    await runtime.sessions.progress(busy, { percent: 1 })
    await runtime.clock.advance(1)
    expect(await runtime.compliance.checkStaleProjects()).toEqual([
      {
        project: 'stale',
        last_activity: '2030-01-01T00:00:00.000Z',
        sessions: [{ id: stale.id, name: 'stale', last_activity: '2030-01-01T00:00:00.000Z' }],
      },
    ])
  })
})

describe('runWatchdog (O-223)', () => {
  test('interrupts sessions of a process that is gone, bills them to its last sign of life, and only once', async () => {
    const first = await createTestRuntime({ agents: [idle] })
    const orphan = await named(first, 'orphan')
    const attended = await first.sessions.start({ role: 'supervisor', name: 'attended' })
    const run = await first.agents.startById({ agent_id: 'idle', session_id: attended.id })
    const paused = await named(first, 'paused')
    await first.sessions.pause(paused)
    await first.clock.advance(10 * MINUTE)
    const ended: string[] = []
    await using second = await first.restart({
      onSessionEnd: ({ session_id }) => void ended.push(session_id),
    })
    await second.clock.advance(5 * 60 * MINUTE)
    const mine = await named(second, 'mine')
    expect(await rulesOf(second)).toEqual(expect.arrayContaining(['orphaned_session', 'billing_gap']))
    const reports = await Promise.all([second.compliance.runWatchdog(), second.compliance.runWatchdog()])
    expect(new Set(reports.flatMap(({ recovered }) => recovered))).toEqual(new Set([orphan]))
    expect(reports[0]).toMatchObject({ failed: [], requeued: [run.run_id], parked: [] })
    expect(await second.compliance.runWatchdog()).toMatchObject({ recovered: [], failed: [] })
    const statuses = await Promise.all(
      [orphan, attended.id, paused, mine].map(async (id) => (await second.sessions.get(id)).status),
    )
    expect(statuses).toEqual(['paused', 'active', 'paused', 'active'])
    expect(ended).toEqual([orphan])
    expect(await second.billing.sessionEnds(orphan)).toMatchObject([
      { reason: 'interrupted', duration_ms: 10 * MINUTE },
    ])
    expect((await second.sessions.resume(orphan)).status).toBe('active')
  })

  test("a hook's no keeps an orphan, and is reported; nothing is thrown", async () => {
    const first = await createTestRuntime()
    const orphan = await named(first, 'orphan')
    const no: PermissionHook = {
      triggers: ['session:pause'],
      validate: () => ({ allowed: false, reason: 'keep it' }),
    }
    await using second = await first.restart({ hooks: { no } })
    const { failed } = await second.compliance.runWatchdog()
    expect(failed).toMatchObject([{ id: orphan }])
    expect(failed[0]?.reason).toContain('keep it')
  })
})

test('isToday goes by the day of this process, or of UTC (O-225)', () => {
  const now = Date.parse('2030-01-02T00:30:00Z')
  const at = (text: string) => isToday(new Date(text), { now, utc: true })
  expect([at('2030-01-02T23:59:59Z'), at('2030-01-01T23:59:59Z'), at('nonsense')]).toEqual([
    true,
    false,
    false,
  ])
  expect(isToday(new Date())).toBe(true)
})
