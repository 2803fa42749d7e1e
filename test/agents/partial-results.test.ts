/** What a handler has so far is kept: in the result of a run that is cancelled, fails or is too late, and after a crash. */
import { describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { createRuntime, defineAgent, type Runtime } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, deferred, eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const never = new Promise<never>(() => {})

/** Says after each of its steps what it has, then hangs; or throws, or returns. */
const collector = (then: 'hangs' | 'returns' | 'throws', reached = deferred()) =>
  defineAgent('collector', async (ctx) => {
    const rows: string[] = []
    for (const row of ['a', 'b', 'c']) {
      rows.push(await ctx.step(row, () => row))
      await ctx.partial(rows)
    }
    reached.resolve()
    if (then === 'throws') throw new Error('no more')
    return then === 'returns' ? rows : never
  })

const resultOf = (runtime: Runtime, id: string) => runtime.agents.result({ agent_id: id })
const partials = async (runtime: Runtime, id: string): Promise<unknown[]> =>
  (await eventsOf(runtime, id))
    .filter(({ event_type }) => event_type === 'agent.partial')
    .map(({ payload }) => (payload as { value: unknown }).value)

describe('what a handler has so far', () => {
  test('is in the result while it runs, and once it is cancelled; who started it is told as well', async () => {
    const reached = deferred()
    await using runtime = await createTestRuntime({ agents: [collector('hangs', reached)] })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const run = await runtime.agents.startById({ agent_id: 'collector', parent_id: session.id })
    await reached.promise
    expect(await resultOf(runtime, run.run_id)).toMatchObject({
      state: 'running',
      output: { partial: ['a', 'b', 'c'] },
    })
    await run.cancel('enough')
    expect(await run.result()).toMatchObject({
      state: 'cancelled',
      status: 'failed',
      output: { partial: ['a', 'b', 'c'], errors: ['cancelled: enough'] },
    })
    const message = await session.inbox.receive({ timeoutMs: 1000 })
    expect(message?.outcome).toEqual({ kind: 'cancelled', reason: 'enough', partial: ['a', 'b', 'c'] })
  })

  test('is in the result of a run that is too late, and of one that fails', async () => {
    await using late = await createTestRuntime({ agents: [collector('hangs')] })
    const one = await late.agents.startById({ agent_id: 'collector', deadline_ms: 5000 })
    await late.clock.advance(5000)
    expect(await one.result()).toMatchObject({ status: 'timeout', output: { partial: ['a', 'b', 'c'] } })
    await using failing = await createTestRuntime({ agents: [collector('throws')] })
    const other = await failing.agents.startById({ agent_id: 'collector' })
    expect(await other.result()).toMatchObject({
      status: 'failed',
      output: { partial: ['a', 'b', 'c'], errors: ['no more'] },
    })
  })

  test('is not in the result of one that succeeds: that has its value', async () => {
    await using runtime = await createTestRuntime({ agents: [collector('returns')] })
    const { output } = await (await runtime.agents.startById({ agent_id: 'collector' })).result()
    expect(output.value).toEqual(['a', 'b', 'c'])
    expect(output).not.toHaveProperty('partial')
  })

  test('is as it was said: what becomes of the value afterwards is not in it, and it is data', async () => {
    const reached = deferred()
    const agent = defineAgent('mutable', async (ctx) => {
      const rows: unknown[] = [new Date(0)]
      await ctx.partial({ rows, none: undefined })
      rows.push('later')
      reached.resolve()
      return never
    })
    await using runtime = await createTestRuntime({ agents: [agent] })
    const run = await runtime.agents.startById({ agent_id: 'mutable' })
    await reached.promise
    await run.cancel()
    expect((await run.result()).output.partial).toEqual({ rows: ['1970-01-01T00:00:00.000Z'] })
  })

  test('may be said in the middle of a step', async () => {
    const reached = deferred()
    const agent = defineAgent('deep', (ctx) =>
      ctx.step('long', async () => {
        await ctx.partial('half')
        reached.resolve()
        return never
      }),
    )
    await using runtime = await createTestRuntime({ agents: [agent] })
    const run = await runtime.agents.startById({ agent_id: 'deep' })
    await reached.promise
    await run.cancel()
    expect((await run.result()).output.partial).toBe('half')
  })

  test('that nobody awaits does not end the process when the run is stopped meanwhile', async () => {
    const reached = deferred()
    const agent = defineAgent('hasty', async (ctx) => {
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      void ctx.partial('too late')
      reached.resolve()
    })
    await using runtime = await createTestRuntime({ agents: [agent] })
    const run = await runtime.agents.startById({ agent_id: 'hasty' })
    await until(async () => (await resultOf(runtime, run.run_id)).state === 'running')
    await run.cancel()
    await reached.promise
    expect((await run.result()).output).not.toHaveProperty('partial')
    expect(runtime.troubles).toEqual([])
  })
})

test('a handler that runs again after a restart does not go back behind what it had said', async () => {
  const reached = deferred()
  const held = deferred()
  const agent = (wait: Promise<void>) =>
    defineAgent('again', async (ctx) => {
      await ctx.partial(1)
      if (ctx.attempt > 1) await wait
      await ctx.partial(2)
      reached.resolve()
      return never
    })
  const first = await createTestRuntime({ agents: [agent(held.promise)] })
  const run = await first.agents.startById({ agent_id: 'again' })
  await reached.promise
  await using second = await first.restart()
  await second.clock.advance(0)
  await second.agents.cancel(run.run_id)
  expect((await resultOf(second, run.run_id)).output.partial).toBe(2)
  expect(await partials(second, run.run_id)).toEqual([1, 2])
  held.resolve()
})

test('whichever event was the last before the process died, the run has what it had said by then', async () => {
  const story = async (runtime: Runtime): Promise<void> => {
    const run = await runtime.agents.startById({ agent_id: 'collector', run_id: 'run_1' })
    await run.result()
  }
  const probe = await createTestRuntime({ agents: [collector('returns')] })
  await story(probe)
  const events = await allEvents(probe)
  await probe.close()
  const first = events.findIndex(({ event_type }) => event_type === 'agent.began')
  const last = events.findIndex(({ event_type }) => event_type === 'agent.succeeded')
  for (const { position } of events.slice(first, last)) {
    const path = `${project.path()}-${position}`
    const disk = await openLevelEventStore({ path: `${path}/log` })
    const { store, dead } = dieAfter(disk, position)
    void createRuntime({ store, agents: [collector('returns')], onError: () => {} }).then(story)
    await dead
    await disk.close()
    // Without its code, the run waits as it was when the process died.
    const runtime = await createRuntime({ path, logLevel: 'silent' })
    const said = (await partials(runtime, 'run_1')).at(-1)
    await runtime.agents.cancel('run_1', 'never mind')
    const { state, output } = await resultOf(runtime, 'run_1')
    await runtime.close()
    expect({ position, state, partial: output.partial }).toEqual({
      position,
      state: 'cancelled',
      partial: said,
    })
    const known = events.filter((event) => event.position <= position && event.event_type === 'agent.partial')
    expect(said).toEqual((known.at(-1)?.payload as { value: unknown } | undefined)?.value)
  }
}, 60_000)
