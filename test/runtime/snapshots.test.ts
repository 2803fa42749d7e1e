/** An actor with a long stream wakes from a snapshot and the events after it, to exactly the state of the whole fold. */
import { describe, expect, test } from 'vitest'
import { assign, createMachine, fromPromise, raise, setup, type AnyStateMachine } from 'xstate'
import { createMemoryEventStore, createMemorySnapshots, type EventStore } from '../../eventstore/index.ts'
import type { Snapshots } from '../../eventstore/snapshots.ts'
import { packValue, unpackValue } from '../../src/runtime/snapshots/packed-value.ts'
import { createEngine, type Engine } from '../../src/runtime/engine.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { rest, until } from './engine-under-test.ts'

const EVERY = 10

const counter = (add = (n: number, by: number) => n + by) =>
  setup({
    types: { context: {} as { n: number; last: unknown }, events: {} as { type: 'add'; by: number } },
    actions: { add: assign({ n: ({ context, event }) => add(context.n, event.by), last: () => undefined }) },
  }).createMachine({
    id: 'counter',
    context: { n: 0, last: null },
    on: { add: { actions: 'add' } },
  })

type World = { readonly store: EventStore; readonly snapshots: Snapshots; readonly read: string[] }

/** A store that says from which version each stream was read. */
function newWorld(): World {
  const read: string[] = []
  const store = new Proxy(createMemoryEventStore(), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'readStream') {
        return (id: string, options?: { fromVersion?: number }) => {
          if (!id.startsWith('machine/')) read.push(`${id} from ${options?.fromVersion ?? 1}`)
          return target.readStream(id, options)
        }
      }
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store, snapshots: createMemorySnapshots(), read }
}

type Watched = Engine & { readonly errors: unknown[]; readonly warnings: string[] }

async function open(world: World, machine: AnyStateMachine): Promise<Watched> {
  const errors: unknown[] = []
  const warnings: string[] = []
  const engine = await createEngine({
    store: world.store,
    machines: [machine],
    clock: createTestClock(),
    openSnapshots: async () => world.snapshots,
    snapshotEvery: EVERY,
    onError: (error) => errors.push(error),
    onWarning: (warning) => warnings.push(warning),
  })
  await engine.recover()
  world.read.length = 0
  return Object.assign(engine, { errors, warnings })
}

async function addUp(world: World, events: number, machine: AnyStateMachine = counter()): Promise<void> {
  const engine = await open(world, machine)
  const actor = await engine.spawn(machine, { id: 'c' })
  for (let i = 1; i < events; i += 1) await actor.send({ type: 'add', by: i })
  await rest()
  await engine.close()
}

async function totalOf(engine: Engine, machine: AnyStateMachine): Promise<unknown> {
  return (await engine.get(machine, 'c'))?.getSnapshot().context
}

