/** The article's roles and both complete templates, run as printed: an orchestrator, its supervisors, their work agents. */
import { describe, expect, test } from 'vitest'
import { defineAgent, defineRole, loadHandoff, type SessionEntry } from '../../src/index.ts'
import type { TestRuntime } from '../../src/testing/index.ts'
import { allEvents } from '../agents/project-folder.ts'
import { calls, failing } from './orchestration/app.ts'
import { load } from './printed-code.ts'
import { scene } from './scene.ts'

const stage = scene()

const feature = {
  slug: 'checkout',
  name: 'Checkout',
  description: 'A checkout in one page',
  requirements: ['one form', 'no reloads'],
  files: ['src/checkout.ts'],
  acceptance_criteria: ['a test buys something'],
  priority: 'high' as const,
}
const providers = { runIntegrationTests: () => ({ passed: true, passed_count: 7, total_count: 7 }) }

/** Does what it is handed, and says which file it changed. */
const worker = defineAgent('work-*', async (ctx) => {
  const order = await loadHandoff('supervisor_to_workagent')
  ctx.log(order['work_assignment'])
  return { metrics: { steps: order['work_steps'].length }, code_changes: [{ file: `${ctx.agent_id}.ts` }] }
})

const settled = async (runtime: TestRuntime): Promise<SessionEntry[]> => {
  const deadline = Date.now() + 20_000
  for (;;) {
    await runtime.clock.advance(0)
    const open = (await runtime.agents.list()).filter(({ end_time }) => end_time === undefined)
    if (open.length === 0) return runtime.sessions.list({ status: 'all', named: false })
    if (Date.now() > deadline)
      throw new Error(`still at work: ${open.map(({ agent_id }) => agent_id).join()}`)
  }
}

