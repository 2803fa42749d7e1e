/** Actors that were decided by an older version of their machine go on under today's: as they are, migrated, or not at all. */
import { describe, expect, test } from 'vitest'
import { assign, fromPromise, setup, type AnyEventObject } from 'xstate'
import { withPolicies } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest, until } from './engine-under-test.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false }
const types = { context: {} as Record<string, unknown>, events: {} as AnyEventObject }

/** Counts money in a number; waits for an hour once it is paid. */
const v1 = setup({ types, actors: { ship: fromPromise(() => new Promise(() => {})) } }).createMachine({
  id: 'order',
  context: { price: 5 },
  initial: 'open',
  states: {
    open: {
      on: { add: { actions: assign({ price: ({ context }) => Number(context['price']) + 1 }) }, pay: 'paid' },
    },
    paid: { after: { 3_600_000: 'lost' }, on: { ship: 'shipping' } },
    shipping: { invoke: { id: 'ship', src: 'ship' } },
    lost: {},
  },
})

/** Counts cents, and calls its states otherwise. */
const v2 = setup({
  types,
  actors: { ship: fromPromise(async () => 'there'), courier: fromPromise(async () => 'there') },
}).createMachine({
  id: 'order',
  version: '2',
  context: { cents: 500 },
  initial: 'open',
  states: {
    open: {
      on: {
        add: { actions: assign({ cents: ({ context }) => Number(context['cents']) + 100 }) },
        settle: 'settled',
      },
    },
    settled: { after: { 3_600_000: 'lost' }, on: { ship: 'shipping' } },
    shipping: { invoke: { id: 'ship', src: 'ship', onDone: 'shipped' } },
    shipped: { type: 'final' },
    lost: {},
  },
})

const toCents = ({ value, context }: { value: unknown; context: { price: number } }) => ({
  value: value === 'paid' ? 'settled' : value,
  context: { cents: context.price * 100 },
  rename: { 'xstate.after.3600000.order.paid': 'xstate.after.3600000.order.settled' },
})
const migrating = withPolicies(v2, { versions: { '1': { machine: v1, migrate: toCents } } })

async function recorded(): Promise<TestRuntime> {
  const runtime = await createTestRuntime({ machines: [v1] })
  for (const [id, ...events] of [
    ['open', 'add'],
    ['paid', 'add', 'pay'],
    ['shipping', 'pay', 'ship'],
  ] as const) {
    const actor = await runtime.spawn(v1, { id })
    for (const type of events) await actor.send({ type })
  }
  return runtime
}

const options = { logger: quiet, onError: () => {} }

