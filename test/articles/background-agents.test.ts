/** The article's code for background agents, run as printed. */
import { describe, expect, test } from 'vitest'
import {
  defineAgent,
  listBackgroundAgents,
  logger,
  startBackgroundAgent,
  startSession,
} from '../../src/index.ts'
import { calls } from './orchestration/app.ts'
import { load } from './printed-code.ts'
import { play, scene } from './scene.ts'

const stage = scene()
const passed = { metrics: { passed: 12, failed: 0, count: 3 } }
const agent = (id: string, output: unknown = passed) => defineAgent(id, () => output)
const failing = (id: string) =>
  defineAgent(id, () => {
    throw new Error('no luck')
  })

describe('deployWithBackgroundJobs (O-032, O-051)', () => {
  test('deploys when both jobs have completed, and goes on before they have', async () => {
    const { deployWithBackgroundJobs } = await load('01-deploy-with-background-jobs')
    const order: string[] = []
    const slow = defineAgent('integration-tests', async (ctx) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      ctx.log('done')
      order.push(...calls)
      return passed
    })
    await using runtime = await stage.open({ agents: [slow, agent('asset-rebuild')] })
    await runtime.run(deployWithBackgroundJobs)
    expect(order).toEqual(['deployment in_progress'])
    expect(calls).toEqual(['deployment in_progress', 'deployed'])
  })

  test('does not when one has failed', async () => {
    const { deployWithBackgroundJobs } = await load('01-deploy-with-background-jobs')
    await using runtime = await stage.open({ agents: [agent('integration-tests'), failing('asset-rebuild')] })
    await runtime.run(deployWithBackgroundJobs)
    expect(calls).toEqual(['deployment in_progress'])
  })

  test('does not when one hangs: the wait times out, measured from its call, and the job lives on (O-033)', async () => {
    const { deployWithBackgroundJobs } = await load('01-deploy-with-background-jobs')
    const hanging = defineAgent('asset-rebuild', () => new Promise<never>(() => {}))
    await using runtime = await stage.open({ agents: [agent('integration-tests'), hanging] })
    const done = runtime.run(deployWithBackgroundJobs)
    await runtime.clock.advance(299_000)
    await runtime.clock.advance(2_000)
    await done
    expect(calls).toEqual(['deployment in_progress'])
    expect((await runtime.agents.result({ agent_id: 'asset-rebuild' })).state).toBe('running')
  })
})

describe('collecting results (O-048, O-049, O-044)', () => {
  test.each([
    [{ metrics: { passed: 3, failed: 0 } }, 'Tests passed', []],
    [{ metrics: { passed: 3, failed: 1 } }, 'Test failures', ['#general Tests failed - review logs']],
    [null, 'Test failures', ['#general Tests failed - review logs']],
  ])('of %j says "%s"', async (output, message, notices) => {
    const { collectResults } = await load('03-collect-results')
    await using runtime = await stage.open({ agents: [agent('integration-tests', output)] })
    await (await runtime.agents.startById({ agent_id: 'integration-tests' })).result()
    await runtime.run(collectResults)
    expect(stage.lines.map((line) => line.message)).toContain(message)
    expect(stage.notices).toEqual(notices)
  })
})

describe('migrateDatabase (O-029, O-052)', () => {
  const validators = ['schema-validator', 'performance-validator', 'rollback-validator']

  test('migrates when all three validators have passed, started without being awaited', async () => {
    const { migrateDatabase } = await load('04-migrate-database')
    const agents = validators.map((id) => agent(id, { metrics: { passed: true } }))
    await using runtime = await stage.open({ agents })
    await runtime.run(migrateDatabase)
    expect(calls).toEqual(['migrated'])
    expect((await runtime.agents.list()).map(({ agent_id }) => agent_id)).toEqual(validators)
  })

  test('is blocked when one has not', async () => {
    const { migrateDatabase } = await load('04-migrate-database')
    const agents = validators.map((id) => agent(id, { metrics: { passed: id !== 'rollback-validator' } }))
    await using runtime = await stage.open({ agents })
    await expect(runtime.run(migrateDatabase)).rejects.toThrow('Migration blocked by validation failures')
    expect(calls).toEqual([])
  })
})