describe('both complete templates together (O-190 to O-217, X-2 to X-4)', () => {
  test('a feature goes from the backlog through a supervisor and two work agents back to the orchestrator (O-192 to O-198, O-200, O-205 to O-212, O-215)', async () => {
    const { runOrchestratorSession } = await load('19-orchestrator-template')
    const { runSupervisorSession } = await load('20-supervisor-template')
    await using runtime = await stage.open({
      agents: [worker],
      roles: [defineRole('supervisor', runSupervisorSession)],
      providers,
    })
    await runtime.portfolio.addToBacklog(feature, 'portfolio')
    await runtime.run(runOrchestratorSession)
    const sessions = await settled(runtime)
    expect(sessions.map(({ role, kind, name, status }) => [role, kind, name, status])).toEqual([
      ['orchestrator', 'foreground', null, 'completed'],
      ['supervisor', 'foreground', 'feature-checkout', 'completed'],
      ['supervisor', 'background', null, 'completed'],
      ['workagent', 'background', null, 'completed'],
      ['workagent', 'background', null, 'completed'],
    ])
    expect(sessions[1]?.tags).toEqual(
      expect.arrayContaining(['feature:checkout', 'priority:high', 'role:supervisor']),
    )
    const handoffs = await runtime.sessions.listHandoffs()
    expect(
      handoffs.map(({ type, state, from, to }) => [
        type,
        state,
        roleOf(sessions, from),
        roleOf(sessions, to),
      ]),
    ).toEqual([
      ['orchestrator_to_supervisor', 'claimed', 'orchestrator', 'supervisor'],
      ['supervisor_to_workagent', 'claimed', 'supervisor', 'workagent'],
      ['supervisor_to_workagent', 'claimed', 'supervisor', 'workagent'],
      ['supervisor_to_orchestrator', 'waiting', 'supervisor', 'orchestrator'],
    ])
    // The k-th assignment has gone to the k-th agent.
    const logs = await Promise.all(
      ['work-one-form', 'work-no-reloads'].map((agent_id) =>
        runtime.agents.result({ agent_id, include_output: true }),
      ),
    )
    expect(logs.map(({ output }) => output.logs[0])).toEqual([
      '1. Implement: one form\n2. Test: one form\n3. Report what was done',
      '1. Implement: no reloads\n2. Test: no reloads\n3. Report what was done',
    ])
    const report = (await runtime.sessions.get(sessions[0]!.id)).handoff
    expect(report?.context).toMatchObject({
      feature: feature.description,
      status: 'completed',
      metrics: { files_modified: 2, tests_passed: 7, tests_total: 7 },
    })
    expect(stage.lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'Orchestrator session started',
        'Spawning supervisor for feature',
        'Supervisor session started',
        'Feature decomposed',
        'Waiting for work agents',
        'Feature complete',
      ]),
    )
  })

  test.each([
    [
      '1 work agents failed',
      {
        agents: [
          defineAgent('work-one-form', () => {
            throw new Error('no luck')
          }),
          worker,
        ],
        providers,
      },
    ],
    [
      'Integration tests failed',
      {
        agents: [worker],
        providers: { runIntegrationTests: () => ({ passed: false, passed_count: 6, total_count: 7 }) },
      },
    ],
  ])('a failure is handed on: "%s" (O-199, O-213, O-214, O-216)', async (why, options) => {
    const { runOrchestratorSession } = await load('19-orchestrator-template')
    const { runSupervisorSession } = await load('20-supervisor-template')
    await using runtime = await stage.open({
      ...options,
      roles: [defineRole('supervisor', runSupervisorSession)],
    })
    await runtime.portfolio.addToBacklog(feature, 'portfolio')
    await runtime.run(runOrchestratorSession)
    await settled(runtime)
    const supervisor = await runtime.sessions.byName('feature-checkout')
    expect(supervisor?.handoff).toMatchObject({
      type: 'supervisor_continuation',
      context: { blockers: [`Integration failed: ${why}`], current_phase: 'Code review' },
    })
  })

  test('an orchestrator that fails writes a continuation of its own, also after it has started a supervisor (O-199)', async () => {
    const { runOrchestratorSession } = await load('19-orchestrator-template')
    const broken = { backlog: () => Promise.reject(new Error('the tracker is down')) }
    await using runtime = await stage.open({ providers: broken })
    await runtime.run(runOrchestratorSession)
    const [orchestrator] = await runtime.sessions.list({ status: 'all', named: false })
    expect(orchestrator).toMatchObject({ role: 'orchestrator', status: 'completed' })
    expect((await runtime.sessions.get(orchestrator!.id)).handoff).toMatchObject({
      type: 'orchestrator_continuation',
      from: orchestrator!.id,
      context: { blockers: ['the tracker is down'], next_steps: 'Resume after reviewing error' },
    })
  })

  test('a blocked supervisor is told to the team once (O-195, O-201 to O-204)', async () => {
    const { runOrchestratorSession } = await load('19-orchestrator-template')
    await using runtime = await stage.open()
    const { sessions, portfolio } = runtime
    const blocked = await sessions.start({
      role: 'supervisor',
      project: 'portfolio',
      name: 'blocked',
      tags: ['feature:x'],
    })
    const say = (blockers: string[]) =>
      sessions.handOff(
        { from: blocked, to: blocked },
        { type: 'supervisor_continuation', context: { blockers } },
      )
    await say(['no key'])
    await runtime.run(runOrchestratorSession)
    await runtime.run(runOrchestratorSession)
    expect(stage.notices).toEqual(['#blockers blocked is blocked: no key'])
    expect(await portfolio.getProjectBlockers('portfolio')).toMatchObject([
      { session: 'blocked', feature: 'x', blocker: 'no key' },
    ])
    await portfolio.resolveBlocker({ session_id: blocked.id, blocker: 'no key', resolution: 'there it is' })
    expect(await portfolio.getProjectBlockers('portfolio')).toEqual([])
    await runtime.clock.advance(1)
    await say(['no key'])
    expect(await portfolio.getProjectBlockers('portfolio')).toHaveLength(1)
    await runtime.clock.advance(1)
    await say([])
    expect(await portfolio.getProjectBlockers('portfolio')).toEqual([])
  })
})

