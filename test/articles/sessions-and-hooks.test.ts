/** The article's code for sessions, hooks, billing and health, run as printed. */
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { defineAgent, defineTool, startSession, type Session } from '../../src/index.ts'
import { calls, work } from './orchestration/app.ts'
import { load } from './printed-code.ts'
import { play, scene } from './scene.ts'

const stage = scene()
const DAY = 24 * 60 * 60_000

describe('named sessions (O-061, O-065, O-070, O-071)', () => {
  test('a session is started, named, checkpointed, and resumed by its name days and a restart later (O-089)', async () => {
    const { nameASession } = await load('05-name-a-session')
    const { resumeByName } = await load('06-resume-by-name')
    const first = await stage.open()
    let id = ''
    await first.run(async () => {
      const session: Session = await nameASession()
      id = session.id
      await first.sessions.pause(session)
    })
    await first.clock.advance(5 * DAY)
    await using second = await first.restart()
    const session: Session = await play(second, resumeByName)
    expect(session).toMatchObject({
      id,
      name: 'redesign-component-library-phase1',
      tags: ['feature:redesign', 'priority:high', 'phase:components'],
      status: 'active',
      phase: 'Type safety & accessibility',
      blockers: [],
    })
    expect(session.completed_steps).toHaveLength(3)
    expect(session.next_steps).toEqual([
      '1. Add TypeScript strict mode',
      '2. Implement ARIA labels',
      '3. Create Storybook documentation',
    ])
    // The scope that resumed it has ended it.
    expect((await second.sessions.get(id)).status).toBe('completed')
  })

  test('are filtered by status and tags, and the stale ones found (O-095, O-096, O-099)', async () => {
    const { filterSessions } = await load('07-filter-sessions')
    await using runtime = await stage.open()
    const start = (name: string, tags: string[]) => runtime.sessions.start({ role: 'supervisor', name, tags })
    await start('old', ['feature:redesign'])
    const done = await start('done', ['security'])
    await runtime.sessions.end(done)
    const now = vi.spyOn(Date, 'now').mockImplementation(() => runtime.clock.now())
    try {
      await runtime.clock.advance(7 * DAY)
      await start('new', ['feature:redesign', 'security'])
      expect((await play(runtime, filterSessions)).staleSessions).toEqual([])
      await runtime.clock.advance(1)
      const { activeSessions, securityWork, staleSessions } = await play(runtime, filterSessions)
      const names = (list: { name: string }[]): string[] => list.map(({ name }) => name)
      expect([names(activeSessions), names(securityWork), names(staleSessions)]).toEqual([
        ['old', 'new'],
        ['done', 'new'],
        ['old'],
      ])
    } finally {
      now.mockRestore()
    }
  })

  test('a session is started with its id, role and time (O-063)', async () => {
    const { startASession } = await load('16-start-a-session')
    await using runtime = await stage.open()
    const session = await play(runtime, startASession)
    expect(stage.lines[0]).toMatchObject({
      message: 'Session started',
      fields: { session_id: session.id, role: 'supervisor', start_time: '2030-01-01T00:00:00.000Z' },
    })
  })

  test('at 90 % a handoff is written, the session pauses and billing stops; weeks later it goes on (O-064, O-112, O-113)', async () => {
    const { pauseAndResume } = await load('17-pause-and-resume')
    await using runtime = await stage.open()
    const { sessions } = runtime
    const session = await sessions.start({ role: 'supervisor', name: 'component-build-phase2' })
    await runtime.clock.advance(60 * 60_000)
    await sessions.reportContext(session, { context_tokens: 90_000, context_window: 100_000 })
    const resumed = await runtime.run(async () => {
      // The scope's own session is the one that is nearly full.
      await (
        await import('../../src/index.ts')
      ).resumeNamedSession({ session_name: 'component-build-phase2' })
      return pauseAndResume(await sessions.get(session), async () => {
        await runtime.clock.advance(0)
        expect((await sessions.get(session)).status).toBe('paused')
        await runtime.clock.advance(21 * DAY)
      })
    })
    expect(resumed).toMatchObject({ id: session.id, status: 'active', phase: 'Building form components' })
    const billed = await runtime.billing.calculateBillableHours({
      start_date: '2030-01-01',
      end_date: '2030-01-31',
    })
    expect(billed.by_role.supervisor).toMatchObject({ hours: 1, cost: 2.5 })
  })

  test('the lifecycle as one object: start, name, checkpoint, pause, resume from both sources, end (O-103 to O-110)', async () => {
    const { lifecycle } = await load('15-session-lifecycle')
    await using runtime = await stage.open()
    const [first, second] = await runtime.run(async () => {
      const one: Session = await lifecycle.start('supervisor')
      await lifecycle.nameSession('life', ['a:b'])
      await lifecycle.generateHandoff('supervisor_continuation', { next_steps: 'x' })
      await lifecycle.pause('lunch')
      expect((await runtime.sessions.get(one)).status).toBe('paused')
      await lifecycle.resume('named_session')
      expect((await runtime.sessions.get(one)).status).toBe('active')
      const two: Session = await lifecycle.resume('handoff')
      await lifecycle.end('exit')
      return [one, two]
    })
    expect(await runtime.sessions.get(first)).toMatchObject({ status: 'completed', continued_in: second.id })
    expect(await runtime.sessions.get(second)).toMatchObject({
      status: 'completed',
      end_reason: 'exit',
      continues: first.id,
      name: 'life',
      next_steps: ['x'],
    })
  })

  test('a session without a name is an issue once it has ended, one with a name is none (O-119)', async () => {
    const { forgetTheName } = await load('23-unnamed-session-bad')
    const { alwaysName } = await load('24-unnamed-session-good')
    await using runtime = await stage.open()
    const bad = await play(runtime, forgetTheName)
    await play(runtime, alwaysName)
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    expect(issues.filter(({ rule }) => rule === 'unnamed_session').map(({ subject }) => subject)).toEqual([
      bad.id,
    ])
    expect((await runtime.sessions.byName('auth-implementation-phase2'))?.tags).toEqual([
      'feature:auth',
      'priority:high',
      'phase:two',
    ])
  })
})

