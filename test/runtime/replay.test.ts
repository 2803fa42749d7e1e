/** Time travel: the state of an actor at a point of its past, with nothing done on the way. */
import { describe, expect, test } from 'vitest'
import { assign, emit, fromCallback, fromPromise, raise, sendParent, sendTo, setup } from 'xstate'
import { defineAgent, withPolicies, type ReplayStep } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest } from './engine-under-test.ts'

/** Counts each time that anything of it is done to the world. */
function countedOrder() {
  const done = { leaf: 0, action: 0 }
  const machine = setup({
    types: {
      context: {} as { paid: number },
      events: {} as { type: 'pay'; amount: number } | { type: 'ship' },
    },
    actors: {
      courier: fromPromise(async () => {
        done.leaf += 1
        return new Promise<string>(() => {})
      }),
    },
    actions: {
      thank: () => {
        done.action += 1
      },
    },
  }).createMachine({
    id: 'order',
    context: { paid: 0 },
    initial: 'open',
    states: {
      open: {
        on: {
          pay: {
            actions: [assign({ paid: ({ context, event }) => context.paid + event.amount }), 'thank'],
          },
          ship: 'shipping',
        },
      },
      shipping: {
        invoke: { id: 'courier', src: 'courier' },
        after: { 60_000: { target: 'late' } },
      },
      late: { type: 'final' },
    },
    output: ({ context }) => context.paid,
  })
  return { machine, done }
}

const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false }

async function orderWithAPast(): Promise<{
  runtime: TestRuntime
  done: ReturnType<typeof countedOrder>['done']
}> {
  const { machine, done } = countedOrder()
  const runtime = await createTestRuntime({ machines: [machine] })
  const order = await runtime.spawn(machine, { id: 'order-1' })
  await runtime.clock.advance(1_000)
  await order.send({ type: 'pay', amount: 3 })
  await runtime.clock.advance(1_000)
  await order.send({ type: 'pay', amount: 4 })
  await runtime.clock.advance(1_000)
  await order.send({ type: 'ship' })
  return { runtime, done }
}

