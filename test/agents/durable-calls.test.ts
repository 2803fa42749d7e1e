/** A handler with every kind of durable call, its process dead after each event in turn: nothing is done twice, nothing is lost. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  createRuntime,
  defineAgent,
  defineTool,
  generateHandoff,
  loadHandoff,
  nameSession,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, projectFolder } from './project-folder.ts'

const project = projectFolder()

/** The team, writing what it executes into `executed`. */
function team(executed: string[]): Pick<RuntimeOptions, 'agents'> {
  const did = <T>(what: string, value: T): T => {
    executed.push(what)
    return value
  }
  const price = defineTool({
    name: 'price',
    capabilities: ['execute:api:price'],
    input: z.object({ of: z.string() }),
    estimate: () => 0.01,
    inDoubt: 'retry',
    execute: ({ of }) => did(`price of ${of}`, of.length),
  })
  const worker = defineAgent('worker-*', async (ctx) => {
    const order = await loadHandoff('orchestrator_to_workagent')
    const share = await ctx.step('share', () => did(`share ${order['n']}`, order['n'] * 10))
    await generateHandoff({ type: 'workagent_completion', context: { share } })
    return share
  })
  const main = defineAgent({
    id: 'main',
    role: 'orchestrator',
    run: async (ctx) => {
      ctx.log('begins')
      const first = await ctx.step('first', () => did('first', 1))
      const session = await startSession({ role: 'supervisor', project: 'demo' })
      await nameSession({ session_name: 'below', tags: ['phase:one'] })
      await ctx.progress({ phase: 'one', percent: 10 })
      await generateHandoff({ type: 'orchestrator_to_supervisor', context: { objective: 'supervise' } })
      const priced = await ctx.tool(price, { of: 'four' })
      await ctx.spend({ usd: 0.5, tokens: 10 })
      const command = await ctx.command('true', { command: 'true' })
      const runs = ['worker-1', 'worker-2'].map((agent_id) =>
        startBackgroundAgent({ agent_id, task_description: agent_id }),
      )
      for (const n of [1, 2]) await generateHandoff({ type: 'orchestrator_to_workagent', context: { n } })
      const results = await Promise.all(runs.map((run) => waitForBackgroundAgent(run, { timeout: 20_000 })))
      const reports = [await loadHandoff('workagent_completion'), await loadHandoff('workagent_completion')]
      const isNew = await ctx.patch('later')
      const failed = await ctx
        .step('fails', () => did('fails', Promise.reject(new Error('no luck'))))
        .catch((error: Error) => error.message)
      ctx.log('ends')
      return {
        first,
        named: session.id.startsWith('sess_'),
        priced,
        command: command.exit_code,
        shares: results.map((result) => result.output.value),
        reported: reports.map((report) => report['share'] as number).toSorted((a, b) => a - b),
        isNew,
        failed,
      }
    },
  })
  return { agents: [main, worker] }
}

const EXPECTED = {
  first: 1,
  named: true,
  priced: 4,
  command: 0,
  shares: [10, 20],
  reported: [10, 20],
  isNew: true,
  failed: 'no luck',
}
/** Before it, the machines are registered. */
const FIRST_OF_RUN = 4

const EXECUTED = ['fails', 'first', 'price of four', 'share 1', 'share 2']

/** The steps that the log holds as done, by the name under which they are counted. */
async function recordedAsDone(store: EventStore): Promise<Set<string>> {
  const done = new Set<string>()
  for await (const { event_type, payload } of store.readAll()) {
    const { name, output } = payload as { name?: string; output?: number }
    if (event_type === 'tool.succeeded' && output === 4) done.add('price of four')
    if (event_type === 'step.failed') done.add('fails')
    if (event_type !== 'step.completed') continue
    if (name === 'first') done.add('first')
    if (name === 'share') done.add(`share ${Number(output) / 10}`)
  }
  return done
}

