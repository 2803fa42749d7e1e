/** Each trap on the way to XState, sprung once: what it was, and that the engine is not in it. */
import { describe, expect, test } from 'vitest'
import {
  and,
  assign,
  createMachine,
  fromCallback,
  fromPromise,
  not,
  or,
  raise,
  setup,
  spawnChild,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
} from 'xstate'
import { createMemoryEventStore } from '../../eventstore/index.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'

type Event = AnyEventObject
const types = { context: {} as { n: number }, events: {} as Event }
const later = fromPromise(async () => 1)

describe('what counts as accepted', () => {
  const machine = setup({
    types,
    guards: { isOpen: () => false, fits: (_args, _params: { max: number }) => false },
  }).createMachine({
    id: 'doors',
    context: { n: 0 },
    initial: 'a',
    states: {
      a: {
        on: {
          again: { target: 'a', reenter: true },
          same: { actions: () => {} },
          open: { guard: 'isOpen', target: 'b' },
          fit: { guard: { type: 'fits', params: { max: 1 } }, target: 'b' },
          both: {
            guard: and(['isOpen', not(or(['isOpen', { type: 'fits', params: { max: 2 } }]))]),
            target: 'b',
          },
          inline: { guard: () => false, target: 'b' },
          'door.*': { guard: 'isOpen', target: 'b' },
          'window.close': {},
          nothing: { guard: () => true },
        },
      },
      b: {},
      c: { on: { '*': { guard: 'isOpen', target: 'b' } } },
    },
    on: { 'window.close': { guard: 'isOpen', target: '.b' }, any: { target: '.c' } },
  })

  test('a transition to the state it is in, re-entered, is accepted though XState gives back the same snapshot', async () => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'doors-1' })
    expect(await actor.send({ type: 'again' })).toEqual({ accepted: true, version: 2 })
    expect(await actor.send({ type: 'same' })).toEqual({ accepted: true, version: 3 })
  })

  test.each([
    ['knock', 'ignored', '"knock" means nothing in state "a"'],
    ['doo.x', 'ignored', '"doo.x" means nothing in state "a"'],
    ['window.close', 'ignored', '"window.close" is meant to do nothing in state "a"'],
    ['nothing', 'ignored', '"nothing" is meant to do nothing in state "a"'],
    ['open', 'refused', 'guard "isOpen" said no to "open" in state "a"'],
    ['fit', 'refused', 'guard "fits" said no to "fit" in state "a"'],
    ['both', 'refused', 'guard "and(isOpen, not(or(isOpen, fits)))" said no to "both" in state "a"'],
    ['inline', 'refused', 'guard "inline" said no to "inline" in state "a"'],
    ['door', 'refused', 'guard "isOpen" said no to "door" in state "a"'],
    ['door.left.open', 'refused', 'guard "isOpen" said no to "door.left.open" in state "a"'],
  ])('"%s" is %s: %s', async (type, kind, reason) => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'doors-1' })
    expect(await actor.send({ type })).toMatchObject({ accepted: false, version: 1, reason })
    expect(await eventsOf(engine.store, 'doors-1')).toHaveLength(1)
    const refusals = await eventsOf(engine.store, 'doors-1~refused')
    expect(refusals).toHaveLength(kind === 'refused' ? 1 : 0)
  })

  test('under a wildcard a guard refuses every event', async () => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'doors-1' })
    await actor.send({ type: 'any' })
    const { reason } = await actor.send({ type: 'whatever' })
    expect(reason).toBe('guard "isOpen" said no to "whatever" in state "c"')
  })

  test('an actor that is done ignores everything, and says so', async () => {
    const done = createMachine({
      id: 'done',
      initial: 'end',
      states: { end: { type: 'final' } },
      on: { x: { actions: () => {} } },
    })
    const engine = await openEngine({ machines: [done] })
    const actor = await engine.spawn(done, { id: 'done-1' })
    expect(await actor.send({ type: 'x' })).toMatchObject({ accepted: false, reason: 'the actor is done' })
    await actor.stop()
    expect(actor.version).toBe(1)
  })
})

