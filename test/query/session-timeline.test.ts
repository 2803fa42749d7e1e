/** One line of time for a session: what was decided, by whom, what it cost, and what happened, of all that it started. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  costControlHook,
  defineAgent,
  defineTool,
  type SessionMoment,
  type SessionTimelineQuestion,
} from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'

const MINUTE = 60_000

/** A session with a run that buys something, is refused something dearer, and asks a person; and another session beside it. */
async function story(): Promise<{ runtime: TestRuntime; id: string; run: string }> {
  const buy = defineTool({
    name: 'buy',
    capabilities: ['execute:api:shop'],
    input: z.object({ usd: z.number() }),
    estimate: ({ usd }) => usd,
    inDoubt: 'retry',
    execute: async ({ usd }, ctx) => {
      await ctx.spend({ usd, tokens: 100, what: 'a chair' })
      return usd
    },
  })
  const buyer = defineAgent('buyer', async (ctx) => {
    await ctx.tool(buy, { usd: 2 })
    await ctx.tool(buy, { usd: 50 }).catch(() => 'too dear')
    return (await ctx.requestApproval({ question: 'Buy a table?' })).status
  })
  const runtime = await createTestRuntime({
    agents: [buyer],
    tools: [buy],
    hooks: { 'cost-control': costControlHook() },
  })
  const { id } = await runtime.sessions.start({ role: 'supervisor', name: 'furnish' })
  const other = await runtime.sessions.start({ role: 'supervisor', name: 'elsewhere' })
  await runtime.sessions.spend(other, { usd: 99, what: 'not ours' })
  await runtime.sessions.decide(id, { what: 'chairs first', why: 'people have to sit' })
  await runtime.clock.advance(MINUTE)
  await runtime.sessions.spend(id, { usd: 0.5, tokens: 7, what: 'thinking' })
  const { run_id: run } = await runtime.agents.startById({ agent_id: 'buyer', parent_id: id })
  await runtime.clock.advance(MINUTE)
  const [approval] = await runtime.approvals.list()
  await runtime.approvals.approve(approval?.approval_id ?? '', { by: 'ann', note: 'a round one' })
  await runtime.agents.wait(run)
  await runtime.sessions.end(id)
  return { runtime, id, run }
}

async function timeline(runtime: TestRuntime, question: SessionTimelineQuestion): Promise<SessionMoment[]> {
  const moments: SessionMoment[] = []
  for await (const moment of runtime.query.sessionTimeline(question)) moments.push(moment)
  return moments
}

test('has its decisions, its costs and its events in the order of the log, and what it cost so far (O-010)', async () => {
  const { runtime, id, run } = await story()
  const all = await timeline(runtime, { session_id: id })
  expect(all.map(({ position }) => position)).toEqual(
    all.map(({ position }) => position).toSorted((a, b) => a - b),
  )
  const told = all.filter(({ kind }) => kind !== 'event').map(({ kind, type, what }) => [kind, type, what])
  expect(told).toEqual([
    ['decision', 'session.decided', 'chairs first: people have to sit'],
    ['cost', 'session.spent', 'thinking'],
    ['permission', 'tool.judged', 'allowed'],
    ['cost', 'agent.spent', 'a chair'],
    ['permission', 'tool.judged', expect.stringContaining('cost-control: Operation costs $50.00')],
    ['permission', 'approval.requested', 'requestApproval: Buy a table?'],
    ['permission', 'approval.granted', 'ann: a round one'],
  ])
  const events = all.filter(({ kind }) => kind === 'event').map(({ type }) => type)
  for (const type of ['session.created', 'session.active', 'agent.succeeded', 'session.completed'])
    expect(events).toContain(type)
  expect(new Set(all.filter(({ type }) => type.startsWith('agent.')).map(({ actor }) => actor))).toEqual(
    new Set([run]),
  )
  expect(all.at(-1)).toMatchObject({ total_usd: 2.5, total_tokens: 107 })
  expect(JSON.stringify(all)).not.toContain('not ours')
  // The same as the report of costs has, and the same in a run's own timeline for its part.
  const own = await timeline(runtime, { session_id: run })
  expect(own.at(-1)).toMatchObject({ total_usd: 2, total_tokens: 100 })
  await runtime.close()
})

test('can be asked for a part: kinds, and a stretch of time; the sums count what is left out', async () => {
  const { runtime, id } = await story()
  const costs = await timeline(runtime, { session_id: id, kinds: ['cost'] })
  expect(costs.map(({ usd, total_usd }) => [usd, total_usd])).toEqual([
    [0.5, 0.5],
    [2, 2.5],
  ])
  const later = await timeline(runtime, {
    session_id: id,
    kinds: ['decision', 'cost'],
    since: '2030-01-01T00:00:30.000Z',
    until: '2030-01-01T00:01:30.000Z',
  })
  expect(later.map(({ type }) => type)).toEqual(['session.spent', 'agent.spent'])
  await runtime.close()
})

test('of nobody is refused as that', async () => {
  await using runtime = await createTestRuntime()
  await expect(timeline(runtime, { session_id: 'sess_none' })).rejects.toMatchObject({
    code: 'QUERY_NOT_FOUND',
  })
  const { id } = await runtime.sessions.start({ role: 'supervisor' })
  await expect(timeline(runtime, { session_id: id, since: 'soon' })).rejects.toMatchObject({
    code: 'QUERY_INVALID',
  })
})
