/** Tools under hooks: what is refused stays refused, what is in doubt is settled by its policy, and nothing slips past. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  costControlHook,
  createRuntime,
  defineAgent,
  defineTool,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type InDoubtPolicy,
  type PermissionHook,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, deferred, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const gone = new Promise<never>(() => {})

const toolNamed = (name: string, execute: () => unknown) =>
  defineTool({
    name,
    capabilities: [`execute:${name}`],
    input: z.object({ of: z.string().default('it') }),
    estimate: () => 0,
    inDoubt: 'retry',
    execute,
  })

/** Opens the folder, runs the agent "caller" until the `n`th event of this type is on disk, and dies there. */
async function dieAt(eventType: string, options: RuntimeOptions): Promise<void> {
  const probe = await createRuntime({ ...options, onError: () => {} })
  const run = await probe.agents.startById({ agent_id: 'caller', run_id: 'run_1' })
  const find = async (): Promise<number | undefined> =>
    (await allEvents(probe)).find((event) => event.event_type === eventType)?.position
  await until(async () => (await find()) !== undefined, eventType)
  const position = (await find()) ?? 0
  await probe.close()
  void run

  const disk = await openLevelEventStore({ path: join(project.path(), 'log') })
  const { store, dead } = dieAfter(disk, position)
  void createRuntime({ store, ...options, onError: () => {} }).then((runtime) =>
    runtime.agents.startById({ agent_id: 'caller', run_id: 'run_1' }),
  )
  await dead
  await disk.close()
}

const typesOf = async (runtime: Runtime): Promise<string[]> =>
  (await allEvents(runtime)).map((event) => event.event_type).filter((type) => type.startsWith('tool.'))

describe('a denial', () => {
  test('is in the log with its testimony, and is given again after a restart without asking (O-131, O-160)', async () => {
    let asked = 0
    let ran = 0
    const hooks = {
      guard: {
        triggers: ['execute:write'],
        validate: () => {
          asked += 1
          return { allowed: false, reason: 'not on a Friday', alternatives: ['wait for Monday'] }
        },
      },
    } satisfies Record<string, PermissionHook>
    const write = toolNamed('write', () => (ran += 1))
    const reached = deferred()
    const caller = (block: boolean) =>
      defineAgent('caller', async (ctx) => {
        const denial = await ctx.tool(write, {}).catch((error: unknown) => error)
        await ctx.step('then', () => {
          reached.resolve()
          return block ? gone : 1
        })
        const { name, reason, alternatives, hook, code } = denial as Record<string, unknown>
        return { name, reason, alternatives, hook, code }
      })
    const first = await project.open({ agents: [caller(true)], hooks })
    const run = await first.agents.startById({ agent_id: 'caller' })
    await reached.promise
    const judged = (await allEvents(first)).find((event) => event.event_type === 'tool.judged')
    expect(judged?.payload).toMatchObject({
      testimony: [
        { hook: 'guard', allowed: false, reason: 'not on a Friday', alternatives: ['wait for Monday'] },
      ],
    })
    expect(judged?.state).toBe('settled')
    await first.close()

    const second = await project.open({ agents: [caller(false)], hooks })
    const { output } = await second.agents.wait(run.run_id, { timeout: 10_000 })
    expect(output.value).toEqual({
      name: 'PermissionDeniedError',
      reason: 'not on a Friday',
      alternatives: ['wait for Monday'],
      hook: 'guard',
      code: 'PM_DENIED',
    })
    expect([asked, ran]).toEqual([1, 0])
    expect(await typesOf(second)).toEqual(['tool.requested', 'tool.judged'])
  })

  test('stands when the process dies right behind it', async () => {
    const asked: string[] = []
    const hooks = (word: string): Record<string, PermissionHook> => ({
      guard: {
        triggers: ['execute:write'],
        validate: () => {
          asked.push(word)
          return { allowed: false, reason: word }
        },
      },
    })
    const caller = defineAgent('caller', async (ctx) =>
      ctx
        .tool(
          toolNamed('write', () => 'ran'),
          {},
        )
        .catch((error: { reason: string }) => error.reason),
    )
    await dieAt('tool.judged', { agents: [caller], hooks: hooks('before') })
    const runtime = await project.open({ agents: [caller], hooks: hooks('after') })
    const { output } = await runtime.agents.wait('run_1', { timeout: 10_000 })
    expect(output.value).toBe('before')
    expect(asked).not.toContain('after')
  })
})