describe('long work (O-120, O-121)', () => {
  const atMinutes = async (minutes: number, name: string, file: string) => {
    const module = await load(file)
    const runtime = await stage.open()
    const now = vi.spyOn(Date, 'now').mockImplementation(() => runtime.clock.now())
    work.each = () => runtime.clock.advance(minutes * 60_000)
    const session = await runtime.run(async () => {
      const { id } = await startSession({ role: 'supervisor', name: file })
      await module[name]()
      return id
    })
    now.mockRestore()
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    const entry = await runtime.sessions.get(session)
    await runtime.close()
    return {
      entry,
      broken: issues.filter(({ rule }) => rule === 'no_checkpoint').map(({ subject }) => subject),
    }
  }

  test('with a checkpoint every 30 minutes can go on from the last one, and is none of the issues', async () => {
    const { entry, broken } = await atMinutes(6, 'doLongWorkWithCheckpoints', '28-no-checkpoints-good')
    expect(calls).toHaveLength(100)
    expect(entry.handoff?.context).toMatchObject({
      work_completed: 'Processed 96 of 100 items',
      next_steps: 'Continue from item 96',
    })
    // The checkpoint comes after more than 30 minutes, the reminder at 30: the article's loop is late by one item.
    expect(broken).toEqual([entry.id])
  })

  test('without any is reminded, and is an issue', async () => {
    const { entry, broken } = await atMinutes(2, 'doLongWork', '27-no-checkpoints-bad')
    expect(entry.handoff).toBeNull()
    expect(broken).toEqual([entry.id])
  })
})

