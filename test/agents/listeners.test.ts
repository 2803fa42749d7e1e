/** Who listens to agents: before a tool runs, when a run ends, and who starts an agent that is at work already. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineAgent,
  defineTool,
  onBackgroundAgent,
  PermissionDeniedError,
  PermissionHookRegistry,
  startBackgroundAgent,
  type BackgroundAgentResult,
} from '../../src/index.ts'

const wipe = defineTool({
  name: 'wipe',
  capabilities: ['execute:disk'],
  input: z.object({ disk: z.string() }),
  inDoubt: 'ask',
  execute: ({ disk }) => `${disk} wiped`,
})
const wiper = defineAgent('wiper', async (ctx) =>
  ctx.tool(wipe, { disk: 'a' }).catch((error: PermissionDeniedError) => ({
    code: error.code,
    reason: error.reason,
    alternatives: error.alternatives,
  })),
)

describe('beforeToolExecute', () => {
  test('blocks a tool by throwing, with the reason and the alternatives of the article (O-157 to O-160)', async () => {
    const hooks = new PermissionHookRegistry()
    hooks.register('careful', {
      triggers: ['execute:disk'],
      validate: async () => ({ allowed: false, reason: 'disks are dear', alternatives: ['ask first'] }),
    })
    const runtime = await createRuntime({ agents: [wiper] })
    // The article's own loop: all triggered hooks must allow, the first denial throws.
    runtime.agents.on('beforeToolExecute', async (ctx) => {
      for (const hook of hooks.getTriggeredHooks(ctx.capabilities[0] ?? '')) {
        const result = await hook.validate(ctx)
        if (!result.allowed) throw new PermissionDeniedError(result.reason, result.alternatives)
      }
    })
    const { output } = await (await runtime.agents.start(wiper, { input: undefined })).result()
    expect(output.value).toEqual({
      code: 'PM_DENIED',
      reason: 'disks are dear',
      alternatives: ['ask first'],
    })
    await runtime.close()
  })

  test('denies when the listener fails in another way, and says so', async () => {
    const runtime = await createRuntime({ agents: [wiper] })
    runtime.agents.on('beforeToolExecute', () => {
      throw new Error('the policy server is down')
    })
    const { output } = await (await runtime.agents.start(wiper, { input: undefined })).result()
    expect(output.value).toMatchObject({
      code: 'PM_DENIED',
      reason: expect.stringContaining('the policy server is down'),
    })
    await runtime.close()
  })

  test('says nothing about pausing and starting, and nothing at all once stopped', async () => {
    const asked: string[] = []
    const runtime = await createRuntime({ agents: [wiper] })
    const stop = runtime.agents.on('beforeToolExecute', (ctx) => {
      asked.push(ctx.tool_name)
    })
    await (await runtime.agents.start(wiper, { input: undefined })).result()
    stop()
    await (await runtime.agents.start(wiper, { input: undefined })).result()
    expect(asked).toEqual(['wipe'])
    await runtime.close()
  })
})

describe('onBackgroundAgent', () => {
  test('calls back once with the result when the run ends, and at once when it has ended (O-035)', async () => {
    const runtime = await createRuntime({ agents: [defineAgent('quick', () => 7)] })
    const heard: BackgroundAgentResult[] = []
    await runtime.run(async () => {
      const run = startBackgroundAgent({ agent_id: 'quick', task_description: 'be quick' })
      await new Promise<void>((resolve) => {
        void onBackgroundAgent(run, (result) => {
          heard.push(result)
          resolve()
        })
      })
      await new Promise<void>((resolve) => {
        void onBackgroundAgent(run, (result) => {
          heard.push(result)
          resolve()
        })
      })
    })
    expect(heard.map((result) => [result.status, result.output.value])).toEqual([
      ['completed', 7],
      ['completed', 7],
    ])
    await runtime.close()
  })

  test('does not call back once stopped', async () => {
    let end: () => void = () => {}
    const ending = new Promise<void>((resolve) => (end = resolve))
    const runtime = await createRuntime({ agents: [defineAgent('slow', () => ending)] })
    const run = await runtime.agents.startById({ agent_id: 'slow' })
    let called = false
    const stop = runtime.agents.onEnd(run.run_id, () => {
      called = true
    })
    stop()
    end()
    await run.result()
    expect(called).toBe(false)
    await runtime.close()
  })
})

describe('an agent that is at work already', () => {
  const forEver = defineAgent(
    'for-ever',
    (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
  )

  test('is started again in parallel unless told otherwise (O-026)', async () => {
    const runtime = await createRuntime({ agents: [forEver] })
    const first = await runtime.agents.startById({ agent_id: 'for-ever' })
    const second = await runtime.agents.startById({ agent_id: 'for-ever' })
    expect(second.run_id).not.toBe(first.run_id)
    await runtime.close()
  })

  test('says on record and in the log beside which run it was started, and only then (O-026)', async () => {
    const warnings: object[] = []
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (fields: object) => warnings.push(fields),
      isLevelEnabled: () => false,
    }
    const runtime = await createRuntime({ agents: [forEver], logger })
    const start = (project?: string) =>
      runtime.agents.startById({ agent_id: 'for-ever', ...(project !== undefined && { project }) })
    const [first, second, elsewhere] = [await start(), await start(), await start('another')]
    await first.cancel()
    await second.cancel()
    const last = await start()
    const beside = async ({ run_id }: { run_id: string }): Promise<unknown> => {
      for await (const { payload } of runtime.store.readStream(run_id))
        return (payload as { input: { beside?: string } }).input.beside
      return 'no event'
    }
    expect([await beside(first), await beside(second), await beside(elsewhere), await beside(last)]).toEqual([
      undefined,
      first.run_id,
      undefined,
      undefined,
    ])
    expect(warnings).toEqual([{ agent_id: 'for-ever', run_id: second.run_id, beside: first.run_id }])
    await runtime.close()
  })

  test('is given back with reuse, and refused with error, before anything is written', async () => {
    const runtime = await createRuntime({ agents: [forEver] })
    const first = await runtime.agents.startById({ agent_id: 'for-ever' })
    const before = (await runtime.agents.list()).length
    const again = await runtime.agents.startById({ agent_id: 'for-ever', on_conflict: 'reuse' })
    expect(again.run_id).toBe(first.run_id)
    await expect(
      runtime.agents.startById({ agent_id: 'for-ever', on_conflict: 'error' }),
    ).rejects.toMatchObject({
      code: 'AGENT_BUSY',
      details: { run_id: first.run_id },
    })
    expect((await runtime.agents.list()).length).toBe(before)
    await runtime.close()
  })
})