describe('fire and forget (O-054, O-055)', () => {
  const clean = agent('cleanup', { metrics: { count: 7 } })

  test('is an issue when the session has ended and nobody looked; the result is kept', async () => {
    const { fireAndForget } = await load('21-fire-and-forget-bad')
    await using runtime = await stage.open({ agents: [clean] })
    await runtime.run(async () => {
      const { alwaysName } = await load('24-unnamed-session-good')
      await alwaysName()
      await fireAndForget()
    })
    await runtime.clock.advance(1000)
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    const issue = issues.find(({ rule }) => rule === 'fire_and_forget')
    const [run] = await runtime.agents.list()
    expect(issue).toMatchObject({
      subject: run?.run_id,
      events: [{ stream_id: run?.run_id, version: 1 }, {}],
    })
    expect((await runtime.agents.result({ agent_id: 'cleanup' })).output.metrics).toEqual({ count: 7 })
  })

  test('is none when its result was waited for', async () => {
    const { startAndMonitor } = await load('22-fire-and-forget-good')
    await using runtime = await stage.open({ agents: [clean] })
    await runtime.run(async () => {
      const { alwaysName } = await load('24-unnamed-session-good')
      await alwaysName()
      await startAndMonitor()
    })
    expect(stage.lines.find((line) => line.message === 'Cleanup successful')?.fields).toEqual({
      files_deleted: 7,
    })
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    expect(issues.map(({ rule }) => rule)).not.toContain('fire_and_forget')
  })

  test('a failed clean-up is told', async () => {
    const { startAndMonitor } = await load('22-fire-and-forget-good')
    await using runtime = await stage.open({ agents: [failing('cleanup')] })
    await runtime.run(startAndMonitor)
    expect(stage.notices).toEqual(['#infrastructure File cleanup failed'])
  })
})

describe('waits without a timeout (O-232, X-8)', () => {
  const hanging = defineAgent('hanging', () => new Promise<never>(() => {}))

  test('end after ten minutes, and are an issue', async () => {
    const { waitForEver } = await load('29-no-timeout-bad')
    const { alwaysName } = await load('24-unnamed-session-good')
    await using runtime = await stage.open({ agents: [hanging] })
    const parent = await play(runtime, alwaysName)
    const { run_id } = await runtime.agents.startById({ agent_id: 'hanging', parent_id: parent.id })
    const waiting = runtime.run(() => waitForEver(run_id)) as Promise<{ status: string }>
    await runtime.clock.advance(601_000)
    expect((await waiting).status).toBe('timeout')
    const { issues } = await runtime.compliance.checkProtocolCompliance()
    expect(issues.find(({ rule }) => rule === 'wait_without_timeout')).toMatchObject({ subject: run_id })
  })

  test('with one, a person is asked, and there is a task for them (O-231)', async () => {
    const { waitAWhile } = await load('30-no-timeout-good')
    await using runtime = await stage.open({ agents: [hanging] })
    const { run_id } = await runtime.agents.startById({ agent_id: 'hanging' })
    const waiting = runtime.run(() => waitAWhile(run_id))
    await runtime.clock.advance(601_000)
    await waiting
    expect(stage.notices).toEqual(['#humans Agent exceeded 10-minute limit'])
    const [task] = await runtime.portfolio.humanTasks()
    expect(task).toMatchObject({ message: 'Agent exceeded 10-minute limit', done_at: null })
    await runtime.portfolio.completeTask(task?.task_id ?? '', { answer: 'killed it' })
    expect(await runtime.portfolio.humanTasks()).toMatchObject([{ answer: 'killed it' }])
  })
})

test('four jobs of 8, 5, 3 and 12 minutes take 12 minutes, and another request is served meanwhile (O-001, O-007, O-020)', async () => {
  const clockOf: { clock?: { setTimeout(callback: () => void, ms: number): unknown } } = {}
  const job = (id: string, minutes: number) =>
    defineAgent(id, async () => {
      await new Promise<void>((resolve) => clockOf.clock?.setTimeout(resolve, minutes * 60_000))
      return minutes
    })
  await using runtime = await stage.open({
    agents: [job('tests', 8), job('assets', 5), job('staging', 3), job('e2e', 12), agent('quick')],
  })
  clockOf.clock = runtime.clock
  const runs = await Promise.all(
    ['tests', 'assets', 'staging', 'e2e'].map((agent_id) => runtime.agents.startById({ agent_id })),
  )
  await runtime.clock.advance(6 * 60_000)
  expect((await (await runtime.agents.startById({ agent_id: 'quick' })).result()).status).toBe('completed')
  await runtime.clock.advance(6 * 60_000)
  const results = await Promise.all(runs.map((run) => run.result({ timeoutMs: 0 })))
  expect(results.map(({ status }) => status)).toEqual(Array(4).fill('completed'))
  expect(Math.max(...results.map(({ duration_ms = 0 }) => duration_ms))).toBe(12 * 60_000)
})

