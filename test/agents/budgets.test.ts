/** Budgets: nobody spends past one without a person, calls at the same time included, and the parts make the whole. */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  createRuntime,
  defineAgent,
  defineTool,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type Budget,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, deferred, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const reasonOf = (error: unknown): unknown => (error as { reason?: string }).reason

/** An agent that makes these calls one after the other or all at once; each costs what it estimates unless it says otherwise. */
function shop(
  ran: number[] = [],
  options: { readonly atOnce?: boolean; readonly actual?: number } = {},
): RuntimeOptions {
  const buy = defineTool({
    name: 'buy',
    capabilities: ['execute:api'],
    input: z.object({ usd: z.number(), n: z.number() }),
    estimate: ({ usd }) => ({ usd, tokens: Math.round(usd * 100) }),
    inDoubt: 'retry',
    execute: async ({ usd }, ctx) => {
      if (options.actual !== undefined) await ctx.spend({ usd: options.actual, tokens: 7 })
      ran.push(usd)
      return ran.length
    },
  })
  const buyer = defineAgent('buyer', async (ctx, prices: readonly number[]) => {
    const one = (usd: number, n: number): Promise<unknown> => ctx.tool(buy, { usd, n }).catch(reasonOf)
    if (options.atOnce === true) return Promise.all(prices.map(one))
    const answers: unknown[] = []
    for (const [n, usd] of prices.entries()) answers.push(await one(usd, n))
    return answers
  })
  return { agents: [buyer], tools: [buy] }
}

const budget = async (runtime: Runtime, scope: string, of?: string): Promise<Budget | undefined> =>
  (await runtime.budgets.list()).find((one) => one.scope === scope && (of === undefined || one.of === of))
const pending = async (runtime: Runtime): Promise<string> => {
  await until(async () => (await runtime.approvals.list()).length > 0, 'a question')
  return (await runtime.approvals.list())[0]?.approval_id ?? ''
}