describe('an actor that an older version decided', () => {
  test('goes on under a version that replays it, and the log says from where on', async () => {
    const renamed = v1.provide({})
    const same = setup({ types, actors: { ship: fromPromise(() => new Promise(() => {})) } }).createMachine({
      ...renamed.config,
      version: '1.1',
    } as never) as unknown as typeof v1
    const runtime = await (await recorded()).restart({ machines: [same], ...options })
    const actor = await runtime.get(same, 'paid')
    expect(actor?.getSnapshot()).toMatchObject({ value: 'paid', context: { price: 6 } })
    expect(actor?.version).toBe(4)
    const [event] = await eventsFrom(runtime, 'paid', 4)
    expect(event).toMatchObject({
      event_type: 'actor.migrated',
      machine: 'order@1.1',
      state: 'paid',
      source_agent: 'migration',
    })
    expect(await runtime.send('paid', { type: 'ship' })).toMatchObject({ accepted: true, version: 5 })
    await runtime.close()
  })

  test('is migrated, once, with its timers and children, and goes on', async () => {
    const runtime = await (await recorded()).restart({ machines: [migrating], ...options })
    expect(runtime.parked).toEqual([])
    expect((await runtime.get(v2, 'open'))?.getSnapshot()).toMatchObject({
      value: 'open',
      context: { cents: 600 },
    })
    const paid = await runtime.get(v2, 'paid')
    expect(paid?.getSnapshot()).toMatchObject({ value: 'settled', context: { cents: 600 } })
    const shipping = await runtime.get(v2, 'shipping')
    await until(() => shipping?.getSnapshot().value === 'shipped', 'the step that goes on in the new version')
    await runtime.clock.advance(3_600_000)
    await until(() => paid?.getSnapshot().value === 'lost', 'the timer that was set in the old version')
    expect(await runtime.verify()).toMatchObject({ ok: true, needs_machines: [] })

    const again = await runtime.restart()
    await rest()
    expect((await again.get(v2, 'paid'))?.version).toBe(5)
    expect((await again.get(v2, 'open'))?.getSnapshot().context).toEqual({ cents: 600 })
    await again.close()
  })

  test('is replayed, before the migration and after it, and forked', async () => {
    const runtime = await (await recorded()).restart({ machines: [migrating], ...options })
    await runtime.get(v2, 'open')
    await runtime.send('open', { type: 'add' })
    expect(await runtime.replay('open', { to: 2 })).toMatchObject({ value: 'open', context: { price: 6 } })
    expect(await runtime.replay('open', { to: 3 })).toMatchObject({ value: 'open', context: { cents: 600 } })
    expect(await runtime.replay('open')).toMatchObject({ context: { cents: 700 }, version: 4 })
    await runtime.get(v2, 'paid')
    const { id } = await runtime.fork('paid')
    expect((await runtime.get(v2, id))?.getSnapshot()).toMatchObject({
      value: 'settled',
      context: { cents: 600 },
    })
    expect(await runtime.verify()).toMatchObject({ ok: true })
    await runtime.resumeFork(id)
    await runtime.clock.advance(3_600_000)
    await until(async () => (await runtime.replay(id)).value === 'lost', 'the timer of the fork')
    await runtime.close()
  })

  test('is parked if nothing takes it over, told of precisely, and left as it is', async () => {
    const first = await recorded()
    const before = first.store.position()
    const runtime = await first.restart({ machines: [v2], ...options })
    expect(runtime.parked.map(({ id, code }) => [id, code])).toEqual([
      // The timer of the other one is not due: nobody has asked for it.
      ['shipping', 'MIGRATION_MISSING'],
    ])
    await expect(runtime.get(v2, 'paid')).rejects.toMatchObject({
      code: 'MIGRATION_MISSING',
      message: expect.stringContaining(
        '"paid" was last decided by "order@1", and "order@2" does not replay it as recorded: event 3 ("pay")',
      ) as string,
      details: {
        from: 'order@1',
        to: 'order@2',
        version: 3,
        event_type: 'pay',
        expected: 'paid',
        got: 'open',
      },
    })
    expect(runtime.store.position()).toBe(before + 1)
    const again = await runtime.restart({ machines: [migrating], ...options })
    expect(again.parked).toEqual([])
    await again.close()
  })

  test.each([
    ['a state that is not there', { value: 'nowhere' }, 'it has no state "nowhere"'],
    [
      'a timer of another state',
      { rename: {} },
      'its timer "xstate.after.3600000.order.paid" is of a state that it is not in',
    ],
    [
      'a state whose step never began',
      { value: 'shipping', drop: ['xstate.after.3600000.order.paid'], rename: {} },
      'invokes "ship" there, which was never started',
    ],
    [
      'a state whose timer was never set',
      { drop: ['xstate.after.3600000.order.paid'], rename: {} },
      'waits for "xstate.after.3600000.order.settled" there, which was never set',
    ],
  ])('is parked if the migration leads to %s', async (_what, change, says) => {
    const migrate = (state: never) => ({ ...toCents(state), ...change })
    const machines = [withPolicies(v2, { versions: { '1': { machine: v1, migrate } } })]
    const runtime = await (await recorded()).restart({ machines, ...options })
    await expect(runtime.get(v2, 'paid')).rejects.toMatchObject({
      code: 'MIGRATION_INVALID',
      message: expect.stringContaining(says) as string,
    })
    await runtime.clock.advance(3_600_000)
    await until(() => runtime.parked.some(({ id }) => id === 'paid'), 'its timer to be due')
    expect(runtime.parked).toContainEqual(expect.objectContaining({ id: 'paid', code: 'MIGRATION_INVALID' }))
    await runtime.close()
  })

  test('goes through every version in between', async () => {
    const v3 = setup({ types }).createMachine({
      id: 'order',
      version: '3',
      context: {},
      initial: 'open',
      states: { open: { on: { add: {} } }, settled: {}, shipping: {} },
    })
    const twice = withPolicies(v3, {
      versions: {
        '1': { machine: v1, migrate: toCents },
        '2': {
          machine: v2,
          migrate: ({ value, context }: { value: unknown; context: { cents: number } }) => ({
            value,
            context: { euro: context.cents / 100 },
          }),
        },
      },
    })
    const first = await (await recorded()).restart({ machines: [twice], ...options })
    expect((await first.get(v3, 'open'))?.getSnapshot().context).toEqual({ euro: 6 })
    await first.close()
    const second = await (await recorded()).restart({ machines: [migrating], ...options })
    await second.get(v2, 'open')
    const third = await second.restart({ machines: [twice], ...options })
    expect((await third.get(v3, 'open'))?.getSnapshot().context).toEqual({ euro: 6 })
    expect(await third.replay('open', { to: 2 })).toMatchObject({ context: { price: 6 } })
    expect(await third.replay('open', { to: 3 })).toMatchObject({ context: { cents: 600 } })
    await third.close()
  })
})

test('verify says before a deployment which actors would not go on, and where', async () => {
  const runtime = await recorded()
  const report = await runtime.verify({ machines: [v2] })
  expect(report).toMatchObject({ ok: false, problem_count: 2, needs_machines: [] })
  expect(report.problems[0]).toMatchObject({
    kind: 'migration',
    stream_id: 'paid',
    machine: 'order@1',
    version: 3,
    event_type: 'pay',
    expected: 'paid',
    got: 'open',
  })
  expect(await runtime.verify({ machines: [migrating] })).toMatchObject({ ok: true, problems: [] })
  await runtime.close()
})

test('a child whose machine has a new version is migrated, though its parent has none', async () => {
  const parentOf = (child: typeof v1) =>
    setup({ types, actors: { order: child } }).createMachine({
      id: 'shop',
      context: {},
      invoke: { id: 'order', src: 'order' },
      on: { add: { actions: ({ self }) => void self } },
    })
  const old = parentOf(v1)
  const runtime = await createTestRuntime({ machines: [old] })
  await runtime.spawn(old, { id: 's-1' })
  const today = parentOf(v2 as never)
  const machines = [
    withPolicies(today, { actors: { order: { versions: { '1': { machine: v1, migrate: toCents } } } } }),
  ]
  const next = await runtime.restart({ machines, ...options })
  await next.get(today, 's-1')
  expect(await next.replay('s-1:1:0')).toMatchObject({ machine: 'shop/order@2', context: { cents: 500 } })
  expect(await next.verify()).toMatchObject({ ok: true, needs_machines: [] })
  await next.close()
})

async function eventsFrom(runtime: TestRuntime, id: string, fromVersion: number) {
  const events = []
  for await (const event of runtime.store.readStream(id, { fromVersion })) events.push(event)
  return events
}