describe('what cannot be made durable is refused when the machine is registered, and nothing is written', () => {
  const asyncGuard = async (): Promise<boolean> => true
  const named = setup({ actors: { later } })
  const machines: [string, () => AnyStateMachine, string][] = [
    [
      'a named async guard',
      () => setup({ guards: { slow: asyncGuard as never } }).createMachine({ id: 'm' }),
      'guard "slow"',
    ],
    [
      'an inline async guard',
      () => createMachine({ id: 'm', on: { x: { guard: asyncGuard as never } } }),
      'state "m"',
    ],
    [
      'an async guard inside another one',
      () =>
        createMachine({
          id: 'm',
          initial: 'a',
          states: { a: { always: { guard: and([not(asyncGuard as never)]) as never } } },
        }),
      'state "m.a"',
    ],
    [
      'an async guard on the end of an invoke',
      () =>
        named.createMachine({
          id: 'm',
          invoke: { id: 'l', src: 'later', onDone: { guard: asyncGuard as never } },
        }),
      'state "m"',
    ],
    [
      'inline invoked logic',
      () => createMachine({ id: 'm', invoke: { id: 'i', src: later as never } }),
      'state "m"',
    ],
    [
      'an invoke of what is not provided',
      () => createMachine({ id: 'm', invoke: { id: 'i', src: 'nowhere' } }),
      'state "m"',
    ],
    [
      'inline spawned logic',
      () => createMachine({ id: 'm', entry: spawnChild(later as never, { id: 'x' }) }),
      'state "m"',
    ],
    [
      'a spawned child without an id',
      () => named.createMachine({ id: 'm', entry: spawnChild('later') }),
      'state "m"',
    ],
    [
      'a child machine with an async guard of its own',
      () => {
        const child = createMachine({ id: 'm', on: { x: { guard: asyncGuard as never } } })
        return setup({ actors: { child } }).createMachine({ id: 'parent' })
      },
      'state "m"',
    ],
  ]

  test.each(machines)('%s', async (_what, machine, where) => {
    const store = createMemoryEventStore()
    const good = createMachine({ id: 'good' })
    await expect(openEngine({ machines: [good, machine()], store })).rejects.toMatchObject({
      code: 'MACHINE_NOT_DURABLE',
      details: { machine: 'm', where },
    })
    expect(store.position()).toBe(0)
  })

  test('an invoke without an id works, with a warning: renaming its state would orphan owed work', async () => {
    const machine = named.createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { invoke: { src: 'later', onDone: 'b' } }, b: {} },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await until(() => actor.getSnapshot().value === 'b', 'the promise to be heard')
    expect(engine.warnings).toEqual([expect.stringContaining('state "m.a" invokes without an id')])
  })
})

