/** A run's deadline is time at work: weeks in which it is paused or waits for a person cost it nothing, over restarts as well. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { AgentContext } from '../../machines/agent.machine.ts'
import { defineAgent, defineTool, type PermissionHook } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const HOUR_MS = 60 * MINUTE
/** In minutes: longer than any of this takes. */
const NEVER = 365 * 24 * 60

const asks: PermissionHook = {
  triggers: ['execute:write'],
  validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
}
const write = defineTool({
  name: 'write',
  capabilities: ['execute:write'],
  input: z.object({ n: z.number() }),
  estimate: () => 0,
  inDoubt: 'retry',
  execute: ({ n }) => `written ${n}`,
})

/** Works for so many minutes of the runtime's clock before the tool, and after it. */
type Work = { readonly before: number; readonly after: number; readonly tools?: number }

async function opened(): Promise<{ runtime: TestRuntime; restart(): Promise<TestRuntime> }> {
  const clock: { current: TestRuntime['clock'] | undefined } = { current: undefined }
  const minutes = (n: number): Promise<void> =>
    new Promise((resolve) => clock.current?.setTimeout(resolve, n * MINUTE))
  const agent = defineAgent('worker', async (ctx, { before, after, tools = 1 }: Work) => {
    await ctx.step('before', () => minutes(before))
    const all = await Promise.all(Array.from({ length: tools }, (_, n) => ctx.tool(write, { n })))
    await ctx.step('after', () => minutes(after))
    return all
  })
  const runtime = await createTestRuntime({
    agents: [agent],
    tools: [write],
    hooks: { asks },
    approvalTtlMs: 90 * DAY,
  })
  clock.current = runtime.clock
  return { runtime, restart: () => runtime.restart() }
}

const start = (runtime: TestRuntime, input: Work) =>
  runtime.agents.startById({ agent_id: 'worker', run_id: 'run_1', deadline_ms: HOUR_MS, input })
const stateOf = async (runtime: TestRuntime): Promise<string> =>
  (await runtime.agents.result({ agent_id: 'run_1' })).state
const deadlineOf = async (runtime: TestRuntime): Promise<AgentContext> =>
  (await runtime.replay('run_1')).context as AgentContext
const approveAll = async (runtime: TestRuntime): Promise<void> => {
  for (const { approval_id } of await runtime.approvals.list())
    await runtime.approvals.approve(approval_id, { by: 'ann' })
}

describe('while a person is waited for', () => {
  test('the deadline stands still, over weeks and a restart; then what is left of it runs on', async () => {
    const { runtime: first } = await opened()
    await start(first, { before: 20, after: 50 })
    await first.clock.advance(20 * MINUTE)
    expect(await stateOf(first)).toBe('awaiting_approval')
    await first.clock.advance(10 * DAY)
    const second = await first.restart()
    await second.clock.advance(11 * DAY)
    expect(await stateOf(second)).toBe('awaiting_approval')
    expect(await deadlineOf(second)).toMatchObject({
      deadline_left_ms: 40 * MINUTE,
      deadline_since: null,
      waiting_for: [expect.stringMatching(/^appr_/)],
    })
    await approveAll(second)
    await second.clock.advance(39 * MINUTE)
    expect(await stateOf(second)).toBe('running')
    await second.clock.advance(MINUTE)
    expect(await stateOf(second)).toBe('timed_out')
    expect(second.troubles).toEqual([])
    await second.close()
  })

  test('a run that ends within what is left of it completes, and its result tells its time at work (O-041)', async () => {
    await using runtime = (await opened()).runtime
    await start(runtime, { before: 20, after: 39 })
    await runtime.clock.advance(20 * MINUTE + 21 * DAY)
    await approveAll(runtime)
    await runtime.clock.advance(39 * MINUTE)
    expect(await runtime.agents.result({ agent_id: 'run_1' })).toMatchObject({
      state: 'completed',
      duration_ms: 59 * MINUTE + 21 * DAY,
      active_ms: 59 * MINUTE,
      output: { value: ['written 0'] },
    })
  })

  test('of several persons, it runs on when the last has answered', async () => {
    await using runtime = (await opened()).runtime
    await start(runtime, { before: 1, after: 1, tools: 2 })
    await runtime.clock.advance(MINUTE)
    const [one, other] = await runtime.approvals.list()
    await runtime.approvals.approve(one?.approval_id ?? '', { by: 'ann' })
    await runtime.clock.advance(DAY)
    expect(await stateOf(runtime)).toBe('awaiting_approval')
    expect((await deadlineOf(runtime)).waiting_for).toEqual([other?.approval_id])
    await runtime.approvals.approve(other?.approval_id ?? '', { by: 'ann' })
    await runtime.clock.advance(MINUTE)
    expect(await stateOf(runtime)).toBe('completed')
  })

  test('one that is cancelled while it waits has waited for nobody since', async () => {
    await using runtime = (await opened()).runtime
    const run = await start(runtime, { before: 1, after: 1 })
    await runtime.clock.advance(DAY)
    await run.cancel('not needed')
    await runtime.clock.advance(DAY)
    expect(await deadlineOf(runtime)).toMatchObject({ waiting_for: [], deadline_since: null })
    expect((await runtime.query.pending()).timers).toEqual([])
  })
})

describe('while it is paused', () => {
  test('the deadline stands still for weeks and a restart, and goes on with what was left', async () => {
    const { runtime: first } = await opened()
    await start(first, { before: NEVER, after: 1 })
    await first.clock.advance(40 * MINUTE)
    await first.sessions.pause('run_1', { reason: 'holiday' })
    await first.clock.advance(20 * DAY)
    const second = await first.restart()
    await second.clock.advance(DAY)
    expect(await stateOf(second)).toBe('paused')
    await second.sessions.resume('run_1')
    await second.clock.advance(19 * MINUTE)
    expect(await stateOf(second)).toBe('running')
    await second.clock.advance(MINUTE)
    expect(await stateOf(second)).toBe('timed_out')
    await second.close()
  })

  test('several pauses add up', async () => {
    await using runtime = (await opened()).runtime
    await start(runtime, { before: NEVER, after: 1 })
    for (const worked of [25, 25]) {
      await runtime.clock.advance(worked * MINUTE)
      await runtime.sessions.pause('run_1')
      await runtime.clock.advance(7 * DAY)
      await runtime.sessions.resume('run_1')
    }
    await runtime.clock.advance(9 * MINUTE)
    expect(await stateOf(runtime)).toBe('running')
    await runtime.clock.advance(MINUTE)
    expect(await stateOf(runtime)).toBe('timed_out')
  })

  test('the session that a run works for pauses it with itself, and takes it up again', async () => {
    await using runtime = (await opened()).runtime
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.agents.startById({
      agent_id: 'worker',
      run_id: 'run_1',
      session_id: session.id,
      deadline_ms: HOUR_MS,
      input: { before: NEVER, after: 1 },
    })
    await runtime.clock.advance(40 * MINUTE)
    await runtime.sessions.pause(session)
    expect(await stateOf(runtime)).toBe('paused')
    await runtime.clock.advance(21 * DAY)
    await runtime.sessions.resume(session)
    await runtime.clock.advance(19 * MINUTE)
    expect(await stateOf(runtime)).toBe('running')
    await runtime.clock.advance(MINUTE)
    expect(await stateOf(runtime)).toBe('timed_out')
  })
})