describe('a budget', () => {
  test('is reserved before a call and settled after it; at 80 % it warns, at 100 % it asks, and a grant raises it', async () => {
    const ran: number[] = []
    const runtime = await project.open({ ...shop(ran), budgets: [{ scope: 'agent', usd: 5 }] })
    const run = await runtime.agents.startById({ agent_id: 'buyer', input: [2, 2, 2] })
    const id = await pending(runtime)
    expect(ran).toEqual([2, 2])
    expect((await runtime.agents.result({ agent_id: run.run_id })).state).toBe('awaiting_approval')
    expect(await runtime.approvals.get(id)).toMatchObject({
      subject: 'budget',
      reason:
        'the budget of agent "buyer" is used up: $4.00 of $5.00, and $2.00 and 200 tokens more is needed',
      parameters: { scope: 'agent', of: 'buyer', raise: { micro_usd: 5e6 } },
    })
    expect(await budget(runtime, 'agent')).toMatchObject({
      status: 'asking',
      warned: true,
      spent: { micro_usd: 4e6 },
      reserved: { micro_usd: 0 },
    })
    await runtime.approvals.approve(id, { by: 'ann' })
    const { output } = await run.result()
    expect(output.value).toEqual([1, 2, 3])
    expect(output.logs).toEqual(['the budget of agent "buyer" is used to 80 % and more: $4.00 of $5.00'])
    expect(await budget(runtime, 'agent')).toMatchObject({
      status: 'open',
      limit: { micro_usd: 10e6, tokens: null },
      spent: { micro_usd: 6e6 },
      warned: false,
    })
    expect((await runtime.approvals.get(id)).status).toBe('consumed')
  })

  test('that a person does not raise stays used up: the calls are denied, and nobody is asked again', async () => {
    const ran: number[] = []
    const runtime = await project.open({
      ...shop(ran),
      budgets: [{ scope: 'role', of: 'workagent', usd: 3 }],
    })
    const run = await runtime.agents.startById({ agent_id: 'buyer', input: [2, 2, 2, 1] })
    await runtime.approvals.deny(await pending(runtime), { by: 'ann', reason: 'enough' })
    const { output } = await run.result()
    const no = 'the budget of role "workagent" is used up: $2.00 of $3.00; a raise was denied by ann: enough'
    // What still fits is let pass.
    expect(output.value).toEqual([1, no, no, 2])
    expect(ran).toEqual([2, 1])
    expect(await runtime.approvals.list({ status: 'all' })).toHaveLength(1)
    expect(await runtime.budgets.raise({ scope: 'role', of: 'workagent', by: 'bob', usd: 2 })).toMatchObject({
      status: 'open',
      limit: { micro_usd: 5e6 },
    })
    const again = await runtime.agents.startById({ agent_id: 'buyer', input: [2] })
    expect((await again.result()).output.value).toEqual([3])
  })

  test('is never overdrawn by calls at the same time; one question is asked for all of them', async () => {
    const ran: number[] = []
    const runtime = await project.open({
      ...shop(ran, { atOnce: true }),
      budgets: [{ scope: 'agent', usd: 3 }],
    })
    const run = await runtime.agents.startById({
      agent_id: 'buyer',
      input: Array.from({ length: 8 }, () => 1),
    })
    const id = await pending(runtime)
    await until(() => ran.length === 3)
    expect(await runtime.approvals.list()).toHaveLength(1)
    await runtime.approvals.approve(id, { by: 'ann', usd: 5 })
    const { output } = await run.result()
    expect((output.value as number[]).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await budget(runtime, 'agent')).toMatchObject({
      spent: { micro_usd: 8e6 },
      limit: { micro_usd: 8e6 },
    })
  })

  test('counts what a call says it spent, instead of its estimate; also in tokens', async () => {
    const runtime = await project.open({
      ...shop([], { actual: 0.25 }),
      budgets: [{ scope: 'session', usd: 10, tokens: 400 }],
    })
    const run = await runtime.agents.startById({ agent_id: 'buyer', input: [2, 1] })
    const result = await run.result()
    expect(result.output.value).toEqual([1, 2])
    const spent = { micro_usd: 500_000, tokens: 14 }
    expect(await budget(runtime, 'session', run.run_id)).toMatchObject({ spent })
    // The same as what is billed.
    expect(result.billing).toMatchObject({ tokens_used: 14, estimated_cost: 0.5 })
    const more = await runtime.agents.startById({ agent_id: 'buyer', input: [5] })
    const asked = await runtime.approvals.get(await pending(runtime))
    expect(asked.reason).toContain('0 of 400 tokens, and $5.00 and 500 tokens more is needed')
    await more.cancel()
  })

  test('of a run holds for all that it starts, and for theirs', async () => {
    const ran: number[] = []
    const { agents = [], tools = [] } = shop(ran)
    const boss = defineAgent({
      id: 'boss',
      role: 'orchestrator',
      run: async () => {
        const run = await startBackgroundAgent({ agent_id: 'lead' })
        return (await waitForBackgroundAgent(run, { timeout: 20_000 })).output.value
      },
    })
    const lead = defineAgent({
      id: 'lead',
      role: 'supervisor',
      run: async () => {
        const runs = [1, 2].map(() => startBackgroundAgent({ agent_id: 'buyer', input: [2] }))
        const results = await Promise.all(runs.map((run) => waitForBackgroundAgent(run, { timeout: 20_000 })))
        return results.map((result) => result.output.value)
      },
    })
    const runtime = await project.open({ agents: [...agents, boss, lead], tools })
    const run = await runtime.agents.startById({ agent_id: 'boss', budget: { usd: 3 } })
    await runtime.approvals.deny(await pending(runtime), { by: 'ann', reason: 'no' })
    const { output } = await run.result()
    const answers = (output.value as unknown[][]).flat()
    expect(answers.filter((answer) => typeof answer === 'number')).toEqual([1])
    expect(ran).toEqual([2])
    expect(await budget(runtime, 'tree', run.run_id)).toMatchObject({ spent: { micro_usd: 2e6 } })
  })

  test('of money has no room for a call that has no estimate (ruling 8, O-145)', async () => {
    let ran = 0
    const wild = defineTool({
      name: 'wild',
      capabilities: [],
      input: z.object({}),
      inDoubt: 'retry',
      execute: () => (ran += 1),
    })
    const caller = defineAgent('caller', (ctx) => ctx.tool(wild, {}).catch(reasonOf))
    const runtime = await project.open({ agents: [caller], budgets: [{ scope: 'agent', usd: 5 }] })
    const { output } = await (await runtime.agents.startById({ agent_id: 'caller' })).result()
    expect(output.value).toBe(
      'Operation has no cost estimate, so it cannot be held to the budget of agent "caller"',
    )
    expect(ran).toBe(0)
  })

  test('counts what a handler spends by itself, and then lets nothing more pass', async () => {
    const { tools = [], agents = [] } = shop()
    const thinker = defineAgent('thinker', async (ctx) => {
      await ctx.spend({ usd: 6, tokens: 10 })
      return ctx.tool(tools[0] as never, { usd: 0, n: 1 }).catch(reasonOf)
    })
    const runtime = await project.open({
      agents: [...agents, thinker],
      budgets: [{ scope: 'agent', usd: 5 }],
    })
    const run = await runtime.agents.startById({ agent_id: 'thinker' })
    await runtime.approvals.deny(await pending(runtime), { by: 'ann' })
    expect((await run.result()).output.value).toContain('$6.00 of $5.00')
  })

  test.each([
    [{ scope: 'agent' as const }, 'budgets.0'],
    [{ scope: 'agent' as const, usd: -1 }, 'budgets.0.usd'],
    [{ scope: 'agent' as const, usd: 0.0000001 }, 'budgets.0.usd'],
    [{ scope: 'boss' as never, usd: 1 }, 'budgets.0.scope'],
    [{ scope: 'agent' as const, tokens: 1.5 }, 'budgets.0.tokens'],
    [{ scope: 'agent' as const, of: '', usd: 1 }, 'budgets.0.of'],
  ])('%o is refused at the door', async (option, path) => {
    await expect(project.open({ budgets: [option] })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      details: { path },
    })
  })

  test('that nobody has, and one that is being asked about, cannot be raised by hand', async () => {
    const runtime = await project.open({ ...shop(), budgets: [{ scope: 'agent', usd: 1 }] })
    const raise = (of: string) => runtime.budgets.raise({ scope: 'agent', of, by: 'ann', usd: 1 })
    await expect(raise('nobody')).rejects.toMatchObject({ code: 'BUDGET_UNKNOWN' })
    const run = await runtime.agents.startById({ agent_id: 'buyer', input: [2] })
    await pending(runtime)
    await expect(raise('buyer')).rejects.toMatchObject({ code: 'BUDGET_ASKING' })
    await run.cancel()
  })
})

