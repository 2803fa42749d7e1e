/** Actors that nobody needs leave memory, and nobody can tell but by the memory. */
import { describe, expect, test } from 'vitest'
import { assign, fromPromise, raise, setup, waitFor, type AnyStateMachine } from 'xstate'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { createEngine, type Engine } from '../../src/runtime/engine.ts'
import { createTestClock, type TestClock } from '../../src/testing/test-clock.ts'
import { rest, until } from './engine-under-test.ts'

const counter = setup({
  types: { context: {} as { n: number }, events: {} as { type: 'add' } },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
})

type Small = Engine & {
  readonly errors: unknown[]
  /** Streams that were read, each time an actor woke. */
  readonly read: string[]
}

async function open(
  machines: readonly AnyStateMachine[],
  options: { readonly store?: EventStore; readonly clock?: TestClock; readonly maxResident?: number } = {},
): Promise<Small> {
  const { clock = createTestClock(), maxResident = 2 } = options
  const store = options.store ?? createMemoryEventStore({ clock: () => clock.now() })
  const errors: unknown[] = []
  const read: string[] = []
  const watched = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'readStream') {
        return (id: string, how?: object) => {
          if (!id.startsWith('machine/')) read.push(id)
          return target.readStream(id, how)
        }
      }
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const onError = (error: unknown): void => void errors.push(error)
  const engine = await createEngine({ store: watched, machines, clock, onError, maxResident })
  await engine.recover()
  return Object.assign(engine, { errors, read })
}

/** Uses so many other actors that whoever is at rest has left memory. */
async function crowdOut(engine: Engine, machine: AnyStateMachine = counter): Promise<void> {
  for (let i = 0; i < 12; i += 1) await engine.spawn(machine, { id: `other-${i % 6}` })
  await rest()
}