describe('what shows only while it runs ends the actor in error, on the record', () => {
  const promise = (): never => Promise.resolve(false) as never
  const cases: [string, AnyStateMachine, string][] = [
    [
      'a guard that returns a promise',
      setup({ types, guards: { sly: promise } }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: { x: { guard: 'sly', actions: assign({ n: 9 }) } },
      }),
      'Guard "sly" of machine "m" returned a promise',
    ],
    [
      'a guard with parameters that returns a promise',
      setup({ types, guards: { sly: (_args, _params: number) => promise() } }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: { x: { guard: { type: 'sly', params: 1 }, actions: assign({ n: 9 }) } },
      }),
      'Guard "sly" of machine "m" returned a promise',
    ],
    [
      'an inline guard inside and(not()) that returns a promise',
      setup({ types }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: { x: { guard: and([() => true, not(promise)]), actions: assign({ n: 9 }) } },
      }),
      'returned a promise',
    ],
    [
      'an assign that throws',
      setup({ types }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: { x: { actions: assign({ n: () => JSON.parse('{') as number }) } },
      }),
      'JSON',
    ],
    [
      'transitions without an event, for ever',
      setup({ types }).createMachine({
        id: 'm',
        context: { n: 0 },
        initial: 'a',
        states: { a: { on: { x: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
      }),
      'Infinite loop',
    ],
    [
      'raised events, for ever',
      setup({ types }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: { x: { actions: raise({ type: 'x' }) } },
      }),
      'Infinite loop',
    ],
    [
      'inline logic spawned in an assign',
      setup({ types }).createMachine({
        id: 'm',
        context: { n: 0 },
        on: {
          x: { actions: assign({ n: ({ spawn }) => ((spawn as (logic: unknown) => unknown)(later), 1) }) },
        },
      }),
      'inline logic',
    ],
  ]

  test.each(cases)('%s', async (_what, machine, message) => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1', input: undefined })
    const heard: unknown[] = []
    actor.subscribe({ error: (error) => heard.push(error) })
    expect(await actor.send({ type: 'x' })).toEqual({ accepted: true, version: 2 })
    const shown = actor.getSnapshot()
    expect(shown).toMatchObject({ status: 'error', context: { n: 0 } })
    expect(String(shown.error)).toContain(message)
    expect(heard).toEqual([shown.error])

    const second = await reopen(engine, [machine])
    const again = await second.get(machine, 'm-1')
    expect(again?.getSnapshot()).toMatchObject({ status: 'error', value: shown.value, context: { n: 0 } })
    expect(String(again?.getSnapshot().error)).toBe(String(shown.error))
    expect(await again?.send({ type: 'x' })).toMatchObject({
      accepted: false,
      reason: 'the actor is in error',
    })
  })

  test('an actor that fails unwatched says so once', async () => {
    const [, machine] = cases[3] as (typeof cases)[number]
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1', input: undefined })
    await actor.send({ type: 'x' })
    expect(engine.errors).toEqual([
      expect.objectContaining({ code: 'ACTOR_FAILED', details: { stream_id: 'm-1', version: 2 } }),
    ])
  })
})

describe('events from outside', () => {
  const machine = setup({ types, actors: { perm: later } }).createMachine({
    id: 'gate',
    context: { n: 0 },
    on: { '*': { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  })

  test.each([
    ['a forged outcome', { type: 'xstate.done.actor.perm', output: true }, 'EVENT_RESERVED'],
    ['an order to stop', { type: 'xstate.stop' }, 'EVENT_RESERVED'],
    ['a reserved field', { type: 'x', 'xstate.timer': 'gate-1:1:0' }, 'EVENT_RESERVED'],
    ['no type', { n: 1n }, 'EVENT_INVALID'],
    ['an empty type', { type: '' }, 'EVENT_INVALID'],
    ['a type the log cannot have', { type: 'a\nb' }, 'EVENT_INVALID'],
    ['a type that is too long', { type: 'x'.repeat(513) }, 'EVENT_INVALID'],
    ['no object at all', 'x', 'EVENT_INVALID'],
    ['nothing', undefined, 'EVENT_INVALID'],
  ])('%s is refused, and nothing is written', async (_what, event, code) => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'gate-1' })
    const position = engine.store.position()
    await expect(actor.send(event as never)).rejects.toMatchObject({ code })
    expect(engine.store.position()).toBe(position)
    expect(await actor.send({ type: 'fine' })).toEqual({ accepted: true, version: 2 })
  })

  test.each([
    ['a function', { deep: [{ fn: () => {} }] }, 'event.deep[0].fn'],
    ['a BigInt', { n: 1n }, 'event.n'],
    ['not a number', { n: Number.NaN }, 'event.n'],
    ['a date', { at: new Date(0) }, 'event.at'],
    ['a map', { 'a b': new Map() }, 'event["a b"]'],
  ])('%s is refused with the path to it, and nothing is written', async (_what, part, path) => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'gate-1' })
    const position = engine.store.position()
    await expect(actor.send({ type: 'x', ...part })).rejects.toMatchObject({
      code: 'ES_NOT_SERIALISABLE',
      path,
    })
    expect(engine.store.position()).toBe(position)
    expect(actor.getSnapshot().context.n).toBe(0)
  })

  test('what a machine reads of itself in a step is the state that it leaves, live and in a replay, as in XState', async () => {
    const machine = setup({
      types: { context: {} as { seen: unknown[] }, events: {} as AnyEventObject },
    }).createMachine({
      id: 'm',
      context: { seen: [] },
      initial: 'a',
      on: {
        look: {
          target: '.b',
          actions: assign({
            seen: ({ context, self }) => [...context.seen, (self.getSnapshot() as { value?: unknown }).value],
          }),
        },
      },
      states: { a: {}, b: {} },
    })
    const plain = createActor(machine).start()
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    // At once: the second one is decided before the first one is on disk.
    const sent = [1, 2, 3].map(() => actor.send({ type: 'look' }))
    for (let n = 0; n < 3; n += 1) plain.send({ type: 'look' })
    await Promise.all(sent)
    expect(plain.getSnapshot().context.seen).toEqual(['a', 'b', 'b'])
    expect(actor.getSnapshot().context.seen).toEqual(['a', 'b', 'b'])
    const again = await reopen(engine, [machine])
    expect((await again.get(machine, 'm-1'))?.getSnapshot().context.seen).toEqual(['a', 'b', 'b'])
  })

  test('a machine sees of an event what the log keeps of it, live and in a replay', async () => {
    const keeper = setup({ types: { context: {} as { seen: string[] }, events: {} as Event } }).createMachine(
      {
        id: 'keeper',
        context: { seen: [] },
        on: {
          '*': {
            actions: assign({ seen: ({ context, event }) => [...context.seen, JSON.stringify(event)] }),
          },
        },
      },
    )
    const engine = await openEngine({ machines: [keeper] })
    const actor = await engine.spawn(keeper, { id: 'keeper-1' })
    await actor.send({ b: 1, gone: undefined, zero: -0, type: 'x', a: { c: 2 } })
    const { seen } = actor.getSnapshot().context
    expect(seen).toEqual(['{"type":"x","b":1,"zero":0,"a":{"c":2}}'])
    const again = await (await reopen(engine, [keeper])).get(keeper, 'keeper-1')
    expect(again?.getSnapshot().context.seen).toEqual(seen)
  })
})

