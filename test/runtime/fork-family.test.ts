/** Forks of families: children come along, as they were at the same moment, and neither they nor hooks do anything. */
import { describe, expect, test } from 'vitest'
import {
  assign,
  emit,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  type AnyEventObject,
} from 'xstate'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest, until } from './engine-under-test.ts'

/** A parent whose child fetches, waits and reports; all that either does to the world is counted. */
function kitchen() {
  const did = { fetched: 0, noted: 0, answers: [] as (() => void)[] }
  const types = { context: {} as { n: number }, events: {} as AnyEventObject, emitted: {} as AnyEventObject }
  const count = assign<{ n: number }, AnyEventObject, undefined, AnyEventObject, never>({
    n: ({ context }) => context.n + 1,
  })
  const actions = { note: () => void (did.noted += 1) }
  const cook = setup({
    types,
    actions,
    actors: {
      fetch: fromPromise<number>(() => {
        did.fetched += 1
        return new Promise((resolve) => did.answers.push(() => resolve(1)))
      }),
    },
  }).createMachine({
    id: 'cook',
    context: { n: 0 },
    initial: 'idle',
    states: {
      idle: { on: { cook: 'cooking' } },
      cooking: {
        entry: [count, 'note'],
        invoke: {
          id: 'fetch',
          src: 'fetch',
          onDone: { target: 'cooling', actions: sendParent({ type: 'cooked' }) },
        },
      },
      cooling: { after: { 60_000: { target: 'idle', actions: sendParent({ type: 'cooled' }) } } },
    },
  })
  const machine = setup({ types, actions, actors: { cook } }).createMachine({
    id: 'kitchen',
    context: { n: 0 },
    invoke: { id: 'cook', src: 'cook' },
    on: {
      order: { actions: [sendTo('cook', { type: 'cook' }), 'note', emit({ type: 'ordered' })] },
      cooked: { actions: count },
      cooled: { actions: count },
    },
  })
  return { machine, did }
}

async function cooking() {
  const { machine, did } = kitchen()
  const runtime = await createTestRuntime({ machines: [machine] })
  const actor = await runtime.spawn(machine, { id: 'k-1' })
  await actor.send({ type: 'order' })
  did.answers[0]?.()
  await until(() => actor.getSnapshot().context.n === 1, 'what was cooked')
  expect(actor.version).toBe(3)
  return { runtime, machine, did, actor }
}

async function childOf(runtime: TestRuntime, id: string): Promise<{ value: unknown; id: string }> {
  const [child] = (await runtime.replay(id)).children ?? []
  const address = child?.key ?? ''
  return { id: address, value: (await runtime.replay(address)).value }
}