describe('after a crash', () => {
  test('what a call had reserved counts as spent, until the call is settled', async () => {
    const gone = new Promise<never>(() => {})
    const reached = deferred()
    const build = (block: boolean): RuntimeOptions => {
      const buy = defineTool({
        name: 'buy',
        capabilities: [],
        input: z.object({ usd: z.number() }),
        estimate: ({ usd }) => usd,
        inDoubt: 'ask',
        execute: () => {
          reached.resolve()
          return block ? gone : 'bought'
        },
      })
      const one = (id: string) =>
        defineAgent(id, (ctx, usd: number) => ctx.tool(buy, { usd }).catch(reasonOf))
      return { agents: [one('buyer'), one('other')], budgets: [{ scope: 'role', usd: 5 }] }
    }
    const probe = await project.open(build(true))
    await probe.agents.startById({ agent_id: 'buyer', run_id: 'run_1', input: 4 })
    await reached.promise
    await probe.close()

    const runtime = await project.open(build(false))
    await until(() => runtime.parked.length > 0)
    expect(runtime.parked).toMatchObject([{ code: 'TOOL_IN_DOUBT' }])
    expect(await budget(runtime, 'role')).toMatchObject({
      spent: { micro_usd: 0 },
      reserved: { micro_usd: 4e6 },
    })
    const other = await runtime.agents.startById({ agent_id: 'other', input: 2 })
    await runtime.approvals.deny(await pending(runtime), { by: 'ann', reason: 'wait' })
    expect((await other.result()).output.value).toContain('$4.00 of $5.00')

    const callId = /call_[0-9a-f-]+/.exec(runtime.parked[0]?.reason ?? '')?.[0] ?? ''
    await runtime.agents.settleCall(callId, { happened: true, output: 'seen' })
    await runtime.sessions.resume('run_1')
    expect((await runtime.agents.wait('run_1', { timeout: 10_000 })).output.value).toBe('seen')
    expect(await budget(runtime, 'role')).toMatchObject({
      spent: { micro_usd: 4e6 },
      reserved: { micro_usd: 0 },
    })
  })

  test('at any event the sums are the same in the end, and nothing is counted twice', async () => {
    const build = (): RuntimeOptions => ({
      ...shop([], { actual: 0.5 }),
      budgets: [
        { scope: 'agent', usd: 5 },
        { scope: 'tree', usd: 9 },
      ],
    })
    const probe = await createTestRuntime(build())
    const run = await probe.agents.startById({ agent_id: 'buyer', run_id: 'run_1', input: [1, 1] })
    await run.result()
    const events = await allEvents(probe)
    await probe.close()
    const first = events.find((event) => event.event_type === 'agent.created')?.position ?? 0
    for (const { position, event_type } of events) {
      if (position < first || !/^(budget|tool|agent\.spent|step)/.test(event_type)) continue
      const path = join(project.path(), `died-${position}`)
      const disk = await openLevelEventStore({ path: join(path, 'log') })
      const { store, dead } = dieAfter(disk, position)
      void createRuntime({ store, ...build(), onError: () => {} }).then((runtime) =>
        runtime.agents.startById({ agent_id: 'buyer', run_id: 'run_1', input: [1, 1] }),
      )
      await dead
      await disk.close()
      const runtime = await createRuntime({ path, ...build() })
      await (
        await runtime.agents.startById({ agent_id: 'buyer', run_id: 'run_1', input: [1, 1] })
      ).result({
        timeoutMs: 15_000,
      })
      const budgets = await runtime.budgets.list()
      const told = budgets.map((one) => [one.scope, one.reserved.micro_usd])
      const sums = new Set(budgets.map((one) => one.spent.micro_usd))
      await runtime.close()
      expect({ event_type, told }).toEqual({
        event_type,
        told: [
          ['agent', 0],
          ['tree', 0],
        ],
      })
      // A tool that died while it spent has spent that, and spends again when it is run again.
      const mayRepeat = ['tool.started', 'agent.spent', 'budget.spent'].includes(event_type)
      const possible = mayRepeat ? [1e6, 1.5e6] : [1e6]
      expect({ event_type, wrong: [...sums].filter((sum) => !possible.includes(sum)) }).toEqual({
        event_type,
        wrong: [],
      })
    }
  }, 120_000)
})