describe('the first event', () => {
  const picky = setup({ types: { context: {} as { n: number }, input: {} as { n: number } } }).createMachine({
    id: 'picky',
    context: ({ input }) => {
      if (input.n < 0) throw new Error('n is negative')
      return { n: input.n }
    },
  })

  test('a context factory that throws fails the spawn, and nothing is written', async () => {
    const engine = await openEngine({ machines: [picky] })
    const position = engine.store.position()
    await expect(engine.spawn(picky, { id: 'picky-1', input: { n: -1 } })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining('n is negative') as string,
    })
    expect(engine.store.position()).toBe(position)
    expect(await engine.get(picky, 'picky-1')).toBeUndefined()
    const actor = await engine.spawn(picky, { id: 'picky-1', input: { n: 1 } })
    expect(actor.getSnapshot().context).toEqual({ n: 1 })
  })

  test('an input that JSON cannot carry is refused with the path to it', async () => {
    const engine = await openEngine({ machines: [picky] })
    const spawning = engine.spawn(picky, { id: 'picky-1', input: { n: 1n } as never })
    await expect(spawning).rejects.toMatchObject({ code: 'ES_NOT_SERIALISABLE', path: 'event.input.n' })
    expect(await engine.store.head('picky-1')).toBeUndefined()
  })

  test.each(['', 'a\nb', 'machine/picky@1', 'picky-1~refused', 'x'.repeat(401), 7 as unknown as string])(
    'the id %j is refused',
    async (id) => {
      const engine = await openEngine({ machines: [picky] })
      await expect(engine.spawn(picky, { id, input: { n: 1 } })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
      expect(await engine.get(picky, id)).toBeUndefined()
    },
  )

  test('an id of 400 characters can owe work', async () => {
    const timed = setup({}).createMachine({ id: 'timed', after: { 1000: { actions: () => {} } } })
    const engine = await openEngine({ machines: [timed] })
    const actor = await engine.spawn(timed, { id: 'é'.repeat(400) })
    expect(actor.version).toBe(1)
  })
})