describe('a fork of an actor with children', () => {
  test.each([
    [1, 'idle', 0],
    [2, 'cooking', 0],
    [3, 'cooling', 1],
  ])('at version %d has its child where it was then (%s)', async (at, value, n) => {
    const { runtime, machine, did } = await cooking()
    const before = runtime.store.position()
    await runtime.fork('k-1', { at, newId: 'k-2' })
    expect(await childOf(runtime, 'k-2')).toEqual({ id: 'k-2:1:0', value })
    expect((await runtime.get(machine, 'k-2'))?.getSnapshot().context.n).toBe(n)
    // The original has nothing of it.
    for await (const event of runtime.store.readAll({ fromPosition: before + 1 })) {
      expect(event.stream_id).not.toMatch(/^k-1/)
    }
    expect(await runtime.verify()).toMatchObject({ ok: true, streams: 4 })
    expect(did).toMatchObject({ fetched: 1, noted: 2 })
    await runtime.close()
  })

  test('decides together with its child while it is paused, and neither does anything, over restarts and in time', async () => {
    const { runtime, machine, did } = await cooking()
    await runtime.fork('k-1', { at: 1, newId: 'k-2' })
    const said: unknown[] = []
    const fork = await runtime.get(machine, 'k-2')
    fork?.on('*', (event) => said.push(event))
    expect(await fork?.send({ type: 'order' })).toMatchObject({ accepted: true, version: 2 })
    expect(await childOf(runtime, 'k-2')).toMatchObject({ value: 'cooking' })
    await runtime.fork('k-1', { at: 3, newId: 'k-3' })
    const again = await runtime.restart()
    await again.clock.advance(3_600_000)
    await rest()
    expect(await childOf(again, 'k-3')).toMatchObject({ value: 'cooling' })
    expect({ said, fetched: did.fetched, noted: did.noted }).toEqual({ said: [], fetched: 1, noted: 2 })
    await again.replay('k-2')
    await again.verify()
    expect({ fetched: did.fetched, noted: did.noted }).toEqual({ fetched: 1, noted: 2 })
    await again.close()
  })

  test('goes on, child and all, when it is let go', async () => {
    const { runtime, machine, did } = await cooking()
    await runtime.fork('k-1', { at: 2, newId: 'k-2' })
    await runtime.resumeFork('k-2')
    expect(did.fetched).toBe(2)
    did.answers[1]?.()
    const fork = await runtime.get(machine, 'k-2')
    await until(() => fork?.getSnapshot().context.n === 1, 'what the fork cooked')
    await runtime.clock.advance(60_000)
    await until(() => fork?.getSnapshot().context.n === 2, 'the timer of its child')
    expect(await runtime.verify()).toMatchObject({ ok: true })
    await runtime.close()
  })

  test('replays a transition function that did nothing but emit', async () => {
    const herald = fromTransition(
      (state: { n: number }, _event: AnyEventObject, { emit: tell }) => {
        tell({ type: 'told' })
        return state
      },
      { n: 0 },
    )
    const machine = setup({ types: { events: {} as AnyEventObject }, actors: { herald } }).createMachine({
      id: 'court',
      invoke: { id: 'herald', src: 'herald' },
      on: { tell: { actions: sendTo('herald', { type: 'tell' }) } },
    })
    const runtime = await createTestRuntime({ machines: [machine] })
    await (await runtime.spawn(machine, { id: 'h-1' })).send({ type: 'tell' })
    const { id } = await runtime.fork('h-1')
    expect(await runtime.send(id, { type: 'tell' })).toMatchObject({ accepted: true, version: 3 })
    expect(await runtime.verify()).toMatchObject({ ok: true })
    await runtime.close()
  })

  test('is refused at a version in the middle of a turn, naming the one at its end', async () => {
    const types = { context: {} as { n: number }, events: {} as AnyEventObject }
    const echo = setup({ types }).createMachine({
      id: 'echo',
      context: { n: 0 },
      on: { call: { actions: sendParent({ type: 'heard' }) } },
    })
    const machine = setup({ types, actors: { echo } }).createMachine({
      id: 'caller',
      context: { n: 0 },
      invoke: { id: 'echo', src: 'echo' },
      on: {
        call: { actions: sendTo('echo', { type: 'call' }) },
        heard: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    })
    const runtime = await createTestRuntime({ machines: [machine] })
    await (await runtime.spawn(machine, { id: 'c-1' })).send({ type: 'call' })
    const before = runtime.store.position()
    await expect(runtime.fork('c-1', { at: 2 })).rejects.toMatchObject({
      code: 'FORK_REFUSED',
      message: expect.stringContaining('Fork it at version 3 or later') as string,
    })
    expect(runtime.store.position()).toBe(before)
    expect(await runtime.fork('c-1', { at: 3 })).toMatchObject({ from: { version: 3 } })
    await runtime.close()
  })
})

test('replay, verify and paused forks call no hook', async () => {
  let asked = 0
  const { machine } = kitchen()
  const runtime = await createTestRuntime({
    machines: [machine],
    hooks: {
      counting: {
        triggers: ['*'],
        validate: async () => {
          asked += 1
          return { allowed: true }
        },
      },
    },
  })
  const session = await runtime.sessions.start({ role: 'supervisor' })
  await runtime.sessions.pause(session.id)
  await runtime.spawn(machine, { id: 'k-1' })
  const before = asked
  expect(before).toBeGreaterThan(0)
  await runtime.replay(session.id)
  await runtime.replay(session.id, { to: 1 })
  await runtime.verify()
  const { id } = await runtime.fork('k-1')
  await runtime.send(id, { type: 'order' })
  expect(asked).toBe(before)
  await runtime.close()
})

test('a transition function that emits and changes nothing comes along, and decides on while it is held', async () => {
  const counter = fromTransition<number, AnyEventObject, never, undefined, AnyEventObject>(
    (n, event, { emit }) => {
      emit({ type: 'heard', what: event.type })
      return n
    },
    0,
  )
  const machine = setup({ actors: { counter } }).createMachine({
    id: 'keeper',
    invoke: { id: 'counter', src: 'counter' },
    on: { go: { actions: sendTo('counter', { type: 'tick' }) } },
  })
  const runtime = await createTestRuntime({ machines: [machine] })
  await (await runtime.spawn(machine, { id: 'k-1' })).send({ type: 'go' })
  const fork = await runtime.fork('k-1', { newId: 'k-2' })
  expect(await runtime.send(fork.id, { type: 'go' })).toMatchObject({ accepted: true })
  await runtime.resumeFork(fork.id)
  expect(await runtime.send(fork.id, { type: 'go' })).toMatchObject({ accepted: true })
  expect((await runtime.verify()).problems).toEqual([])
  expect(runtime.parked).toEqual([])
  await runtime.close()
})