describe('the shorter flows (O-174 to O-188)', () => {
  test('an orchestrator without a session of its own hands each feature to a supervisor, in order (O-174, O-176, O-180)', async () => {
    const { orchestratePortfolioWork } = await load('12-orchestrate-portfolio-work')
    await using runtime = await stage.open({ project: 'portfolio' })
    for (const slug of ['one', 'two'])
      await runtime.portfolio.addToBacklog({ ...feature, slug, description: slug })
    await runtime.portfolio.addToBacklog({ ...feature, slug: 'later', priority: 'low' })
    await runtime.run(orchestratePortfolioWork)
    const named = await runtime.sessions.list()
    expect(named.map(({ name, status }) => [name, status])).toEqual([
      ['implement-one', 'active'],
      ['implement-two', 'active'],
    ])
    const given = await Promise.all(
      named.map(({ id }) => runtime.sessions.loadHandoff(id, { type: 'orchestrator_to_supervisor', by: id })),
    )
    expect(given.map((handoff) => handoff['objective'])).toEqual(['one', 'two'])
    expect(given[0]).toMatchObject({ success_criteria: feature.acceptance_criteria })
    // Asked again, what is under way is not started again.
    await runtime.run(orchestratePortfolioWork)
    expect(await runtime.sessions.list()).toHaveLength(2)
  })

  test('blocked features are escalated once, and told (O-181, O-182)', async () => {
    const { orchestratePortfolioWork } = await load('12-orchestrate-portfolio-work')
    await using runtime = await stage.open({ project: 'portfolio' })
    const blocked = await runtime.sessions.start({ role: 'supervisor', name: 'b', tags: ['feature:b'] })
    await runtime.sessions.handOff(
      { from: blocked, to: blocked },
      { type: 'supervisor_continuation', context: { blockers: ['no key'] } },
    )
    await runtime.run(orchestratePortfolioWork)
    await runtime.run(orchestratePortfolioWork)
    const escalations = (await allEvents(runtime)).filter(
      ({ event_type }) => event_type === 'blocker.escalated',
    )
    expect(escalations.map(({ payload }) => payload)).toMatchObject([{ feature: 'b', blockers: ['no key'] }])
    expect(stage.notices).toEqual(['#blockers b is blocked: no key'])
  })

  test.each([
    [undefined, 'Feature implementation complete', 'Ready for supervisor review'],
    ['step Test: one form', 'Feature implementation complete', 'Supervisor intervention required'],
  ])(
    'a supervisor and its work agents, when %s fails (O-183 to O-188, O-073)',
    async (bad, message, next) => {
      const { supervisorFeatureFlow } = await load('13-supervisor-feature-flow')
      const { workagentExecution } = await load('14-workagent-execution')
      if (bad !== undefined) failing.add(bad)
      const supervisor = defineAgent({ id: 'sup', role: 'supervisor', run: () => supervisorFeatureFlow() })
      const agents = [supervisor, defineAgent('work-*', () => workagentExecution())]
      await using runtime = await stage.open({ agents, providers })
      const top = await runtime.sessions.start({ role: 'orchestrator' })
      const run = await runtime.agents.startById({ agent_id: 'sup', parent_id: top.id })
      await runtime.sessions.handOff(
        { from: top, to: run.run_id },
        {
          type: 'orchestrator_to_supervisor',
          context: { objective: 'Checkout', requirements: ['one form'] },
        },
      )
      expect((await run.result()).status).toBe('completed')
      expect(stage.lines.map((line) => line.message)).toContain(message)
      const report = await runtime.sessions.loadHandoff(run.run_id, {
        type: 'workagent_completion',
        by: 'test',
      })
      expect(report['next_steps']).toBe(next)
      expect(report['blockers']).toEqual(bad === undefined ? [] : [`${bad} failed`])
      expect(calls.filter((call) => call.startsWith('step'))).toHaveLength(bad === undefined ? 3 : 2)
    },
  )
})

function roleOf(sessions: readonly SessionEntry[], id: string): string | undefined {
  return sessions.find((session) => session.id === id)?.role
}