describe('a call that was begun when the process died', () => {
  const caller = (policy: InDoubtPolicy, ran: string[], world: { done: boolean; broken?: boolean }) => {
    const pay = defineTool({
      name: 'pay',
      capabilities: ['execute:payment'],
      input: z.object({}),
      estimate: () => 0,
      inDoubt: policy,
      verify: async () => {
        if (world.broken === true) throw new Error('the bank is closed')
        return world.done ? { happened: true, output: 'verified' } : { happened: false }
      },
      execute: (_input, { idempotency_key }) => {
        ran.push(idempotency_key)
        return 'paid'
      },
    })
    return { agents: [defineAgent('caller', (ctx) => ctx.tool(pay, {}))] }
  }

  test('runs again under "retry", with the same idempotency key', async () => {
    const after: string[] = []
    await dieAt('tool.started', caller('retry', [], { done: false }))
    const runtime = await project.open(caller('retry', after, { done: false }))
    expect((await runtime.agents.wait('run_1', { timeout: 10_000 })).output.value).toBe('paid')
    expect(after).toHaveLength(1)
    const [requested] = (await allEvents(runtime)).filter((event) => event.event_type === 'tool.requested')
    expect(after).toEqual([requested?.stream_id])
    expect((await typesOf(runtime)).filter((type) => type === 'tool.started')).toHaveLength(2)
  })

  test.each([
    [true, 'verified', 0],
    [false, 'paid', 1],
  ])('asks the world under "verify"; it happened: %s', async (done, value, times) => {
    const after: string[] = []
    await dieAt('tool.started', caller('verify', [], { done: false }))
    const runtime = await project.open(caller('verify', after, { done }))
    expect((await runtime.agents.wait('run_1', { timeout: 10_000 })).output.value).toBe(value)
    expect(after).toHaveLength(times)
  })

  test('is left to a person under "verify" when the world does not answer', async () => {
    const after: string[] = []
    await dieAt('tool.started', caller('verify', [], { done: false }))
    const runtime = await project.open(caller('verify', after, { done: false, broken: true }))
    await until(() => runtime.parked.length > 0)
    expect(runtime.parked).toMatchObject([{ id: 'run_1', code: 'TOOL_IN_DOUBT' }])
    expect(after).toEqual([])
  })

  test.each([
    [{ happened: true, output: 'seen on the account' } as const, 'seen on the account', 0],
    [{ happened: false } as const, 'paid', 1],
  ])('waits for a person under "ask", who says %o', async (answer, value, times) => {
    const after: string[] = []
    await dieAt('tool.started', caller('ask', [], { done: false }))
    const runtime = await project.open(caller('ask', after, { done: false }))
    await until(() => runtime.parked.length > 0)
    expect(after).toEqual([])
    const [parked] = runtime.parked
    expect(parked).toMatchObject({ id: 'run_1', code: 'TOOL_IN_DOUBT' })
    const callId = /call_[0-9a-f-]+/.exec(parked?.reason ?? '')?.[0] ?? ''
    // Resuming alone answers nothing: it asks again.
    await runtime.sessions.resume('run_1')
    await until(() => runtime.parked.length > 0)
    expect(after).toEqual([])

    await runtime.agents.settleCall(callId, answer)
    await runtime.sessions.resume('run_1')
    expect((await runtime.agents.wait('run_1', { timeout: 10_000 })).output.value).toBe(value)
    expect(after).toHaveLength(times)
    await expect(runtime.agents.settleCall(callId, answer)).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
  })

  test('cannot be verified without a way to', () => {
    const define = () =>
      defineTool({
        name: 'blind',
        capabilities: [],
        input: z.object({}),
        inDoubt: 'verify',
        execute: () => 1,
      })
    expect(define).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })
})