test('the logger takes a text and its fields, inside of a scope where the runtime writes (O-217)', async () => {
  await using runtime = await stage.open()
  const error = new Error('no luck')
  await runtime.run(async () => {
    logger.info('one', { a: 1 })
    logger.warn('two')
    logger.error('three', { error })
    logger.error('four', ['a', 'b'])
  })
  expect(stage.lines).toMatchObject([
    { level: 'info', message: 'one', fields: { a: 1 } },
    { level: 'warn', message: 'two', fields: {} },
    { level: 'error', message: 'three', fields: { err: error } },
    { level: 'error', message: 'four', fields: { details: ['a', 'b'] } },
  ])
})

describe('a background agent', () => {
  const waiting = defineAgent('waiting', () => new Promise<never>(() => {}))
  const rich = defineAgent('rich', async (ctx) => {
    ctx.log('one')
    ctx.log('two')
    await ctx.spend({ usd: 0.5, tokens: 7 })
    return { metrics: { a: 1 }, code_changes: [{ file: 'a.ts' }] }
  })

  test('has a result with the fields of the article (O-037, O-039 to O-042, O-045, O-046)', async () => {
    await using runtime = await stage.open({ agents: [rich, waiting] })
    const result = await (await runtime.agents.startById({ agent_id: 'rich' })).result()
    expect(result).toMatchObject({
      agent_id: 'rich',
      status: 'completed',
      start_time: '2030-01-01T00:00:00.000Z',
      end_time: '2030-01-01T00:00:00.000Z',
      duration_ms: 0,
      output: { logs: ['one', 'two'], metrics: { a: 1 }, code_changes: [{ file: 'a.ts' }] },
      billing: { tokens_used: 7, estimated_cost: 0.5, role: 'workagent' },
    })
    const open = await runtime.agents.startById({ agent_id: 'waiting' })
    const now = await runtime.agents.result({ agent_id: open.run_id })
    expect([now.end_time, now.duration_ms, now.status]).toEqual([undefined, undefined, 'running'])
  })

  test('takes its role, project and parent from where it is started, and outlives its parent (O-021, O-028)', async () => {
    await using runtime = await stage.open({ agents: [waiting] })
    const { parent, run } = await runtime.run(async () => {
      const session = await startSession({ role: 'supervisor', project: 'shop' })
      return { parent: session.id, run: await startBackgroundAgent({ agent_id: 'waiting' }) }
    })
    expect((await runtime.sessions.get(parent)).status).toBe('completed')
    expect(await runtime.sessions.get(run)).toMatchObject({
      role: 'workagent',
      project: 'shop',
      parent_id: parent,
      status: 'active',
    })
  })

  test('is listed by its status, of the project that asks (O-050, O-053)', async () => {
    await using runtime = await stage.open({ agents: [rich, waiting] })
    await (await runtime.agents.startById({ agent_id: 'rich' })).result()
    await runtime.agents.startById({ agent_id: 'waiting' })
    await runtime.agents.startById({ agent_id: 'waiting', project: 'elsewhere' })
    await runtime.clock.advance(0)
    await runtime.run(async () => {
      await startSession({ role: 'supervisor' })
      const list = async (filter: object) =>
        (await listBackgroundAgents(filter)).map(({ agent_id }) => agent_id)
      expect(await list({ status_filter: 'running' })).toEqual(['waiting'])
      expect(await list({ status_filter: 'all' })).toEqual(['rich', 'waiting'])
      expect(await list({ status_filter: 'running', project: 'elsewhere' })).toEqual(['waiting'])
      expect(await list({ status_filter: 'failed' })).toEqual([])
    })
  })
})

test('agents need no sessions, sessions no names, names no hooks, and none of them roles with code (O-013)', async () => {
  await using runtime = await stage.open({ agents: [agent('alone')] })
  expect((await (await runtime.agents.startById({ agent_id: 'alone' })).result()).status).toBe('completed')
  const nameless = await runtime.sessions.start({ role: 'workagent' })
  await runtime.sessions.name(nameless, { session_name: 'named-later' })
  await runtime.sessions.pause(nameless)
  expect((await runtime.sessions.resume(nameless)).status).toBe('active')
  expect(runtime.permissions.names()).toEqual([])
})
