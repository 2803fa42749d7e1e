/** A handler that lives is seen to live, one that is silent is given up and run again, and what its beats said is there then. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  defineAgent,
  defineTool,
  loadHandoff,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type AgentDefinition,
  type HandlerContext,
  type PermissionHook,
} from '../../src/index.ts'
import {
  createTestRuntime,
  createTestClock,
  type TestClock,
  type TestRuntime,
} from '../../src/testing/index.ts'
import { allEvents, deferred, eventsOf } from './project-folder.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE
const never = new Promise<never>(() => {})

/** Waits by the clock of the test. */
const pauseOn = (clock: TestClock, ms: number): Promise<void> =>
  new Promise((resolve) => clock.setTimeout(resolve, ms))
const typesOf = async (runtime: TestRuntime, id: string): Promise<string[]> =>
  (await eventsOf(runtime, id)).map(({ event_type }) => event_type)
const count = async (runtime: TestRuntime, id: string, type: string): Promise<number> =>
  (await typesOf(runtime, id)).filter((one) => one === type).length
const resultOf = (runtime: TestRuntime, id: string) => runtime.agents.result({ agent_id: id })

async function begun(
  agents: readonly AgentDefinition[],
  clock = createTestClock(),
): Promise<{ runtime: TestRuntime; run_id: string }> {
  const runtime = await createTestRuntime({ agents, clock })
  const { run_id } = await runtime.agents.startById({ agent_id: agents[0]?.id ?? '' })
  return { runtime, run_id }
}

describe('a handler that beats', () => {
  test('lives as long as it likes, and few of its beats are events', async () => {
    const clock = createTestClock()
    const { runtime, run_id } = await begun(
      [
        defineAgent({
          id: 'counter',
          heartbeatTimeoutMs: 10 * SECOND,
          run: async (ctx) =>
            ctx.step('count', async () => {
              for (let n = 1; n <= 600; n += 1) {
                await pauseOn(clock, SECOND)
                ctx.heartbeat({ counted: n })
              }
              return 'counted'
            }),
        }),
      ],
      clock,
    )
    await clock.advance(5 * MINUTE)
    const { state, heartbeat } = await resultOf(runtime, run_id)
    expect(state).toBe('running')
    expect(heartbeat?.details).toEqual({ counted: expect.closeTo(300, -1.5) as number })
    await clock.advance(5 * MINUTE)
    expect(await resultOf(runtime, run_id)).toMatchObject({
      state: 'completed',
      heartbeat: { details: { counted: 600 } },
      output: { value: 'counted' },
    })
    // Eight seconds lie between two of them: four fifths of the time limit.
    const beats = await count(runtime, run_id, 'agent.heartbeat')
    expect(beats).toBeGreaterThan(60)
    expect(beats).toBeLessThanOrEqual(77)
    expect(await count(runtime, run_id, 'agent.lost')).toBe(0)
    await runtime.close()
  })

  test('without a time limit has one event in half a minute, and the last one when it is stopped', async () => {
    const clock = createTestClock()
    const { runtime, run_id } = await begun(
      [
        defineAgent('walker', async (ctx) => {
          for (let n = 1; ; n += 1) {
            ctx.heartbeat(n)
            await pauseOn(clock, SECOND)
          }
        }),
      ],
      clock,
    )
    await clock.advance(95 * SECOND)
    const told = async (): Promise<unknown[]> =>
      (await eventsOf(runtime, run_id))
        .filter(({ event_type }) => event_type === 'agent.heartbeat')
        .map(({ payload }) => (payload as { details: unknown }).details)
    expect(await told()).toEqual([1, 30, 60, 90])
    await runtime.sessions.pause(run_id)
    await clock.advance(0)
    expect((await told()).at(-1)).toBe(96)
    await runtime.close()
  })

  test('is told what it said last when it goes on after a restart', async () => {
    const heard: unknown[] = []
    const reached = deferred()
    const agent = defineAgent('copier', async (ctx) =>
      ctx.step('copy', async () => {
        heard.push(ctx.last_heartbeat?.details ?? null)
        if (ctx.attempt > 1) return 'copied'
        ctx.heartbeat({ row: 1 })
        ctx.heartbeat({ row: 2 })
        reached.resolve()
        return never
      }),
    )
    const { runtime: first, run_id } = await begun([agent])
    await reached.promise
    await using second = await first.restart()
    expect((await second.agents.wait(run_id)).output.value).toBe('copied')
    expect(heard).toEqual([null, { row: 2 }])
  })

  test('says what is no data in words', async () => {
    const { runtime, run_id } = await begun([
      defineAgent('odd', async (ctx) => ctx.heartbeat({ when: (() => 1) as never })),
    ])
    expect((await runtime.agents.wait(run_id)).state).toBe('completed')
    const { heartbeat } = await resultOf(runtime, run_id)
    expect(heartbeat?.details).toEqual({ when: '[function when]' })
    await runtime.close()
  })
})