describe('an actor wakes from a snapshot', () => {
  test('and reads only what came after it', async () => {
    const world = newWorld()
    await addUp(world, 25)
    const engine = await open(world, counter())
    expect(await totalOf(engine, counter())).toEqual({ n: 300, last: undefined })
    expect(world.read).toEqual(['c from 20'])
    await engine.send('c', { type: 'add', by: 1 } as never)
    expect((await engine.get(counter(), 'c'))?.version).toBe(26)
    await engine.close()
  })

  test('but not from one that another definition of its machine made', async () => {
    const world = newWorld()
    await addUp(world, 25)
    const doubling = counter((n, by) => n + 2 * by)
    // The text of the function that does it is elsewhere, so that only a name tells them apart.
    const config = { ...(doubling.config as object), description: 'doubles' }
    const actions = doubling.implementations.actions as never
    const renamed: AnyStateMachine = createMachine(config as never).provide({ actions })
    const engine = await open(world, renamed)
    expect(await totalOf(engine, renamed)).toEqual({ n: 600, last: undefined })
    expect(world.read).toEqual(['c from 1'])
    await engine.close()
  })

  test('nor from one of another log', async () => {
    const [one, other] = [newWorld(), newWorld()]
    await addUp(one, 25)
    await addUp(other, 25)
    const engine = await open({ ...one, snapshots: other.snapshots }, counter())
    expect(await totalOf(engine, counter())).toEqual({ n: 300, last: undefined })
    expect(one.read).toEqual(['c from 20', 'c from 1'])
    await engine.close()
  })

  test('nor from one that makes no sense, of which it tells', async () => {
    const world = newWorld()
    await addUp(world, 25)
    const nonsense = Object.create(world.snapshots) as Snapshots
    nonsense.candidates = async (id, machine) =>
      (await world.snapshots.candidates(id, machine)).map((found) => ({ ...found, state: { packed: null } }))
    nonsense.close = async () => {}
    const engine = await open({ ...world, snapshots: nonsense }, counter())
    expect(await totalOf(engine, counter())).toEqual({ n: 300, last: undefined })
    expect(engine.errors).toHaveLength(1)
    await engine.close()
  })

  test('with its timers, its leaves and its children, and they go on', async () => {
    const child = setup({}).createMachine({
      id: 'child',
      context: { heard: 0 },
      on: { ping: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
    })
    const parent = setup({
      types: { context: {} as { ref: unknown; done: unknown } },
      actors: { child, work: fromPromise(async () => 'worked') },
    }).createMachine({
      id: 'parent',
      context: ({ spawn }) => ({ ref: spawn('child', { id: 'kid' }), done: null }),
      entry: raise({ type: 'late' }, { delay: 1_000, id: 'late' }),
      invoke: { src: 'work', id: 'work', onDone: { actions: assign({ done: ({ event }) => event.output }) } },
      on: {
        tell: { actions: ({ context }) => (context.ref as { send(e: object): void }).send({ type: 'ping' }) },
        late: { actions: assign({ done: 'late' }) },
      },
    })
    const world = newWorld()
    const clock = createTestClock()
    const options = {
      store: world.store,
      machines: [parent],
      clock,
      openSnapshots: async () => world.snapshots,
      snapshotEvery: 2,
      onError: () => {},
    }
    const first = await createEngine(options)
    const actor = await first.spawn(parent, { id: 'p' })
    for (let i = 0; i < 7; i += 1) await actor.send({ type: 'tell' })
    await until(async () => (await world.store.head('p'))?.version === 9, 'all of it')
    await rest()
    const whole = JSON.stringify(actor.getPersistedSnapshot())
    await first.close()
    const second = await createEngine(options)
    world.read.length = 0
    await second.recover()
    expect(world.read.find((line) => line.startsWith('p '))).not.toBe('p from 1')
    const woken = await second.get(parent, 'p')
    expect(JSON.stringify(woken?.getPersistedSnapshot())).toBe(whole)
    await woken?.send({ type: 'tell' })
    await until(
      async () => (await second.find('p:1:0'))?.actor.getSnapshot().context['heard'] === 8,
      'the child to hear of it',
    )
    await clock.advance(1_000)
    await until(() => woken?.getSnapshot().context.done === 'late', 'the timer')
    await second.close()
  })
})

test('an actor whose state no snapshot can keep says so once, and folds its whole stream', async () => {
  class Socket {
    readonly open = true
  }
  const machine = setup({ types: { context: {} as { n: number; socket: Socket } } }).createMachine({
    id: 'socketed',
    context: { n: 0, socket: new Socket() },
    on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  })
  const world = newWorld()
  const engine = await open(world, machine)
  const actor = await engine.spawn(machine, { id: 'c' })
  for (let i = 1; i < 35; i += 1) await actor.send({ type: 'add' })
  expect(engine.warnings).toEqual([
    'socketed@1: the state of "c" holds an instance of Socket, which a snapshot cannot keep; it wakes by folding its whole stream',
  ])
  await engine.close()
  const later = await open(world, machine)
  expect(await totalOf(later, machine)).toMatchObject({ n: 34 })
  await later.close()
})

describe('what a machine keeps comes back as it was', () => {
  const refs = { pack: () => undefined, unpack: () => undefined as never }
  const back = (value: unknown): unknown =>
    unpackValue(JSON.parse(JSON.stringify(packValue(value, refs))), refs)

  test.each([
    ['plain data', { a: [1, 'two', null, true, { b: {} }] }],
    ['what is undefined', { a: undefined, b: [undefined] }],
    ['numbers that are none', { a: Number.NaN, b: -0, c: Number.POSITIVE_INFINITY, d: 10n }],
    ['dates, maps and sets', { a: new Date(5), b: new Map([[{ k: 1 }, new Set([1, [2]])]]) }],
    ['an error', { error: Object.assign(new Error('no'), { name: 'NoError', code: 7 }) }],
  ])('%s', (_what, value) => {
    expect(back(value)).toStrictEqual(value)
  })

  test('what is one and the same object, or holds itself', () => {
    const item = { id: 1 }
    const value: Record<string, unknown> = { items: [item, { id: 2 }], selected: item }
    value['self'] = value
    const again = back(value) as { items: unknown[]; selected: unknown; self: unknown }
    expect(again.items[0]).toBe(again.selected)
    expect(again.self).toBe(again)
  })

  test.each([
    ['a function', { a: () => 1 }, 'holds a function'],
    ['a symbol', { [Symbol('s')]: 1 }, 'has something under a symbol'],
    [
      'a class',
      {
        a: new (class Wallet {
          readonly open = true
        })(),
      },
      'holds an instance of Wallet',
    ],
    ['a getter', Object.defineProperty({}, 'a', { get: () => 1 }), 'has "a", which is no plain property'],
  ])('or is refused: %s', (_what, value, reason) => {
    expect(() => packValue(value, refs)).toThrow(reason)
  })
})