describe('hooks (O-130, O-144, O-150, O-152, O-157, O-158, O-161)', () => {
  const input = z.record(z.string(), z.unknown())
  const tool = (name: string) =>
    defineTool({
      name,
      capabilities: [name],
      input,
      estimate: () => 0,
      inDoubt: 'retry',
      execute: async () => `${name} ran`,
    })
  const tools = ['execute:api', 'execute:database:delete', 'execute:database:schema'].map(tool)
  const caller = defineAgent('caller', async (ctx, wanted) => {
    const { name, parameters } = wanted as { name: string; parameters: Record<string, unknown> }
    const found = tools.find((one) => one.name === name)
    return found && ctx.tool(found, parameters)
  })

  test.each([
    ['execute:api', { cost: 5 }, undefined],
    ['execute:api', { cost: 5.01 }, 'Operation costs $5.01, exceeds $5.00 limit for workagent'],
    ['execute:database:delete', { force: true }, 'Destructive operations require human approval'],
    ['execute:database:delete', {}, undefined],
  ])('%s with %j: %s', async (name, parameters, reason) => {
    const { registerHooks } = await load('11-register-hooks')
    const providers = { estimateOperationCost: (_tool: string, { cost = 0 }) => cost }
    await using runtime = await stage.open({ agents: [caller], tools, providers })
    const registry = registerHooks(runtime.agents)
    expect(registry.names()).toEqual(['cost-control', 'destructive-ops', 'security-audit'])
    const run = await runtime.agents.startById({ agent_id: 'caller', input: { name, parameters } })
    const { output } = await run.result()
    expect(JSON.stringify(output.value ?? output.errors?.[0])).toContain(reason ?? `${name} ran`)
    expect(stage.lines.some((line) => line.message === 'Tool execution blocked by permission hook')).toBe(
      reason !== undefined,
    )
  })

  test('the permissive hook is an issue after 20 questions without a no, the granular ones are not (O-162, O-163, O-164)', async () => {
    const { permissiveHook } = await load('25-permissive-hook-bad')
    const { dataProtectionHook } = await load('26-permissive-hook-good')
    const asker = defineAgent('asker', async (ctx) => {
      for (let n = 0; n < 20; n += 1) await ctx.tool(tools[0]!, { n })
      return ctx.tool(tools[1]!, {})
    })
    const hooks = { permissive: permissiveHook, 'data-protection': dataProtectionHook }
    await using runtime = await stage.open({ agents: [asker], tools, hooks })
    const { output } = await (await runtime.agents.startById({ agent_id: 'asker' })).result()
    expect(output.errors?.[0]).toContain('Destructive operations require human approval')
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    expect(issues.filter(({ rule }) => rule === 'permissive_hook').map(({ subject }) => subject)).toEqual([
      'permissive',
    ])
  })
})

describe('metrics and health', () => {
  test('session metrics count each kind apart (O-224, O-225, O-229, O-097, X-6)', async () => {
    const { collectMetrics } = await load('31-session-metrics')
    const idle = defineAgent('idle', () => new Promise<never>(() => {}))
    await using runtime = await stage.open({ agents: [idle], startAt: Date.now() })
    const start = (name: string) => runtime.sessions.start({ role: 'supervisor', name })
    for (const name of ['a', 'b', 'c']) await start(name)
    for (let n = 0; n < 5; n += 1) await runtime.agents.startById({ agent_id: 'idle' })
    await runtime.sessions.pause(await start('d'))
    for (let n = 0; n < 8; n += 1) await runtime.sessions.end(await start(`e${n}`))
    await runtime.clock.advance(10)
    const expected = { active_foreground: 3, active_background: 5, paused: 1, completed_today: 8 }
    expect(await play(runtime, collectMetrics)).toEqual(expected)
    expect(await runtime.compliance.sessionMetrics()).toEqual(expected)
  })

  test('the billing summary (O-226, O-228)', async () => {
    const { summarizeBilling } = await load('32-billing-summary')
    await using runtime = await stage.open({ startAt: '2026-01-02T08:00:00Z' })
    const session = await runtime.sessions.start({ role: 'orchestrator' })
    await runtime.clock.advance(2.5 * 60 * 60_000)
    await runtime.sessions.end(session)
    const { billing, backgroundBreakdown } = await play(runtime, summarizeBilling)
    expect(billing.by_role.orchestrator).toMatchObject({ hours: 2.5, cost: 6.25 })
    expect(backgroundBreakdown).toMatchObject({ foreground_cost: 6.25, background_cost: 0, total_cost: 6.25 })
    expect(stage.lines.map((line) => line.message)).toEqual(['Billing summary', 'Foreground vs background'])
  })

  test('score, trend, stale sessions, watchdog (O-177, O-220, O-221, O-222, O-223)', async () => {
    const { checkHealth } = await load('33-compliance-and-health')
    await using runtime = await stage.open({ project: 'shop' })
    await runtime.sessions.start({ role: 'supervisor', name: 'forgotten' })
    await runtime.clock.advance(8 * DAY)
    const { compliance, trends, stale } = await play(runtime, checkHealth)
    expect(compliance.score).toBeLessThan(100)
    expect(compliance.issues.map(({ rule }: { rule: string }) => rule)).toEqual([
      'no_checkpoint',
      'stale_session',
    ])
    expect(trends).toMatchObject({ highest: 85, lowest: 80, improving: false })
    expect(stale).toMatchObject([{ project: 'shop', sessions: [{ name: 'forgotten' }] }])
    // It is this process's own: nobody's orphan.
    expect((await runtime.sessions.byName('forgotten'))?.status).toBe('active')
  })
})
