/** Delays of a machine: recorded with their due time, late rather than never, once. */
import { describe, expect, test } from 'vitest'
import {
  assign,
  cancel,
  createActor,
  emit,
  raise,
  sendParent,
  sendTo,
  setup,
  SimulatedClock,
  type AnyEventObject,
} from 'xstate'
import type { EventStore } from '../../eventstore/index.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest } from './engine-under-test.ts'
import { LeafWorld } from './leaf-world.ts'

const DAY = 24 * 60 * 60_000
const types = { context: {} as { n: number }, events: {} as AnyEventObject, emitted: {} as AnyEventObject }
const context = { n: 0 }
const count = assign<typeof types.context, AnyEventObject, undefined, AnyEventObject, never>({
  n: (at) => at.context.n + 1,
})

/** Waits `wait` ms in one state, and is then over. */
const patient = (wait: number) =>
  setup({ types }).createMachine({
    id: 'patient',
    context,
    initial: 'waiting',
    states: {
      waiting: {
        after: { [wait]: { target: 'over', actions: [count, emit({ type: 'rang' })] } },
        on: { leave: 'over' },
      },
      over: {},
    },
  })

async function dueTimes(store: EventStore, id: string): Promise<string[]> {
  const due: string[] = []
  for await (const { value } of store.entries(`owed/${id}/timer/`))
    due.push((value as { due_at: string }).due_at)
  return due
}

describe('O-008: after a restart a timer', () => {
  test.each([
    ['before it is due fires at its time', 4_000, 6_000],
    ['at the moment it is due fires at once', 10_000, 0],
    ['long after it was due fires late rather than never', 90 * DAY, 0],
  ])('opened %s, exactly once', async (_when, away, missing) => {
    const machine = patient(10_000)
    const clock = createTestClock()
    const engine = await openEngine({ machines: [machine], clock })
    await engine.spawn(machine, { id: 'p' })
    expect(await dueTimes(engine.store, 'p')).toEqual(['2030-01-01T00:00:10.000Z'])
    await engine.close()
    await clock.advance(away)
    const second = await openEngine({ machines: [machine], clock, store: engine.store })
    const actor = await second.get(machine, 'p')
    if (missing > 0) await clock.advance(missing - 1)
    expect(actor?.getSnapshot().value).toBe('waiting')
    if (missing > 0) await clock.advance(1)
    await clock.advance(0)
    expect(actor?.getSnapshot().value).toBe('over')
    await clock.advance(DAY)
    expect(actor?.getSnapshot().context.n).toBe(1)
    expect(await dueTimes(engine.store, 'p')).toEqual([])
    await reopen(second, [machine])
    await rest()
    expect(await eventsOf(engine.store, 'p')).toHaveLength(2)
  })

  test('keeps the due time that was recorded, also if its delay is made of the clock', async () => {
    let asked = 0
    const machine = setup({ types, delays: { odd: () => 1_000 * (asked += 1) } }).createMachine({
      id: 'odd',
      context,
      initial: 'waiting',
      states: { waiting: { after: { odd: 'over' } }, over: {} },
    })
    const clock = createTestClock()
    const engine = await openEngine({ machines: [machine], clock })
    await engine.spawn(machine, { id: 'o' })
    const second = await reopen(engine, [machine])
    const actor = await second.get(machine, 'o')
    await clock.advance(999)
    expect(actor?.getSnapshot().value).toBe('waiting')
    await clock.advance(1)
    expect(actor?.getSnapshot().value).toBe('over')
    expect(asked).toBe(2)
  })
})

test('a delay longer than JavaScript can wait is waited for', async () => {
  const machine = patient(60 * DAY)
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock: impatient(clock) })
  const actor = await engine.spawn(machine, { id: 'p' })
  await clock.advance(60 * DAY - 1)
  expect(actor.getSnapshot().value).toBe('waiting')
  await clock.advance(1)
  expect(actor.getSnapshot().value).toBe('over')
})

test('a clock that jumps forward while the process sleeps is noticed within a quarter of an hour', async () => {
  const machine = patient(30 * DAY)
  const clock = createTestClock()
  let jumped = 0
  const wall: Clock = { ...clock, now: () => clock.now() + jumped }
  const engine = await openEngine({ machines: [machine], clock: wall })
  const actor = await engine.spawn(machine, { id: 'p' })
  jumped = 31 * DAY
  await clock.advance(15 * 60_000)
  expect(actor.getSnapshot().value).toBe('over')
})

test('a clock that goes back never makes the log go back', async () => {
  const machine = patient(10_000)
  const clock = createTestClock()
  let back = 0
  const engine = await openEngine({ machines: [machine], clock: { ...clock, now: () => clock.now() - back } })
  const actor = await engine.spawn(machine, { id: 'p' })
  back = DAY
  await actor.send({ type: 'leave' })
  const times = (await eventsOf(engine.store, 'p')).map(({ timestamp }) => timestamp)
  expect(times).toEqual([times[0], times[0]])
})