describe('a handler that is silent', () => {
  /** Hangs in its second step in as many attempts as told. */
  const hanging = (times: number, ran: string[], retry = {}) =>
    defineAgent({
      id: 'hangs',
      heartbeatTimeoutMs: 30 * SECOND,
      retry: { delayMs: SECOND, jitter: 0, ...retry },
      run: async (ctx: HandlerContext) => {
        await ctx.step('first', () => ran.push('first'))
        return ctx.step('second', async () => {
          ran.push(`second ${JSON.stringify(ctx.last_heartbeat?.details ?? null)}`)
          ctx.heartbeat({ attempt: ctx.attempt })
          return ctx.attempt <= times ? never : 'done'
        })
      },
    })

  test('is given up after its time limit, and runs again from its top with what its beats said', async () => {
    const ran: string[] = []
    const { runtime, run_id } = await begun([hanging(2, ran)])
    await runtime.clock.advance(30 * SECOND - 1)
    expect(await resultOf(runtime, run_id)).toMatchObject({ state: 'running' })
    await runtime.clock.advance(1)
    expect(await resultOf(runtime, run_id)).toMatchObject({ state: 'queued' })
    await runtime.clock.advance(2 * MINUTE)
    expect(await resultOf(runtime, run_id)).toMatchObject({ state: 'completed', output: { value: 'done' } })
    expect(ran).toEqual(['first', 'second null', 'second {"attempt":1}', 'second {"attempt":2}'])
    expect(await count(runtime, run_id, 'agent.lost')).toBe(2)
    expect((await runtime.replay(run_id)).context).toMatchObject({ attempts: 3, losses: 0, retry_at: null })
    await runtime.close()
  })

  test('fails with HEARTBEAT_LOST when it has been given up often enough, and its parent hears of it', async () => {
    const runtime = await createTestRuntime({ agents: [hanging(99, [], { attempts: 3 })] })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const { run_id } = await runtime.agents.startById({ agent_id: 'hangs', parent_id: session.id })
    await runtime.clock.advance(5 * MINUTE)
    const result = await resultOf(runtime, run_id)
    expect(result).toMatchObject({ status: 'failed', state: 'failed' })
    expect(result.output.errors?.[0]).toContain('gave no sign of life for 30000 ms')
    expect(await count(runtime, run_id, 'agent.began')).toBe(3)
    const [message] = await session.inbox.list()
    expect(message?.outcome).toMatchObject({ kind: 'failed', error: { code: 'HEARTBEAT_LOST' } })
    await runtime.close()
  })

  test('waits for its next attempt over a restart', async () => {
    const ran: string[] = []
    const { runtime: first, run_id } = await begun([hanging(1, ran, { delayMs: DAY, maxDelayMs: DAY })])
    await first.clock.advance(MINUTE)
    const second = await first.restart()
    await second.clock.advance(DAY - 2 * MINUTE)
    expect((await resultOf(second, run_id)).state).toBe('queued')
    await second.clock.advance(2 * MINUTE)
    expect((await resultOf(second, run_id)).state).toBe('completed')
    await second.close()
  })

  test('without a time limit is left alone', async () => {
    const { runtime, run_id } = await begun([defineAgent('quiet', () => never)])
    await runtime.clock.advance(12 * 60 * MINUTE)
    expect((await resultOf(runtime, run_id)).state).toBe('running')
    await runtime.close()
  })
})