describe('an actor that is not needed leaves memory', () => {
  test('and wakes for the next event', async () => {
    const engine = await open([counter])
    const actor = await engine.spawn(counter, { id: 'a' })
    await actor.send({ type: 'add' })
    await crowdOut(engine)
    engine.read.length = 0
    expect(await actor.send({ type: 'add' })).toEqual({ accepted: true, version: 3 })
    expect(engine.read).toEqual(['a'])
    expect(actor.getSnapshot().context).toEqual({ n: 2 })
    await engine.close()
  })

  test('the longest unused first', async () => {
    const engine = await open([counter], { maxResident: 3 })
    const used = await engine.spawn(counter, { id: 'used' })
    for (let i = 0; i < 20; i += 1) {
      await used.send({ type: 'add' })
      await engine.spawn(counter, { id: `other-${i}` })
    }
    expect(engine.read).toEqual([])
    await engine.close()
  })

  test('while who holds it sees the last state that it published, whoever woke it in between', async () => {
    const engine = await open([counter])
    const held = await engine.spawn(counter, { id: 'a' })
    await crowdOut(engine)
    expect(held.getSnapshot().context).toEqual({ n: 0 })
    await engine.send('a', { type: 'add' })
    await crowdOut(engine)
    engine.read.length = 0
    expect(held.getSnapshot().context).toEqual({ n: 1 })
    expect(held.version).toBe(2)
    expect(engine.read).toEqual([])
    await engine.close()
  })

  test('and who watches it hears of what happens after', async () => {
    const engine = await open([counter])
    const held = await engine.spawn(counter, { id: 'a' })
    await crowdOut(engine)
    const seen: number[] = []
    held.subscribe(({ context }) => void seen.push(context.n))
    const third = waitFor(held, ({ context }) => context.n === 2)
    await engine.send('a', { type: 'add' })
    await crowdOut(engine)
    await engine.send('a', { type: 'add' })
    expect((await third).context.n).toBe(2)
    expect(seen).toEqual([1, 2])
    await engine.close()
  })

  test('but not while a leaf of its runs', async () => {
    let finish: (value: string) => void = () => {}
    const worker = setup({
      types: { context: {} as { result: unknown } },
      actors: { work: fromPromise(() => new Promise<string>((resolve) => (finish = resolve))) },
    }).createMachine({
      id: 'worker',
      context: { result: null },
      invoke: {
        id: 'work',
        src: 'work',
        onDone: { actions: assign({ result: ({ event }) => event.output }) },
      },
    })
    const engine = await open([worker, counter])
    const actor = await engine.spawn(worker, { id: 'w' })
    await crowdOut(engine)
    finish('done')
    await until(() => actor.getSnapshot().context.result === 'done', 'the result')
    expect(engine.read).not.toContain('w')
    await engine.close()
  })

  test('and what one of its actions has to say later still arrives', async () => {
    let say: () => void = () => {}
    const talker = setup({
      types: { context: {} as { heard: number } },
      actions: {
        later: ({ self }) => {
          say = () => self.send({ type: 'said' })
        },
      },
    }).createMachine({
      id: 'talker',
      context: { heard: 0 },
      entry: 'later',
      on: { said: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
    })
    const engine = await open([talker, counter])
    const actor = await engine.spawn(talker, { id: 't' })
    await crowdOut(engine)
    say()
    await until(() => actor.getSnapshot().context.heard === 1, 'what was said')
    expect(engine.errors).toEqual([])
    await engine.close()
  })

  test('with its children, which wake with it', async () => {
    const parent = setup({ actors: { counter } }).createMachine({
      id: 'parent',
      invoke: { id: 'kid', src: 'counter' },
      on: { add: { actions: ({ self }) => void self } },
    })
    const engine = await open([parent, counter])
    await engine.spawn(parent, { id: 'p' })
    await engine.send('p:1:0', { type: 'add' })
    const kid = (await engine.find('p:1:0'))?.actor
    await crowdOut(engine)
    await engine.send('p:1:0', { type: 'add' })
    expect(engine.read).toEqual(expect.arrayContaining(['p', 'p:1:0']))
    expect(kid?.getSnapshot().context).toEqual({ n: 2 })
    await engine.close()
  })
})

describe('timers of actors that are not in memory', () => {
  const sleeper = setup({ types: { context: {} as { woken: number } } }).createMachine({
    id: 'sleeper',
    context: { woken: 0 },
    initial: 'asleep',
    states: {
      asleep: { after: { 60_000: 'awake' }, on: { nudge: 'awake' } },
      awake: { entry: assign({ woken: ({ context }) => context.woken + 1 }), on: { sleep: 'asleep' } },
    },
  })
  const due = async (store: EventStore): Promise<number> => {
    let entries = 0
    for await (const { key } of store.entries('due/')) entries += key === '' ? 0 : 1
    return entries
  }

  test('wake them when they are due', async () => {
    const clock = createTestClock()
    const engine = await open([sleeper, counter], { clock })
    const ids = Array.from({ length: 40 }, (_, i) => `s-${i}`)
    const actors = await Promise.all(ids.map((id) => engine.spawn(sleeper, { id })))
    await crowdOut(engine)
    expect(await due(engine.store)).toBe(40)
    engine.read.length = 0
    await clock.advance(59_000)
    await rest()
    expect(engine.read).toEqual([])
    await clock.advance(1_000)
    await until(() => actors.every((actor) => actor.getSnapshot().value === 'awake'), 'all to be awake')
    expect(actors.map((actor) => actor.getSnapshot().context.woken)).toEqual(actors.map(() => 1))
    expect(await due(engine.store)).toBe(0)
    await engine.close()
  })

  test('and are found again after a restart, those that are due meanwhile at once', async () => {
    const clock = createTestClock()
    const first = await open([sleeper, counter], { clock })
    await first.spawn(sleeper, { id: 'early' })
    await clock.advance(30_000)
    await first.spawn(sleeper, { id: 'late' })
    await first.close()
    await clock.advance(40_000)
    const second = await open([sleeper, counter], { clock, store: first.store })
    await clock.advance(0)
    await until(async () => (await second.store.head('early'))?.state === 'awake', 'the early one')
    expect(second.read).toEqual(['early'])
    await clock.advance(20_000)
    await until(async () => (await second.store.head('late'))?.state === 'awake', 'the late one')
    await second.close()
  })

  test('but not after they were cancelled', async () => {
    const clock = createTestClock()
    const engine = await open([sleeper, counter], { clock })
    await engine.spawn(sleeper, { id: 's' })
    await crowdOut(engine)
    await engine.send('s', { type: 'nudge' })
    expect(await due(engine.store)).toBe(0)
    await crowdOut(engine)
    await clock.advance(120_000)
    await rest()
    expect((await engine.store.head('s'))?.version).toBe(2)
    await engine.close()
  })

  test('an actor that is waiting for its next one stays out of memory, and its timers keep their order', async () => {
    const ticker = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
      id: 'ticker',
      context: { seen: [] },
      entry: [raise({ type: 'b' }, { delay: 20_000 }), raise({ type: 'a' }, { delay: 10_000 })],
      on: { '*': { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) } },
    })
    const clock = createTestClock()
    const engine = await open([ticker, counter], { clock })
    const actor = await engine.spawn(ticker, { id: 't' })
    await crowdOut(engine)
    await clock.advance(10_000)
    await until(() => actor.getSnapshot().context.seen.length === 1, 'the first')
    await crowdOut(engine)
    await clock.advance(10_000)
    await until(() => actor.getSnapshot().context.seen.length === 2, 'the second')
    expect(actor.getSnapshot().context.seen).toEqual(['a', 'b'])
    await engine.close()
  })
})