test.each([
  ['no number', Number.NaN, 0],
  ['negative', -5, 0],
  ['a fraction', 0.4, 1],
])('a delay that is %s is due at once', async (_what, delay, wait) => {
  const machine = setup({ types, delays: { odd: () => delay } }).createMachine({
    id: 'odd',
    context,
    initial: 'waiting',
    states: { waiting: { after: { odd: 'over' } }, over: {} },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'o' })
  await clock.advance(wait)
  expect(actor.getSnapshot().value).toBe('over')
})

test('a delay for ever is owed for ever, and breaks nothing', async () => {
  const machine = setup({ types, delays: { ever: () => Infinity } }).createMachine({
    id: 'ever',
    context,
    initial: 'waiting',
    states: { waiting: { after: { ever: 'over' }, on: { count: { actions: count } } }, over: {} },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'e' })
  await clock.advance(DAY / 4)
  expect(await actor.send({ type: 'count' })).toMatchObject({ accepted: true, version: 2 })
  expect(await dueTimes(engine.store, 'e')).toEqual(['+275760-09-13T00:00:00.000Z'])
})

test.each([
  ['means nothing any more', 'other'],
  ['a guard refuses', 'guarded'],
])('a timer whose event %s is over all the same, and is not owed again', async (_what, type) => {
  const machine = setup({ types }).createMachine({
    id: 'idle',
    context,
    entry: raise({ type }, { delay: 1_000 }),
    on: { guarded: { guard: () => false, actions: count } },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'i' })
  await clock.advance(1_000)
  expect(actor.version).toBe(2)
  expect(await dueTimes(engine.store, 'i')).toEqual([])
  const second = await reopen(engine, [machine])
  await clock.advance(DAY)
  expect((await second.get(machine, 'i'))?.version).toBe(2)
  expect(await eventsOf(engine.store, 'i~refused')).toEqual([])
})

test("an event that asks for its moment (`at: ''`) is told when it fired; others come as they were set", async () => {
  const machine = setup({
    types: { context: {} as { seen: string[] }, events: {} as AnyEventObject },
  }).createMachine({
    id: 'dated',
    context: { seen: [] },
    entry: [raise({ type: 'asks', at: '' }, { delay: 1_000 }), raise({ type: 'plain' }, { delay: 2_000 })],
    on: { '*': { actions: assign({ seen: (at) => [...at.context.seen, JSON.stringify(at.event)] }) } },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'd' })
  await clock.advance(2_000)
  const seen = ['{"type":"asks","at":"2030-01-01T00:00:01.000Z"}', '{"type":"plain"}']
  expect(actor.getSnapshot().context.seen).toEqual(seen)
  const again = await (await reopen(engine, [machine])).get(machine, 'd')
  expect(again?.getSnapshot().context.seen).toEqual(seen)
})