describe('the hooks of a call', () => {
  test('hear its estimated cost, and of each outcome once', async () => {
    const heard: string[] = []
    const costs: unknown[] = []
    const hooks: Record<string, PermissionHook> = {
      ear: {
        triggers: ['execute:*'],
        validate: ({ tool_name, estimated_cost }) => {
          costs.push(estimated_cost)
          return { allowed: tool_name !== 'refused' }
        },
        onSuccess: ({ tool_name, result }) => void heard.push(`${tool_name}: ${String(result)}`),
        onFailure: ({ tool_name, phase }) => void heard.push(`${tool_name}: ${phase}`),
      },
    }
    const good = defineTool({
      name: 'good',
      capabilities: ['execute:good'],
      input: z.object({ n: z.number() }),
      estimate: ({ n }) => n / 100,
      inDoubt: 'retry',
      execute: ({ n }) => n,
    })
    const bad = toolNamed('bad', () => {
      throw new Error('no luck')
    })
    const refused = toolNamed('refused', () => 'ran')
    const caller = defineAgent('caller', async (ctx) => {
      await ctx.tool(good, { n: 7 })
      await ctx.tool(bad, {}).catch(() => {})
      await ctx.tool(refused, {}).catch(() => {})
    })
    const { agents } = await project.open({ agents: [caller], hooks })
    await (await agents.startById({ agent_id: 'caller' })).result()
    expect(heard).toEqual(['good: 7', 'bad: error', 'refused: denied'])
    expect(costs).toEqual([0.07, 0, 0])
  })

  test('do not change the outcome by what they do with it', async () => {
    const troubles: unknown[] = []
    const hooks: Record<string, PermissionHook> = {
      ear: {
        triggers: ['execute:*'],
        validate: () => ({ allowed: true }),
        onSuccess: () => Promise.reject(new Error('deaf')),
      },
    }
    const caller = defineAgent('caller', (ctx) =>
      ctx.tool(
        toolNamed('good', () => 'fine'),
        {},
      ),
    )
    const { agents } = await project.open({
      agents: [caller],
      hooks,
      onError: (error) => void troubles.push((error as Error).message),
    })
    expect((await (await agents.startById({ agent_id: 'caller' })).result()).output.value).toBe('fine')
    expect(troubles).toEqual(['deaf'])
  })

  test('price a call by its estimate, and refuse what is too dear for the role (O-009)', async () => {
    let ran = 0
    const dear = defineTool({
      name: 'dear',
      capabilities: ['execute:api'],
      input: z.object({}),
      estimate: () => 1_000,
      inDoubt: 'ask',
      execute: () => (ran += 1),
    })
    const caller = defineAgent('caller', (ctx) =>
      ctx.tool(dear, {}).catch((error: { hook: string }) => error.hook),
    )
    const { agents } = await project.open({
      agents: [caller],
      hooks: { 'cost-control': costControlHook() },
    })
    expect((await (await agents.startById({ agent_id: 'caller' })).result()).output.value).toBe(
      'cost-control',
    )
    expect(ran).toBe(0)
  })

  test('judge every call: in branches, in agents of agents, and commands too (O-161)', async () => {
    const seen: string[] = []
    const hooks: Record<string, PermissionHook> = {
      wall: {
        triggers: ['execute:*'],
        validate: ({ tool_name, agent_id, parameters }) => {
          seen.push(`${agent_id} ${tool_name} ${String(parameters['of'] ?? parameters['command'])}`)
          return { allowed: false, reason: 'wall' }
        },
      },
    }
    let ran = 0
    const write = toolNamed('write', () => (ran += 1))
    const reason = (error: { reason: string }): string => error.reason
    const below = defineAgent('below', (ctx) => ctx.tool(write, { of: 'deep' }).catch(reason))
    const caller = defineAgent('caller', async (ctx) => {
      const branches = await Promise.all(['x', 'y'].map(async (of) => ctx.tool(write, { of }).catch(reason)))
      const command = await ctx.command('rm', { command: 'false' }).catch(reason)
      const run = await startBackgroundAgent({ agent_id: 'below' })
      const { output } = await waitForBackgroundAgent(run, { timeout: 5_000 })
      return [...branches, command, output.value]
    })
    const { agents } = await project.open({ agents: [caller, below], hooks })
    const { output } = await (await agents.startById({ agent_id: 'caller', role: 'supervisor' })).result()
    expect(output.value).toEqual(['wall', 'wall', 'wall', 'wall'])
    expect(seen.toSorted()).toEqual([
      'below write deep',
      'caller command false',
      'caller write x',
      'caller write y',
    ])
    expect(ran).toBe(0)
  })

  test('that guarded a run guard it to its end: without one of them it is parked (ruling 5, O-154)', async () => {
    const hooks: Record<string, PermissionHook> = {
      guard: { triggers: ['execute:*'], validate: () => ({ allowed: false, reason: 'guarded' }) },
    }
    const write = toolNamed('write', () => 'ran')
    const reached = deferred()
    const caller = (block: boolean) =>
      defineAgent('caller', async (ctx) => {
        await ctx.step('first', () => {
          reached.resolve()
          return block ? gone : 1
        })
        return ctx.tool(write, {}).catch((error: { reason: string }) => error.reason)
      })
    const first = await project.open({ agents: [caller(true)], hooks })
    const run = await first.agents.startById({ agent_id: 'caller' })
    await reached.promise
    await first.close()
    const without = await project.open({ agents: [caller(false)] })
    await until(() => without.parked.length > 0)
    expect(without.parked).toMatchObject([{ id: run.run_id, code: 'HOOK_MISSING' }])
    await without.close()
    const again = await project.open({ agents: [caller(false)], hooks })
    expect((await again.agents.wait(run.run_id, { timeout: 10_000 })).output.value).toBe('guarded')
  })
})

test('a run whose code is missing is parked, and goes on by itself when it is back (ruling 5)', async () => {
  const reached = deferred()
  const caller = (block: boolean) =>
    defineAgent('caller', (ctx) =>
      ctx.step('only', () => {
        reached.resolve()
        return block ? gone : 'done'
      }),
    )
  const first = await project.open({ agents: [caller(true)] })
  const run = await first.agents.startById({ agent_id: 'caller' })
  await reached.promise
  await first.close()
  const without = await project.open()
  await until(() => without.parked.length > 0)
  expect(without.parked).toMatchObject([{ id: run.run_id, code: 'AGENT_UNKNOWN' }])
  expect((await without.agents.result({ agent_id: run.run_id })).state).toBe('parked')
  await without.close()
  const again = await project.open({ agents: [caller(false)] })
  expect((await again.agents.wait(run.run_id, { timeout: 10_000 })).output.value).toBe('done')
})