describe('is no silence', () => {
  const options = { heartbeatTimeoutMs: 10 * SECOND }

  test('a log line, or one call after the other', async () => {
    const clock = createTestClock()
    const { runtime, run_id } = await begun(
      [
        defineAgent({
          ...options,
          id: 'talker',
          run: async (ctx) => {
            await ctx.step('talk', async () => {
              for (let n = 0; n < 9; n += 1) {
                await pauseOn(clock, 9 * SECOND)
                ctx.log(`line ${n}`)
              }
            })
            for (let n = 0; n < 9; n += 1) await ctx.step(`step ${n}`, () => pauseOn(clock, 9 * SECOND))
          },
        }),
      ],
      clock,
    )
    await clock.advance(4 * MINUTE)
    expect((await resultOf(runtime, run_id)).state).toBe('completed')
    expect(await count(runtime, run_id, 'agent.lost')).toBe(0)
    await runtime.close()
  })

  test('waiting for a person, for a run, for a message and for a handoff', async () => {
    const asks: PermissionHook = {
      triggers: ['execute:write'],
      validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
    }
    const write = defineTool({
      name: 'write',
      capabilities: ['execute:write'],
      input: z.object({}),
      estimate: () => 0,
      inDoubt: 'retry',
      execute: () => 'written',
    })
    const agents = [
      defineAgent({ ...options, id: 'asker', run: (ctx) => ctx.tool(write, {}) }),
      defineAgent({
        ...options,
        id: 'waiter',
        role: 'supervisor',
        run: async () => {
          const run = await startBackgroundAgent({ agent_id: 'slow' })
          return (await waitForBackgroundAgent(run, { timeout: 5 * DAY })).status
        },
      }),
      defineAgent({
        ...options,
        id: 'receiver',
        role: 'supervisor',
        run: async (ctx) => {
          await startBackgroundAgent({ agent_id: 'slow' })
          return (await ctx.inbox.receive({ timeoutMs: 5 * DAY }))?.outcome.kind
        },
      }),
      defineAgent({
        ...options,
        id: 'loader',
        run: async () => (await loadHandoff('supervisor_to_workagent', { timeoutMs: 5 * DAY }))['n'],
      }),
      defineAgent('slow', async () => pauseOn(runtime.clock, DAY / 2)),
    ]
    const runtime = await createTestRuntime({ agents, tools: [write], hooks: { asks } })
    const runs: string[] = []
    for (const agent_id of ['asker', 'waiter', 'receiver', 'loader'])
      runs.push((await runtime.agents.startById({ agent_id })).run_id)
    await runtime.clock.advance(DAY / 4)
    const boss = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.handOff(
      { from: boss, to: runs[3] ?? '' },
      { type: 'supervisor_to_workagent', context: { n: 4 } },
    )
    await runtime.clock.advance(DAY / 2)
    const [approval] = await runtime.approvals.list()
    await runtime.approvals.approve(approval?.approval_id ?? '', { by: 'ann' })
    await runtime.clock.advance(MINUTE)
    const results = await Promise.all(runs.map((id) => resultOf(runtime, id)))
    expect(results.map(({ output }) => output.value)).toEqual(['written', 'completed', 'succeeded', 4])
    expect((await allEvents(runtime)).filter(({ event_type }) => event_type === 'agent.lost')).toEqual([])
    await runtime.close()
  })
})

describe('runWatchdog (O-223)', () => {
  /** A clock whose timers do not fire, as in a process that is too busy; time goes on all the same. */
  function lateClock(): TestClock & { skip(ms: number): void } {
    const clock = createTestClock()
    let skipped = 0
    return { ...clock, now: () => clock.now() + skipped, skip: (ms) => void (skipped += ms) }
  }

  test('gives up the attempt of a silent run, once, and never that of a live one', async () => {
    const clock = lateClock()
    const silent = defineAgent({ id: 'silent', heartbeatTimeoutMs: MINUTE, run: () => never })
    const live = defineAgent({
      id: 'live',
      heartbeatTimeoutMs: MINUTE,
      run: (ctx) => {
        beat = () => ctx.heartbeat()
        return never
      },
    })
    let beat = (): void => {}
    const runtime = await createTestRuntime({ agents: [silent, live], clock })
    const dead = await runtime.agents.startById({ agent_id: 'silent' })
    const alive = await runtime.agents.startById({ agent_id: 'live' })
    await clock.advance(0)
    clock.skip(59 * SECOND)
    beat()
    expect(await runtime.compliance.runWatchdog()).toMatchObject({ silent: [], recovered: [], failed: [] })
    clock.skip(2 * SECOND)
    const reports = await Promise.all([runtime.compliance.runWatchdog(), runtime.compliance.runWatchdog()])
    expect(reports.flatMap((report) => report.silent)).toEqual([dead.run_id])
    expect(await count(runtime, dead.run_id, 'agent.lost')).toBe(1)
    expect(await typesOf(runtime, alive.run_id)).not.toContain('agent.lost')
    await runtime.close()
  })

  test('leaves everybody alone after the process was suspended: it slept, and not the handlers', async () => {
    const clock = lateClock()
    const runtime = await createTestRuntime({
      agents: [defineAgent({ id: 'quiet', heartbeatTimeoutMs: MINUTE, run: () => never })],
      clock,
    })
    const { run_id } = await runtime.agents.startById({ agent_id: 'quiet' })
    await clock.advance(0)
    clock.skip(8 * 60 * MINUTE)
    expect((await runtime.compliance.runWatchdog()).silent).toEqual([])
    expect((await resultOf(runtime, run_id)).state).toBe('running')
    clock.skip(61 * SECOND)
    expect((await runtime.compliance.runWatchdog()).silent).toEqual([run_id])
    await runtime.close()
  })
})