test('a delayed event to a child reaches the child, not the machine, also after a restart', async () => {
  const world = new LeafWorld()
  const machine = setup({ types, actors: { ear: world.callback('ear') } }).createMachine({
    id: 'm',
    context,
    invoke: { id: 'ear', src: 'ear' },
    entry: sendTo('ear', { type: 'psst' }, { delay: 1_000 }),
    on: { psst: { actions: count } },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  await engine.spawn(machine, { id: 'm-1' })
  const second = await reopen(engine, [machine])
  await clock.advance(1_000)
  expect(world.received).toEqual(['ear {"type":"psst"}'])
  expect((await second.get(machine, 'm-1'))?.getSnapshot().context.n).toBe(0)
  expect(await dueTimes(engine.store, 'm-1')).toEqual([])
})

test('a thousand timers that are due at once all fire', async () => {
  const machine = setup({ types }).createMachine({
    id: 'many',
    context,
    entry: Array.from({ length: 1_000 }, (_, index) =>
      raise({ type: 'tick' }, { id: `t${index}`, delay: 1_000 }),
    ),
    on: { tick: { actions: count } },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  await engine.spawn(machine, { id: 'm-1' })
  await engine.close()
  await clock.advance(DAY)
  const second = await openEngine({ machines: [machine], clock, store: engine.store })
  const actor = await second.get(machine, 'm-1')
  await clock.advance(0)
  expect(actor?.getSnapshot().context.n).toBe(1_000)
  expect(await dueTimes(engine.store, 'm-1')).toEqual([])
})

test('five thousand actors whose timers came due while nobody ran all go on, each once', async () => {
  const machine = patient(10_000)
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const ids = Array.from({ length: 5_000 }, (_, index) => `p-${index}`)
  await Promise.all(ids.map((id) => engine.spawn(machine, { id })))
  await engine.close()
  await clock.advance(DAY)
  const second = await openEngine({ machines: [machine], clock, store: engine.store })
  const isOver = async (): Promise<boolean> => {
    for await (const { key } of second.store.entries('owed/')) return key === ''
    return true
  }
  for (let turns = 0; turns < 1_000 && !(await isOver()); turns += 1) {
    await clock.advance(1)
    await rest()
  }
  expect(await isOver()).toBe(true)
  const heads = []
  for await (const { version } of second.store.heads('p-')) heads.push(version)
  expect(heads).toEqual(Array(5_000).fill(2))
  expect(second.parked).toEqual([])
}, 120_000)

test('a clock that goes back by a day makes a timer late, not lost, and not early', async () => {
  const machine = patient(10_000)
  const clock = createTestClock()
  let back = 0
  const wall: Clock = { ...clock, now: () => clock.now() - back }
  const engine = await openEngine({ machines: [machine], clock: wall })
  await engine.spawn(machine, { id: 'p' })
  await engine.close()
  back = DAY
  const second = await openEngine({ machines: [machine], clock: wall, store: engine.store })
  await clock.advance(10_000)
  expect((await second.get(machine, 'p'))?.getSnapshot().value).toBe('waiting')
  await clock.advance(DAY)
  expect((await second.get(machine, 'p'))?.getSnapshot()).toMatchObject({ value: 'over', context: { n: 1 } })
})

test('closing in the middle of what is being written loses nothing and begins nothing: all of it goes on later', async () => {
  const machine = patient(10_000)
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'p' })
  const sent = actor.send({ type: 'leave' })
  await Promise.all([engine.close(), engine.close()])
  expect(await sent).toMatchObject({ accepted: true, version: 2 })
  await expect(actor.send({ type: 'leave' })).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  await expect(engine.spawn(machine, { id: 'q' })).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  await clock.advance(DAY)
  expect(await eventsOf(engine.store, 'p')).toHaveLength(2)
  const second = await openEngine({ machines: [machine], clock, store: engine.store })
  expect((await second.get(machine, 'p'))?.getSnapshot()).toMatchObject({ value: 'over', context: { n: 0 } })
})

test('more than a thousand events to itself make way for others in between, and none is lost', async () => {
  const machine = setup({ types }).createMachine({
    id: 'm',
    context,
    on: {
      go: [
        {
          guard: ({ context: { n } }) => n < 2_500,
          actions: [count, sendTo(({ self }) => self, { type: 'go' })],
        },
      ],
    },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'm-1' })
  await actor.send({ type: 'go' })
  expect(actor.getSnapshot().context.n).toBe(1_000)
  const second = await reopen(engine, [machine])
  const again = await second.get(machine, 'm-1')
  await clock.advance(0)
  expect(again?.getSnapshot().context.n).toBe(2_500)
})

/** Refuses to wait for longer than JavaScript can. */
function impatient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (callback, delay) => {
      expect(delay).toBeLessThan(2 ** 31)
      return clock.setTimeout(callback, delay)
    },
    clearTimeout: (handle) => clock.clearTimeout(handle),
  }
}

test('two delayed events of one id both come, and cancel takes back the later one alone, as in XState', async () => {
  const machine = setup({
    types: { context: {} as { seen: number[] }, events: {} as AnyEventObject },
  }).createMachine({
    id: 'm',
    context: { seen: [] },
    on: {
      twice: {
        actions: [
          raise({ type: 'rung', by: 1 }, { id: 'bell', delay: 1_000 }),
          raise({ type: 'rung', by: 2 }, { id: 'bell', delay: 2_000 }),
        ],
      },
      cancel: { actions: cancel('bell') },
      rung: { actions: assign({ seen: (at) => [...at.context.seen, at.event['by'] as number] }) },
    },
  })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'm-1' })
  await actor.send({ type: 'twice' })
  await clock.advance(2_000)
  expect(actor.getSnapshot().context.seen).toEqual([1, 2])
  await actor.send({ type: 'twice' })
  await actor.send({ type: 'cancel' })
  await clock.advance(2_000)
  expect(actor.getSnapshot().context.seen).toEqual([1, 2, 1])
})

test('of two delayed events of one name none comes once the child that owes them is stopped; XState forgets the first one and delivers it', async () => {
  const speaker = setup({ types }).createMachine({
    id: 'speaker',
    context,
    entry: [
      sendParent({ type: 'said', n: 1 }, { delay: 40, id: 'word' }),
      sendParent({ type: 'said', n: 2 }, { delay: 50, id: 'word' }),
    ],
  })
  const machine = setup({ types, actors: { speaker } }).createMachine({
    id: 'listener',
    context,
    initial: 'on',
    on: { said: { actions: assign({ n: ({ event }) => event['n'] as number }) } },
    states: { on: { invoke: { src: 'speaker', id: 'speaker' }, on: { stop: 'off' } }, off: {} },
  })
  const simulated = new SimulatedClock()
  const plain = createActor(machine, { clock: simulated }).start()
  plain.send({ type: 'stop' })
  simulated.increment(100)
  expect(plain.getSnapshot().context).toEqual({ n: 1 })

  const clock = createTestClock()
  const engine = await openEngine({ machines: [machine], clock })
  const actor = await engine.spawn(machine, { id: 'l' })
  await actor.send({ type: 'stop' })
  expect(clock.pending()).toEqual([])
  await clock.advance(100)
  expect(actor.getSnapshot()).toMatchObject({ value: 'off', context: { n: 0 } })
})
