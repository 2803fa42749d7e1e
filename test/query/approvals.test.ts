/** What a person was asked, and what they decided, as readers of the log are told. */
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineAgent, defineTool, type Runtime } from '../../src/index.ts'

let runtime: Runtime | undefined
afterEach(async () => {
  await runtime?.close()
})

const drop = defineTool({
  name: 'drop',
  capabilities: ['execute:database:drop'],
  input: z.object({ table: z.string(), password: z.string() }),
  estimate: () => 0,
  inDoubt: 'ask',
  execute: () => 'gone',
})

const dropper = defineAgent('dropper', async (ctx, table: string) => {
  try {
    return await ctx.tool(drop, { table, password: 'hunter2' })
  } catch {
    return 'left alone'
  }
})

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function asked(opened: Runtime): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const [approval] = (await opened.query.pending()).approvals
    if (approval !== undefined) return approval.approval_id
    if (Date.now() > deadline) throw new Error('nobody was asked')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a wish that is left to a person is pending, then decided by that person, and no longer pending', async () => {
  runtime = await createRuntime({
    agents: [dropper],
    tools: [drop],
    hooks: {
      owner: {
        triggers: ['execute:database'],
        validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
      },
    },
  })
  const { query, approvals, agents } = runtime
  const first = await agents.start(dropper, { input: 'orders' })
  const id = await asked(runtime)
  expect((await query.pending()).approvals).toMatchObject([
    { approval_id: id, state: 'requested', tool: 'drop', run_id: first.run_id, reason: 'ask ann' },
  ])
  expect((await query.health()).findings).toEqual([
    { level: 'notice', text: '1 approval that a person has to decide on' },
  ])
  expect(await listOf(query.permissions({ action: 'drop' }))).toEqual([])
  await approvals.approve(id, { by: 'ann' })
  await first.result({ timeoutMs: 10_000 })

  const second = await agents.start(dropper, { input: 'customers' })
  await approvals.deny(await asked(runtime), { by: 'ann', reason: 'we need them' })
  await second.result({ timeoutMs: 10_000 })

  expect((await query.pending()).approvals).toEqual([])
  const decisions = await listOf(query.permissions({ action: 'execute:database' }))
  expect(decisions).toMatchObject([
    { verdict: 'allowed', action: 'drop', agent_id: 'dropper', by: expect.stringContaining('ann') as string },
    {
      verdict: 'denied',
      by: expect.stringMatching(/^approval:/) as string,
      reason: 'denied by ann: we need them',
    },
  ])
  expect(JSON.stringify(decisions)).not.toContain('hunter2')
  expect(await query.explainPermission({ who: 'dropper', action: 'drop' })).toMatchObject({
    answer: 'varies',
  })
  expect(await query.failures()).toMatchObject([{ kind: 'refused', what: 'drop', agent_id: 'dropper' }])
  const { ancestors } = await query.causes({ event: decisions[0]?.event.event_id ?? '' })
  expect(ancestors.slice(0, 5).map(({ event_type }) => event_type)).toEqual([
    'approval.reserved',
    'approval.granted',
    'approval.requested',
    'tool.judged',
    'tool.requested',
  ])
})