describe('runtime.replay', () => {
  test('goes to the last version without being told where, with children and timers', async () => {
    const { runtime } = await orderWithAPast()
    expect(await runtime.replay('order-1')).toMatchObject({
      stream_id: 'order-1',
      machine: 'order@1',
      version: 4,
      head_version: 4,
      timestamp: '2030-01-01T00:00:03.000Z',
      event_type: 'ship',
      value: 'shipping',
      context: { paid: 7 },
      status: 'active',
      output: undefined,
      children: [{ id: 'courier', src: 'courier' }],
      timers: [{ due_at: '2030-01-01T00:01:03.000Z' }],
    })
    await runtime.close()
  })

  test('goes to a version, a position or a moment, which come to the same', async () => {
    const { runtime } = await orderWithAPast()
    const second = await runtime.replay('order-1', { to: 2 })
    expect(second).toMatchObject({
      version: 2,
      value: 'open',
      context: { paid: 3 },
      children: [],
      timers: [],
    })
    const at = Date.parse('2030-01-01T00:00:01Z')
    for (const to of [
      { version: 2 },
      { position: second.position },
      { time: at },
      { time: '2030-01-01T00:00:01.000Z' },
      { time: new Date(at) },
      { time: at + 999 },
    ]) {
      expect({ to, state: await runtime.replay('order-1', { to }) }).toEqual({ to, state: second })
    }
    expect((await runtime.replay('order-1', { to: { time: at + 1_000 } })).version).toBe(3)
    expect((await runtime.replay('order-1', { to: { time: '2999-01-01' } })).version).toBe(4)
    await runtime.close()
  })

  test('has the output and the status of an actor that came to its end', async () => {
    const { runtime } = await orderWithAPast()
    await runtime.clock.advance(60_000)
    expect(await runtime.replay('order-1')).toMatchObject({ value: 'late', status: 'done', output: 7 })
    await runtime.close()
  })

  test('runs no action, no leaf and no timer, and writes nothing', async () => {
    const { runtime, done } = await orderWithAPast()
    expect(done).toEqual({ leaf: 1, action: 2 })
    const before = runtime.store.position()
    for (const to of [1, 2, 3, 4]) await runtime.replay('order-1', { to, onStep: () => {} })
    await runtime.clock.advance(0)
    expect(done).toEqual({ leaf: 1, action: 2 })
    expect(runtime.store.position()).toBe(before)
    await runtime.close()
  })

  test('does nothing that a machine can do, to whichever version, position or moment it goes', async () => {
    const done = {
      action: 0,
      declared: 0,
      verify: 0,
      inline: 0,
      promise: 0,
      callback: 0,
      emitted: 0,
      told: 0,
    }
    const child = setup({ actions: { declared: () => void (done.declared += 1) } }).createMachine({
      id: 'child',
      entry: 'declared',
      on: { again: { actions: ['declared', sendParent({ type: 'told' })] } },
    })
    const machine = setup({
      types: { emitted: {} as { type: 'said' } },
      actors: {
        child,
        promise: fromPromise(async () => void (done.promise += 1)),
        callback: fromCallback(() => void (done.callback += 1)),
      },
      actions: { action: () => void (done.action += 1), declared: () => void (done.declared += 1) },
    }).createMachine({
      id: 'busy',
      invoke: [
        { id: 'child', src: 'child' },
        { id: 'promise', src: 'promise' },
        { id: 'callback', src: 'callback' },
      ],
      after: { 1_000: { actions: 'action' } },
      on: {
        again: {
          actions: [
            'action',
            'declared',
            () => void (done.inline += 1),
            emit({ type: 'said' }),
            sendTo('child', { type: 'again' }),
            raise({ type: 'later' }, { delay: 500 }),
          ],
        },
        later: { actions: 'declared' },
        told: { actions: () => void (done.told += 1) },
      },
    })
    const declared = { policy: 'verify' as const, verify: () => ({ happened: ++done.verify > 0 }) }
    const policies = { effects: { declared }, actors: { child: { effects: { declared } } } }
    const runtime = await createTestRuntime({ machines: [withPolicies(machine, policies)] })
    const actor = await runtime.spawn(machine, { id: 'busy-1' })
    actor.on('said', () => (done.emitted += 1))
    for (let n = 0; n < 3; n += 1) {
      await actor.send({ type: 'again' })
      await runtime.clock.advance(600)
    }
    await rest()
    expect(runtime.effects.list()).toEqual([])
    const before = { ...done, position: runtime.store.position(), pending: runtime.clock.pending() }
    expect(Object.entries(done).filter(([, times]) => times === 0)).toEqual([['verify', 0]])

    const { head_version } = await runtime.replay('busy-1')
    expect(head_version).toBeGreaterThan(8)
    for (let version = 1; version <= head_version; version += 1) {
      const { position, timestamp } = await runtime.replay('busy-1', { to: version })
      expect((await runtime.replay('busy-1', { to: { position } })).version).toBe(version)
      expect((await runtime.replay('busy-1', { to: { time: timestamp } })).timestamp).toBe(timestamp)
    }
    await runtime.verify()
    await rest()
    expect({ ...done, position: runtime.store.position(), pending: runtime.clock.pending() }).toEqual(before)
    await runtime.close()
  })

  test('asks no hook and runs no handler again', async () => {
    const asked: string[] = []
    let ran = 0
    const agent = defineAgent('worker', async (ctx) => ctx.step('work', () => ++ran))
    const runtime = await createTestRuntime({
      agents: [agent],
      hooks: {
        doorman: {
          triggers: ['agent:start'],
          validate: () => {
            asked.push('doorman')
            return { allowed: true }
          },
        },
      },
    })
    const { run_id } = await runtime.agents.startById({ agent_id: 'worker' })
    await runtime.agents.wait(run_id)
    const counts = { asked: asked.length, ran }
    expect(counts).toEqual({ asked: 1, ran: 1 })
    const { head_version } = await runtime.replay(run_id)
    for (let to = 1; to <= head_version; to += 1) await runtime.replay(run_id, { to })
    expect({ asked: asked.length, ran }).toEqual(counts)
    await runtime.close()
  })

  test('shows each step on the way, with its event, and waits for who looks at it', async () => {
    const { runtime } = await orderWithAPast()
    const seen: [number, string, unknown][] = []
    let looking = 0
    const last = await runtime.replay('order-1', {
      to: 3,
      async onStep({ version, event, context }: ReplayStep) {
        expect(looking).toBe(0)
        looking += 1
        await Promise.resolve()
        looking -= 1
        seen.push([version, event.event_type, context])
      },
    })
    expect(seen).toEqual([
      [1, 'actor.created', { paid: 0 }],
      [2, 'pay', { paid: 3 }],
      [3, 'pay', { paid: 7 }],
    ])
    expect(last).toMatchObject({ version: 3, context: { paid: 7 } })
    await runtime.close()
  })

  test.each([
    {
      what: 'an id that is not there',
      id: 'order-2',
      to: undefined,
      code: 'QUERY_NOT_FOUND',
      says: 'no stream "order-2"',
    },
    {
      what: 'a version beyond the end',
      id: 'order-1',
      to: 5,
      code: 'QUERY_NOT_FOUND',
      says: 'a whole number from 1 to 4',
    },
    { what: 'version 0', id: 'order-1', to: 0, code: 'QUERY_NOT_FOUND', says: 'a whole number from 1 to 4' },
    {
      what: 'a position beyond the end',
      id: 'order-1',
      to: { position: 999 },
      code: 'QUERY_NOT_FOUND',
      says: 'a whole number from 1 to',
    },
    {
      what: 'a moment before its birth',
      id: 'order-1',
      to: { time: 0 },
      code: 'QUERY_NOT_FOUND',
      says: '2030-01-01T00:00:00.000Z',
    },
    {
      what: 'a moment that is none',
      id: 'order-1',
      to: { time: 'soon' },
      code: 'INPUT_INVALID',
      says: 'ISO 8601',
    },
    { what: 'half a version', id: 'order-1', to: 1.5, code: 'INPUT_INVALID', says: 'whole numbers' },
    {
      what: 'a stream of no machine',
      id: 'facts',
      to: undefined,
      code: 'MACHINE_UNKNOWN',
      says: 'a stream of plain facts',
    },
  ])('refuses $what, saying what there is', async ({ id, to, code, says }) => {
    const { runtime } = await orderWithAPast()
    await runtime.store.append('facts', [{ event_type: 'noted' }])
    const refused = runtime.replay(id, to === undefined ? {} : { to })
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(says) as string })
    await runtime.close()
  })

  test('refuses an actor whose machine is not registered, and names the machine', async () => {
    const { runtime } = await orderWithAPast()
    const without = await runtime.restart({ machines: [], logger: quiet })
    await expect(without.replay('order-1')).rejects.toMatchObject({
      code: 'MACHINE_UNKNOWN',
      message: expect.stringContaining('"order@1", which is not registered') as string,
    })
    await without.close()
  })
})