describe('self, system and log in the actions of a live actor', () => {
  test('an action that sends to self is heard, after the event that it belongs to is on disk', async () => {
    const machine = setup({ types }).createMachine({
      id: 'echo',
      context: { n: 0 },
      on: {
        call: { actions: ({ self }) => self.send({ type: 'echo' }) },
        echo: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'echo-1' })
    await actor.send({ type: 'call' })
    await until(() => actor.getSnapshot().context.n === 1, 'the echo')
    const events = await eventsOf(engine.store, 'echo-1')
    expect(events.map((event) => [event.event_type, event.source_agent])).toEqual([
      ['actor.created', ''],
      ['call', ''],
      ['echo', 'echo-1'],
    ])
  })

  test('an assign that sends to self is heard live, and sends nothing in a replay', async () => {
    const machine = setup({ types }).createMachine({
      id: 'impure',
      context: { n: 0 },
      on: {
        call: { actions: assign({ n: ({ self, context }) => (self.send({ type: 'echo' }), context.n + 1) }) },
        echo: { actions: assign({ n: ({ context }) => context.n + 10 }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'impure-1' })
    await actor.send({ type: 'call' })
    await until(() => actor.getSnapshot().context.n === 11, 'the echo')
    const again = await (await reopen(engine, [machine])).get(machine, 'impure-1')
    await rest()
    expect(again?.getSnapshot().context.n).toBe(11)
    expect(again?.version).toBe(3)
  })

  test('an action that throws, at once or later, is told to onError and ends nothing', async () => {
    const machine = setup({
      types,
      actions: {
        now: () => {
          throw new Error('now')
        },
        soon: () => Promise.reject(new Error('soon')) as never,
      },
    }).createMachine({
      id: 'clumsy',
      context: { n: 0 },
      on: { x: { actions: ['now', 'soon', assign({ n: 1 })] } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'clumsy-1' })
    expect(await actor.send({ type: 'x' })).toMatchObject({ accepted: true })
    await until(() => engine.errors.length === 2, 'both errors')
    expect(engine.errors).toEqual([
      expect.objectContaining({
        code: 'ACTION_FAILED',
        details: { stream_id: 'clumsy-1', key: 'clumsy-1:2:0', action: 'now' },
      }),
      expect.objectContaining({
        code: 'ACTION_FAILED',
        details: { stream_id: 'clumsy-1', key: 'clumsy-1:2:1', action: 'soon' },
      }),
    ])
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { n: 1 } })
  })

  test('actions run once, and not again in a replay; log goes where the engine was told', async () => {
    const { log } = await import('xstate')
    let ran = 0
    const machine = setup({ types }).createMachine({
      id: 'once',
      context: { n: 0 },
      on: { x: { actions: [() => (ran += 1), log('hello', 'label'), log(({ event }) => event.type)] } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'once-1' })
    await actor.send({ type: 'x' })
    expect(engine.logged).toEqual([['label', 'hello'], ['x']])
    const second = await reopen(engine, [machine])
    await second.get(machine, 'once-1')
    expect(ran).toBe(1)
    expect(second.logged).toEqual([])
  })

  test('an actor outside of the runtime is sent to at most once', async () => {
    const { createActor, sendTo } = await import('xstate')
    const heard: string[] = []
    const outside = createActor(
      fromCallback<Event>(({ receive }) => receive((event) => heard.push(event.type))),
    )
    outside.start()
    const machine = setup({ types }).createMachine({
      id: 'teller',
      context: { n: 0 },
      on: {
        x: { actions: sendTo(() => outside, { type: 'told' }) },
        y: { actions: sendTo(() => outside, { type: 'told' }, { delay: 5 }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'teller-1' })
    await actor.send({ type: 'x' })
    const second = await reopen(engine, [machine])
    const again = await second.get(machine, 'teller-1')
    expect(heard).toEqual(['told'])
    await again?.send({ type: 'y' })
    expect(String(again?.getSnapshot().error)).toContain('an actor outside of the runtime')
  })
})
