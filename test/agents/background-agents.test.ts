/** Background agents through the public doors: start, wait, results, steps, denial, restart. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineAgent,
  defineTool,
  destructiveOperationHook,
  generateHandoff,
  loadHandoff,
  nameSession,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'

let folder: string
let runtime: Runtime | undefined

const open = async (options: RuntimeOptions = {}): Promise<Runtime> => {
  runtime = await createRuntime({ path: join(folder, '.project'), ...options })
  return runtime
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agents-'))
})
afterEach(async () => {
  await runtime?.close()
  runtime = undefined
  await rm(folder, { recursive: true, force: true })
})

describe('a background agent', () => {
  test('runs on its own and its result has the shape of the article (O-025, O-036 to O-047)', async () => {
    const count = defineAgent({
      id: 'count',
      input: z.object({ upTo: z.number() }),
      run: async (ctx, { upTo }) => {
        ctx.log(`counting to ${upTo}`)
        const sum = await ctx.step('sum', () => (upTo * (upTo + 1)) / 2)
        return { metrics: { sum } }
      },
    })
    const { agents } = await open({ agents: [count] })
    const run = await agents.start(count, { input: { upTo: 4 } })
    const result = await run.result()
    expect(result).toMatchObject({
      run_id: run.run_id,
      agent_id: 'count',
      status: 'completed',
      state: 'completed',
      output: { logs: ['counting to 4'], metrics: { sum: 10 } },
      billing: { tokens_used: 0, estimated_cost: 0, role: 'workagent' },
    })
    expect(run.run_id).toMatch(/^run_[0-9a-f-]{36}$/)
  })

  test('hands work down and reports up by the article functions', async () => {
    const worker = defineAgent('work-*', async () => {
      const order = await loadHandoff('supervisor_to_workagent')
      await generateHandoff({
        type: 'workagent_completion',
        context: { work_completed: `did ${order['objective']}` },
      })
      return order['objective']
    })
    const rt = await open({ agents: [worker] })
    const names = await rt.run(async () => {
      const session = await startSession({ role: 'supervisor', project: 'demo' })
      await nameSession({ session_name: 'the-supervisor', tags: ['feature:x'] })
      const ids = [
        startBackgroundAgent({ agent_id: 'work-1', task_description: 'first' }),
        startBackgroundAgent({ agent_id: 'work-2', task_description: 'second' }),
      ]
      await generateHandoff({ type: 'supervisor_to_workagent', context: { objective: 'one' } })
      await generateHandoff({ type: 'supervisor_to_workagent', context: { objective: 'two' } })
      const results = await Promise.all(ids.map((id) => waitForBackgroundAgent(id, { timeout: 5000 })))
      expect(results.map((r) => r.output.value)).toEqual(['one', 'two'])
      return session.id
    })
    const session = await rt.sessions.get(names)
    expect(session).toMatchObject({ name: 'the-supervisor', status: 'completed', project: 'demo' })
  })

  test('a denied tool call does not run, and the denial reaches the handler with its reason and alternatives (O-140, O-141)', async () => {
    let executed = 0
    const remove = defineTool({
      name: 'remove',
      capabilities: ['execute:file:delete'],
      input: z.object({ path: z.string() }),
      inDoubt: 'ask',
      execute: () => {
        executed += 1
        return 'gone'
      },
    })
    const cleaner = defineAgent('cleaner', async (ctx) => {
      try {
        return await ctx.tool(remove, { path: 'dist' })
      } catch (error) {
        const { reason, alternatives } = error as { reason: string; alternatives: string[] }
        return { reason, alternatives }
      }
    })
    const { agents } = await open({
      agents: [cleaner],
      tools: [remove],
      hooks: { 'destructive-ops': destructiveOperationHook() },
    })
    const run = await agents.start(cleaner, { input: undefined })
    const { output } = await run.result()
    expect(executed).toBe(0)
    expect(output.value).toMatchObject({ reason: 'Destructive operations require human approval' })
  })

  test('goes on after a restart with its recorded steps, and runs none of them again', async () => {
    const ran: string[] = []
    let release: () => void = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const started: (() => void)[] = []
    const blocked = new Promise<void>((resolve) => started.push(resolve))
    const make = (block: boolean) =>
      defineAgent('stepper', async (ctx) => {
        const a = await ctx.step('a', () => {
          ran.push('a')
          return 1
        })
        const b = await ctx.step('b', async () => {
          ran.push('b')
          if (block) {
            started[0]?.()
            await gate
          }
          return 2
        })
        return a + b
      })
    const first = await open({ agents: [make(true)] })
    const run = await first.agents.startById({ agent_id: 'stepper' })
    await blocked
    await first.close()
    release()
    const second = await open({ agents: [make(false)] })
    const result = await second.agents.wait(run.run_id, { timeout: 5000 })
    expect(result.output.value).toBe(3)
    expect(ran).toEqual(['a', 'b', 'b'])
  })
})