/** Runs until the process dies after the event `last`, opens the folder again, and looks at the end. */
async function surviveDeathAfter(last: number, path: string): Promise<void> {
  const disk = await openLevelEventStore({ path: join(path, 'log') })
  const { store, dead } = dieAfter(disk, last)
  const undisturbed = createRuntime({ store, ...team([]), onError: () => {} }).then(async (runtime) => {
    const run = await runtime.agents.startById({ agent_id: 'main', run_id: 'run_main' })
    await run.result({ timeoutMs: 20_000 })
    return 'lived'
  })
  expect(await Promise.race([dead, undisturbed])).toBeUndefined()
  const done = await recordedAsDone(disk)
  await disk.close()

  const executed: string[] = []
  const runtime = await createRuntime({ path, ...team(executed) })
  try {
    // It goes on by itself; only where not even its start was recorded is it started here.
    await runtime.agents.startById({ agent_id: 'main', run_id: 'run_main' })
    await check(runtime, 'run_main')
    expect(executed.filter((what) => done.has(what))).toEqual([])
    expect(executed.toSorted()).toEqual(EXECUTED.filter((what) => !done.has(what)))
  } catch (error) {
    throw new Error(`after a death at event ${last}`, { cause: error })
  } finally {
    await runtime.close()
  }
}

async function check(runtime: Runtime, runId: string): Promise<void> {
  const result = await runtime.agents.wait(runId, { timeout: 20_000 })
  expect(result.output.errors).toBeUndefined()
  expect(result.output.value).toEqual(EXPECTED)
  expect(result.output.logs).toEqual(['begins', 'ends'])
  expect(result.billing).toEqual({ tokens_used: 10, estimated_cost: 0.5, role: 'orchestrator' })
  const runs = await runtime.agents.list()
  expect(runs.map((run) => run.agent_id)).toEqual(['main', 'worker-1', 'worker-2'])
  const sessions = await runtime.sessions.list({ named: false })
  const foreground = sessions.filter((session) => session.kind === 'foreground')
  expect(foreground.map((session) => [session.name, session.role])).toEqual([['below', 'supervisor']])
  const handed = (await allEvents(runtime)).filter((event) => event.event_type.startsWith('handoff.'))
  const count = (type: string): number => handed.filter((event) => event.event_type === type).length
  expect([count('handoff.generated'), count('handoff.received'), count('handoff.claimed')]).toEqual([5, 5, 4])
}

describe('a handler with every kind of durable call', () => {
  test('does each thing once when nothing disturbs it (O-021 to O-050)', async () => {
    const executed: string[] = []
    const runtime = await project.open(team(executed))
    const run = await runtime.agents.startById({ agent_id: 'main' })
    await check(runtime, run.run_id)
    expect(executed.toSorted()).toEqual(EXECUTED)
  })

  test('goes on to the same end, whichever event was the last before its process died', async () => {
    const undisturbed = await project.open(team([]))
    await (await undisturbed.agents.startById({ agent_id: 'main' })).result()
    const events = undisturbed.store.position()
    expect(events).toBeGreaterThan(60)
    const deaths = Array.from({ length: events - FIRST_OF_RUN }, (_, index) => FIRST_OF_RUN + index)
    const next = async (): Promise<void> => {
      for (let last = deaths.shift(); last !== undefined; last = deaths.shift()) {
        await surviveDeathAfter(last, join(project.path(), `died-after-${last}`))
      }
    }
    await Promise.all(Array.from({ length: 6 }, next))
  }, 300_000)
})

test('a run that works for a session ends with it, whichever event was the last before the process died', async () => {
  const options: RuntimeOptions = { agents: [defineAgent('worker', (ctx) => ctx.step('one', () => 1))] }
  const story = async (runtime: Runtime): Promise<void> => {
    await runtime.sessions.start({ role: 'supervisor', session_id: 'sess_1' })
    const run = await runtime.agents.startById({ agent_id: 'worker', session_id: 'sess_1', run_id: 'run_1' })
    await run.result()
  }
  const path = (name: string): string => join(project.path(), name)
  const probe = await createRuntime({ path: path('whole'), ...options })
  await story(probe)
  const events = await allEvents(probe)
  await probe.close()
  expect(events.map(({ payload }) => (payload as { key?: string } | null)?.key)).toContain(
    'session:end:completed:1',
  )
  const first = events.findIndex((event) => event.event_type === 'agent.created')
  for (const { position } of events.slice(first)) {
    const disk = await openLevelEventStore({ path: join(path(`died-${position}`), 'log') })
    const { store, dead } = dieAfter(disk, position)
    void createRuntime({ store, ...options, onError: () => {} }).then(story)
    await dead
    await disk.close()
    const runtime = await createRuntime({ path: path(`died-${position}`), ...options })
    const result = await runtime.agents.wait('run_1', { timeout: 10_000 })
    const { status } = await runtime.sessions.get('sess_1')
    await runtime.close()
    expect([result.status, status], `died at ${position}`).toEqual(['completed', 'completed'])
  }
}, 60_000)
