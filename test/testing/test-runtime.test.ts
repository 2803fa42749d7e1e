/** The runtime for tests: durable behaviour without a disk and without waiting. */
import { describe, expect, test, vi } from 'vitest'
import { assign, setup } from 'xstate'
import { defineAgent } from '../../src/index.ts'
import { createTestClock, createTestRuntime, type TestRuntimeOptions } from '../../src/testing/index.ts'

const reminder = setup({
  types: { context: {} as { rung: number }, events: {} as { type: 'set' } },
  actions: { ring: assign({ rung: ({ context }) => context.rung + 1 }) },
}).createMachine({
  id: 'reminder',
  context: { rung: 0 },
  initial: 'off',
  states: {
    off: { on: { set: 'on' } },
    on: { after: { 1_814_400_000: { target: 'off', actions: 'ring' } } },
  },
})

const careless = setup({
  types: { events: {} as { type: 'trip' } },
  actions: {
    fall: () => {
      throw new Error('fell')
    },
  },
}).createMachine({ id: 'careless', on: { trip: { actions: 'fall' } } })

describe('a test runtime', () => {
  test('fires a timer of three weeks when the clock is moved, not before, over a restart (O-008)', async () => {
    const first = await createTestRuntime({ machines: [reminder] })
    const actor = await first.spawn(reminder, { id: 'r-1' })
    expect(await actor.send({ type: 'set' })).toMatchObject({ accepted: true, version: 2 })
    await first.clock.advance(20 * 24 * 60 * 60 * 1000)
    const second = await first.restart()
    const woken = await second.get(reminder, 'r-1')
    expect(woken?.getSnapshot().value).toBe('on')
    await second.clock.advance(24 * 60 * 60 * 1000)
    expect(woken?.getSnapshot()).toMatchObject({ value: 'off', context: { rung: 1 } })
    await second.close()
  })

  test('gives the same ids and times in each run', async () => {
    const story = async (): Promise<unknown[]> => {
      const runtime = await createTestRuntime()
      const session = await runtime.sessions.start({ role: 'supervisor' })
      await runtime.clock.advance(1000)
      await runtime.sessions.end(session)
      const events: unknown[] = []
      for await (const { event_id, stream_id, event_type, timestamp } of runtime.store.readStream(
        session.id,
      )) {
        events.push({ event_id, stream_id, event_type, timestamp })
      }
      await runtime.close()
      return events
    }
    const events = await story()
    expect(events).toEqual(await story())
    expect(events.at(-1)).toMatchObject({
      event_id: expect.stringMatching(/^00000000-0000-7000-9000-/) as string,
      stream_id: 'sess_00000000-0000-7000-8000-000000000001',
      event_type: 'session.completed',
      timestamp: '2030-01-01T00:00:01.000Z',
    })
  })

  test('goes on with other code after a restart, and with what was recorded before', async () => {
    const ran: string[] = []
    const agent = (second: () => Promise<string>) =>
      defineAgent('two-steps', async (ctx) => {
        await ctx.step('one', () => ran.push('one'))
        return ctx.step('two', second)
      })
    const first = await createTestRuntime({ agents: [agent(() => new Promise(() => {}))] })
    const { run_id } = await first.agents.startById({ agent_id: 'two-steps' })
    await first.clock.advance(1)
    expect(ran).toEqual(['one'])
    const second = await first.restart({ agents: [agent(async () => 'done')] })
    const { state, output } = await second.agents.wait(run_id)
    expect({ state, value: output.value, ran }).toEqual({ state: 'completed', value: 'done', ran: ['one'] })
    await second.close()
  })

  test('is closed for good when it is closed without a restart', async () => {
    const runtime = await createTestRuntime()
    await runtime.close()
    await expect(runtime.store.append('a', [{ event_type: 'b' }])).rejects.toMatchObject({
      code: 'ES_CLOSED',
    })
  })

  test('makes other ids of another seed, and the ids of a function that is given', async () => {
    const firstId = async (ids: TestRuntimeOptions['ids']): Promise<string> => {
      await using runtime = await createTestRuntime({ ...(ids !== undefined && { ids }) })
      return (await runtime.sessions.start({ role: 'supervisor' })).id
    }
    expect(await firstId(7)).toBe('sess_00000007-0000-7000-8000-000000000001')
    expect(await firstId(0xffff_ffff)).toBe('sess_ffffffff-0000-7000-8000-000000000001')
    let n = 40
    expect(await firstId((prefix) => `${prefix}_${(n += 1)}`)).toMatch(/^sess_4\d$/)
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 32])
      await expect(createTestRuntime({ ids: seed })).rejects.toThrow(RangeError)
  })

  test('two runtimes can share one clock, which one test moves', async () => {
    const clock = createTestClock('2031-05-01T00:00:00Z')
    await using left = await createTestRuntime({ clock, machines: [reminder], ids: 1 })
    await using right = await createTestRuntime({ clock, machines: [reminder], ids: 2 })
    const actors = await Promise.all([left, right].map((each) => each.spawn(reminder, { id: 'r-1' })))
    await Promise.all(actors.map((actor) => actor.send({ type: 'set' })))
    await clock.advance(1_814_400_000)
    expect(actors.map((actor) => actor.getSnapshot().context.rung)).toEqual([1, 1])
    await expect(createTestRuntime({ clock, startAt: 0 })).rejects.toThrow(/leave one of them out/)
    const stuck = { now: () => 0, setTimeout: () => 0, clearTimeout: () => {} }
    await expect(createTestRuntime({ clock: stuck })).rejects.toThrow(/createTestClock/)
  })

  test('logs nothing; trouble that nobody waited for is kept for the test to look at', async () => {
    const written: unknown[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => written.push(chunk) > 0)
    try {
      await using runtime = await createTestRuntime({ machines: [careless] })
      const actor = await runtime.spawn(careless, { id: 'c-1' })
      await actor.send({ type: 'trip' })
      expect(runtime.troubles).toMatchObject([{ code: 'ACTION_FAILED' }])
      expect(written).toEqual([])
    } finally {
      write.mockRestore()
    }
  })
})