test('the sum of the parts is the whole, whoever spends what at the same time (property)', async () => {
  const cents = fc.integer({ min: 0, max: 500 })
  const plan = fc.record({
    agent: fc.constantFrom('a', 'b', 'c'),
    role: fc.constantFrom('supervisor' as const, 'workagent' as const),
    prices: fc.array(fc.tuple(cents, fc.option(cents)), { maxLength: 4 }),
    own: cents,
  })
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 5 }), async (plans) => {
      const buy = defineTool({
        name: 'buy',
        capabilities: [],
        input: z.object({ price: z.number(), real: z.number().optional(), n: z.number() }),
        estimate: ({ price }) => ({ usd: price / 100, tokens: price }),
        inDoubt: 'retry',
        execute: async ({ real }, ctx) => {
          if (real !== undefined) await ctx.spend({ usd: real / 100, tokens: real })
        },
      })
      type Plan = (typeof plans)[number]
      const agent = (id: string) =>
        defineAgent(id, async (ctx, { prices, own }: Plan) => {
          const calls = prices.map(([price, real], n) =>
            ctx.tool(buy, { price, n, ...(real !== null && { real }) }),
          )
          await Promise.all([...calls, ctx.spend({ usd: own / 100, tokens: own })])
        })
      const boss = defineAgent({
        id: 'boss',
        role: 'orchestrator',
        run: async () => {
          const runs = plans.map((one) =>
            startBackgroundAgent({ agent_id: one.agent, role: one.role, input: one }),
          )
          await Promise.all(runs.map((run) => waitForBackgroundAgent(run)))
        },
      })
      const runtime = await createTestRuntime({
        agents: [boss, agent('a'), agent('b'), agent('c')],
        budgets: (['agent', 'session', 'role', 'tree'] as const).map((scope) => ({
          scope,
          usd: 1e6,
          tokens: 1e9,
        })),
      })
      const run = await runtime.agents.startById({ agent_id: 'boss' })
      expect((await run.result()).output.errors).toBeUndefined()
      const expected = plans
        .flatMap(({ prices, own }) => [own, ...prices.map(([price, real]) => real ?? price)])
        .reduce((sum, one) => sum + one, 0)
      const totals: Record<string, unknown> = {}
      for (const { scope, spent, reserved } of await runtime.budgets.list()) {
        const before = (totals[scope] ?? [0, 0]) as [number, number]
        totals[scope] = [before[0] + spent.micro_usd + reserved.micro_usd, before[1] + spent.tokens]
      }
      await runtime.close()
      const whole = [expected * 1e4, expected]
      for (const scope of Object.keys(totals))
        expect({ scope, total: totals[scope] }).toEqual({ scope, total: whole })
    }),
    {
      numRuns: 25,
      // 4.03 USD times a million is not whole in binary.
      examples: [[[{ agent: 'a', role: 'supervisor', prices: [[403, null]], own: 0 }]]],
    },
  )
}, 60_000)
