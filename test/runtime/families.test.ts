/** A parent and its children: one turn, one batch, whole or not at all; mail that waits; what becomes of mail to the dead. */
import { describe, expect, test } from 'vitest'
import {
  assign,
  enqueueActions,
  sendParent,
  sendTo,
  setup,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import { createMemoryEventStore, type AtomicBatch, type EventStore } from '../../eventstore/index.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, until, type Opened } from './engine-under-test.ts'
import { createFailingStore } from './failing-store.ts'

type Context = { n: number; refs: AnyActorRef[]; seen: unknown[] }
const types = {
  context: {} as Context,
  events: {} as AnyEventObject,
  input: {} as { n?: number } | undefined,
}
const empty: Context = { n: 0, refs: [], seen: [] }
const see = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  seen: ({ context, event }) => [...context.seen, event['n'] ?? event.type],
})

/** Counts what it is told, says so to its parent, and ends at ten. */
const child = setup({ types }).createMachine({
  id: 'child',
  context: ({ input }) => ({ ...empty, n: input?.n ?? 0 }),
  initial: 'on',
  states: {
    on: {
      on: {
        add: {
          actions: [
            assign({ n: ({ context, event }) => context.n + event['by'] }),
            sendParent(({ context }) => ({ type: 'counted', n: context.n })),
          ],
        },
        note: { actions: see },
      },
      always: { guard: ({ context }) => context.n >= 10, target: 'over' },
    },
    over: { type: 'final' },
  },
  output: ({ context }) => ({ n: context.n }),
})

const parent = setup({ types, actors: { child } }).createMachine({
  id: 'parent',
  context: empty,
  initial: 'on',
  states: {
    on: {
      invoke: { id: 'child', src: 'child', onDone: { target: 'off', actions: see } },
      on: {
        add: { actions: sendTo('child', ({ event }) => ({ type: 'add', by: event['by'] })) },
        counted: { actions: [assign({ n: ({ event }) => event['n'] }), see] },
        leave: 'off',
      },
    },
    off: {
      on: {
        back: 'on',
        late: {
          guard: ({ context }) => context.refs.length > 0,
          actions: sendTo(({ context }) => context.refs[0] as AnyActorRef, { type: 'note', n: 1 }),
        },
      },
    },
  },
  on: {
    keep: { actions: assign({ refs: ({ self }) => [self.getSnapshot().children['child'] as AnyActorRef] }) },
  },
})

async function stateOf(engine: Opened, id: string): Promise<{ n: number; version: number; status: string }> {
  const found = await engine.find(id)
  if (found === undefined) throw new Error(`there is no ${id}`)
  const { context, status } = found.actor.getSnapshot()
  return { n: (context as Context).n, version: found.actor.version, status }
}

describe('a child', () => {
  test('has a stream of its own, whose first event says what it was given and whose it is', async () => {
    const engine = await openEngine({ machines: [parent] })
    const actor = await engine.spawn(parent, { id: 'p' })
    await actor.send({ type: 'add', by: 3 })

    const [first, second] = await eventsOf(engine.store, 'p:1:0')
    expect(first).toMatchObject({
      event_type: 'actor.created',
      machine: 'parent/child@1',
      payload: { parent: { streamId: 'p', id: 'child', key: 'p:1:0' } },
      correlation_id: 'p',
    })
    const [, asked, counted] = await eventsOf(engine.store, 'p')
    expect(second).toMatchObject({ event_type: 'add', source_agent: 'p', causation_id: asked?.event_id })
    expect(counted).toMatchObject({
      event_type: 'counted',
      source_agent: 'p:1:0',
      causation_id: second?.event_id,
    })
  })

  test('is another actor, with another stream, each time that its state is entered', async () => {
    const engine = await openEngine({ machines: [parent] })
    const actor = await engine.spawn(parent, { id: 'p' })
    await actor.send({ type: 'leave' })
    await actor.send({ type: 'back' })
    await actor.send({ type: 'add', by: 2 })

    expect((await eventsOf(engine.store, 'p:1:0')).map(({ event_type }) => event_type)).toEqual([
      'actor.created',
      'xstate.stop',
    ])
    expect(await stateOf(engine, 'p:1:0')).toMatchObject({ n: 0, status: 'stopped' })
    expect(await stateOf(engine, 'p:3:0')).toMatchObject({ n: 2, status: 'active' })
  })

  test('that ends tells its parent in the same turn, and can be looked at afterwards', async () => {
    const engine = await openEngine({ machines: [parent] })
    const actor = await engine.spawn(parent, { id: 'p' })
    await actor.send({ type: 'add', by: 12 })
    expect(actor.getSnapshot().value).toBe('off')
    const again = await reopen(engine, [parent])
    expect(await stateOf(again, 'p:1:0')).toMatchObject({ n: 12, status: 'done' })
    expect((await again.get(parent, 'p'))?.getSnapshot().value).toBe('off')
  })

  test('is stopped by its parent alone, and no root may have the name of a child', async () => {
    const engine = await openEngine({ machines: [parent] })
    await engine.spawn(parent, { id: 'p' })
    const found = await engine.find('p:1:0')
    await expect(found?.actor.stop()).rejects.toMatchObject({ code: 'EVENT_RESERVED' })
    await expect(engine.spawn(parent, { id: 'q:1:0' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  test('may be one of five hundred, each with its own count, also after a restart', async () => {
    const many = setup({ types, actors: { child } }).createMachine({
      id: 'many',
      context: empty,
      on: {
        start: {
          actions: assign({
            refs: ({ spawn }) => Array.from({ length: 500 }, (_, i) => spawn('child', { id: `c${i}` })),
          }),
        },
        one: {
          actions: sendTo(({ context, event }) => context.refs[event['i']] as AnyActorRef, {
            type: 'add',
            by: 1,
          }),
        },
        counted: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    })
    const engine = await openEngine({ machines: [many] })
    const actor = await engine.spawn(many, { id: 'm' })
    await actor.send({ type: 'start' })
    await Promise.all(Array.from({ length: 500 }, (_, i) => actor.send({ type: 'one', i })))
    expect(actor.getSnapshot().context.n).toBe(500)
    const again = await reopen(engine, [many])
    const same = await again.get(many, 'm')
    await same?.send({ type: 'one', i: 499 })
    expect(await stateOf(again, 'm:2:499')).toMatchObject({ n: 2, version: 3 })
    expect(await stateOf(again, 'm:2:0')).toMatchObject({ n: 1, version: 2 })
  })
})

describe('a cascade', () => {
  /** One event that touches three streams: the parent, the child, and the parent again, and starts another child. */
  const script: AnyEventObject[] = [
    { type: 'add', by: 4 },
    { type: 'add', by: 4 },
    { type: 'leave' },
    { type: 'back' },
    { type: 'add', by: 20 },
  ]

  test.each([false, true])(
    'is on disk whole or not at all, whichever append fails (written: %s)',
    async (written) => {
      for (let point = 0; point <= script.length; point += 1) {
        const clock = createTestClock()
        const failing = createFailingStore(clock)
        const engine = await openEngine({ machines: [parent], store: failing.store, clock })
        let appends = 0
        // The first one registers nothing: definitions go through another door.
        failing.failWhen(() => appends++ === point, { written })
        for (const event of [undefined, ...script]) {
          const sent = event === undefined ? engine.spawn(parent, { id: 'p' }) : engine.send('p', event)
          await sent.catch(() => {})
        }
        failing.heal()
        await assertWhole(failing.store)
        const again = await reopen(engine, [parent])
        expect(again.parked).toEqual([])
        // What was counted is what the parent was told, by the children that there were.
        const actor = await again.get(parent, 'p')
        const born = actor !== undefined
        expect({ point, written, born }).toEqual({ point, written, born: point > 0 || written })
        if (actor?.getSnapshot().value !== 'on') continue
        const { n } = await stateOf(again, actor.getSnapshot().children['child']?.sessionId ?? '')
        const heard = await lastHeard(again.store)
        expect({ point, heard }).toEqual({ point, heard: n === 0 ? heard : n })
      }
    },
  )

  test('whose batch fails breaks all its actors, and they are woken as they were', async () => {
    const clock = createTestClock()
    const failing = createFailingStore(clock)
    const engine = await openEngine({ machines: [parent], store: failing.store, clock })
    const actor = await engine.spawn(parent, { id: 'p' })
    await actor.send({ type: 'add', by: 1 })
    failing.failWhen(() => true)
    await expect(actor.send({ type: 'add', by: 2 })).rejects.toThrow('disk full')
    failing.heal()
    expect(await stateOf(engine, 'p:1:0')).toMatchObject({ n: 1 })
    await actor.send({ type: 'add', by: 3 })
    expect(await stateOf(engine, 'p:1:0')).toMatchObject({ n: 4 })
    expect(actor.getSnapshot().context.n).toBe(4)
  })

  const endless = (rounds: number): AnyStateMachine => {
    const echo = setup({ types }).createMachine({
      id: 'echo',
      context: empty,
      on: { ping: { actions: [see, sendParent(({ event }) => ({ type: 'pong', n: event['n'] }))] } },
    })
    return setup({ types, actors: { echo } }).createMachine({
      id: 'rally',
      context: empty,
      invoke: { id: 'echo', src: 'echo' },
      on: {
        serve: { actions: sendTo('echo', { type: 'ping', n: 1 }) },
        pong: {
          actions: [
            assign({ n: ({ event }) => event['n'] }),
            enqueueActions(({ context, enqueue }) => {
              if (context.n < rounds) enqueue.sendTo('echo', { type: 'ping', n: context.n + 1 })
            }),
          ],
        },
      },
    })
  }

  test('of more than a thousand steps goes on in further turns, and nothing of it is lost or doubled', async () => {
    const rally = endless(2_600)
    const batches: number[] = []
    const real = createMemoryEventStore()
    const store = counting(real, (events) => batches.push(events))
    const engine = await openEngine({ machines: [rally], store })
    const actor = await engine.spawn(rally, { id: 'r' })
    await actor.send({ type: 'serve' })
    expect(actor.getSnapshot().context.n).toBeLessThan(2_600)
    await until(() => actor.getSnapshot().context.n === 2_600, 'the end of the rally')
    const pings = (await eventsOf(store, 'r:1:0')).filter(({ event_type }) => event_type === 'ping')
    expect(pings.map(({ payload }) => (payload as { n: number }).n)).toEqual(
      Array.from({ length: 2_600 }, (_, i) => i + 1),
    )
    expect(Math.max(...batches)).toBeLessThanOrEqual(1_000)
    expect(await entries(store, 'outbox/')).toEqual([])
  })

  test('that was cut short goes on after a restart where it was', async () => {
    const rally = endless(2_600)
    const clock = createTestClock()
    const real = createMemoryEventStore({ clock: () => clock.now() })
    // The process dies once the first thousand steps are on disk.
    let over = false
    const { store, bury } = mortal(real, (batch) => {
      const now = over
      over ||= batch.appends.some(({ events }) => events.length > 400)
      return now
    })
    const dead = await openEngine({ machines: [rally], store, clock })
    const actor = await dead.spawn(rally, { id: 'r' })
    void actor.send({ type: 'serve' })
    await rest()
    expect(await entries(real, 'outbox/')).toHaveLength(1)

    const engine = await openEngine({ machines: [rally], store: real, clock })
    const same = await engine.get(rally, 'r')
    await until(() => same?.getSnapshot().context.n === 2_600, 'the end of the rally')
    const pings = (await eventsOf(real, 'r:1:0')).filter(({ event_type }) => event_type === 'ping')
    expect(pings).toHaveLength(2_600)
    bury()
  })
})

describe('mail', () => {
  const peer = setup({ types }).createMachine({
    id: 'peer',
    context: empty,
    on: {
      tell: {
        actions: sendTo(
          ({ event }) => event['whom'] as AnyActorRef,
          ({ event }) => ({ type: (event['as'] as string | undefined) ?? 'note', n: event['n'] }),
        ),
      },
      note: { actions: see },
      stop: '.over',
    },
    initial: 'on',
    states: { on: {}, over: { type: 'final' } },
  })

  test('to an actor of another family arrives once and in order, by a reference in an event', async () => {
    const engine = await openEngine({ machines: [peer] })
    const a = await engine.spawn(peer, { id: 'a' })
    const b = await engine.spawn(peer, { id: 'b' })
    await Promise.all(Array.from({ length: 50 }, (_, n) => a.send({ type: 'tell', whom: b, n })))
    await until(() => b.getSnapshot().context.seen.length === 50, 'the mail')
    expect(b.getSnapshot().context.seen).toEqual(Array.from({ length: 50 }, (_, n) => n))
    expect(await entries(engine.store, 'outbox/')).toEqual([])
    expect(engine.errors).toEqual([])
  })

  test.each([0, 1, 3])(
    'that was on disk and not taken when the process died arrives after the restart, once (taken before: %d)',
    async (taken) => {
      const clock = createTestClock()
      const real = createMemoryEventStore({ clock: () => clock.now() })
      let takes = 0
      const { store, bury } = mortal(real, ({ entries: changed = [] }) =>
        changed.some(
          ({ key, value }) => key.startsWith('outbox/') && value === undefined && takes++ >= taken,
        ),
      )
      const dying = await openEngine({ machines: [peer], store, clock })
      const a = await dying.spawn(peer, { id: 'a' })
      const b = await dying.spawn(peer, { id: 'b' })
      for (let n = 0; n < 5; n += 1) void a.send({ type: 'tell', whom: b, n })
      await until(async () => (await entries(real, 'outbox/')).length === 5 - taken, 'the mail on disk')

      const engine = await openEngine({ machines: [peer], store: real, clock })
      const same = await engine.get(peer, 'b')
      await until(() => same?.getSnapshot().context.seen.length === 5, 'the mail')
      expect(same?.getSnapshot().context.seen).toEqual([0, 1, 2, 3, 4])
      expect(await entries(real, 'outbox/')).toEqual([])
      bury()
    },
  )

  test.each([false, true])(
    'whose taking fails on disk waits there, and is taken once when the receiver is woken (written: %s)',
    async (written) => {
      const clock = createTestClock()
      const failing = createFailingStore(clock)
      const engine = await openEngine({ machines: [peer], store: failing.store, clock })
      const a = await engine.spawn(peer, { id: 'a' })
      const b = await engine.spawn(peer, { id: 'b' })
      let failures = 0
      failing.failWhen(
        ({ entries: changed = [] }) =>
          changed.some(({ key, value }) => key.startsWith('outbox/') && value === undefined) &&
          failures++ === 1,
        { written },
      )
      for (let n = 0; n < 6; n += 1) void a.send({ type: 'tell', whom: b, n })
      await until(() => engine.errors.length > 0, 'the failure')
      await rest()
      const same = await engine.get(peer, 'b')
      await until(() => same?.getSnapshot().context.seen.length === 6, 'the mail')
      expect(same?.getSnapshot().context.seen).toEqual([0, 1, 2, 3, 4, 5])
      expect(await entries(engine.store, 'outbox/')).toEqual([])
    },
  )

  test('to an actor that has ended, or that never was, is a dead letter: recorded, and listed', async () => {
    const engine = await openEngine({ machines: [peer] })
    const a = await engine.spawn(peer, { id: 'a' })
    const b = await engine.spawn(peer, { id: 'b' })
    await b.send({ type: 'stop' })
    await a.send({ type: 'tell', whom: b, n: 1 })
    await until(async () => (await engine.deadLetters()).length === 1, 'the first dead letter')
    await a.send({ type: 'tell', whom: referenceTo('nobody'), n: 2 })
    await until(async () => (await engine.deadLetters()).length === 2, 'the second dead letter')

    const letters = [
      { to: 'b', from: 'a', event: { type: 'note', n: 1 }, reason: 'the actor has ended' },
      { to: 'nobody', from: 'a', event: { type: 'note', n: 2 }, reason: 'there is no such actor' },
    ]
    expect(await engine.deadLetters()).toMatchObject(letters)
    expect(await eventsOf(engine.store, 'b~dead')).toMatchObject([{ event_type: 'runtime.dead_letter' }])
    expect(await eventsOf(engine.store, 'nobody~dead')).toHaveLength(1)
    const again = await reopen(engine, [peer])
    expect(await again.deadLetters()).toMatchObject(letters)
    expect(await entries(again.store, 'outbox/')).toEqual([])
  })

  test('that is only named like a reference by somebody outside goes nowhere', async () => {
    const engine = await openEngine({ machines: [peer] })
    const a = await engine.spawn(peer, { id: 'a' })
    const b = await engine.spawn(peer, { id: 'b' })
    await a.send({ type: 'tell', whom: { xstate$$type: 1, id: 'b', address: 'b' }, n: 1 })
    await rest()
    expect(b.version).toBe(1)
    expect(await engine.deadLetters()).toEqual([])
  })

  test('that means nothing to its receiver is taken off the disk all the same', async () => {
    const engine = await openEngine({ machines: [peer] })
    const a = await engine.spawn(peer, { id: 'a' })
    const b = await engine.spawn(peer, { id: 'b' })
    await a.send({ type: 'tell', whom: b, as: 'nonsense' })
    await until(async () => (await entries(engine.store, 'outbox/')).length === 0, 'an empty outbox')
    expect(b.version).toBe(1)
    expect(engine.errors).toEqual([])
  })

  test('of a parent to a child that has ended is a dead letter', async () => {
    const keeper = setup({ types, actors: { child } }).createMachine({
      id: 'keeper',
      context: ({ spawn }) => ({ ...empty, refs: [spawn('child', { id: 'child' })] }),
      on: { add: { actions: sendTo('child', ({ event }) => ({ type: 'add', by: event['by'] })) } },
    })
    const engine = await openEngine({ machines: [keeper] })
    const actor = await engine.spawn(keeper, { id: 'k' })
    await actor.send({ type: 'add', by: 10 })
    await actor.send({ type: 'add', by: 1 })
    expect(await engine.deadLetters()).toMatchObject([
      { to: 'k:1:0', from: 'k', event: { type: 'add', by: 1 } },
    ])
  })
})

/** Whatever was written on account of something is there together with it, and whoever asked was answered. */
async function assertWhole(store: EventStore): Promise<void> {
  const ids = new Set<string | null>([null])
  const causes: (string | null)[] = []
  for await (const event of store.readAll()) {
    ids.add(event.event_id)
    causes.push(event.causation_id)
  }
  expect(causes.filter((cause) => !ids.has(cause))).toEqual([])
  const kinds = (await eventsOf(store, 'p')).map(({ event_type }) => event_type)
  const asked = kinds.filter((type) => type === 'add').length
  expect(kinds.filter((type) => type === 'counted')).toHaveLength(asked)
}

/** What the parent was told last. */
async function lastHeard(store: EventStore): Promise<unknown> {
  const told = (await eventsOf(store, 'p')).filter(({ event_type }) => event_type === 'counted')
  return (told.at(-1)?.payload as { n: number } | undefined)?.n
}

/** What an actor's reference looks like to those who put it into an event. */
function referenceTo(id: string): object {
  return { id, sessionId: id, send: () => {}, toJSON: () => ({ xstate$$type: 1, id, address: id }) }
}

async function entries(store: EventStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.entries(prefix)) keys.push(key)
  return keys
}

/** A store under a process that dies: from the first batch for which `dies` holds nothing is written or answered. */
function mortal(
  real: EventStore,
  dies: (batch: AtomicBatch) => boolean,
): { readonly store: EventStore; readonly bury: () => void } {
  let dead = false
  let refuse: (error: Error) => void = () => {}
  const killed = new Promise<never>((_resolve, reject) => (refuse = reject))
  const store = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'appendBatch') return typeof value === 'function' ? (value.bind(target) as unknown) : value
      return (batch: AtomicBatch) => {
        dead ||= dies(batch)
        return dead ? killed : real.appendBatch(batch)
      }
    },
  })
  return { store, bury: () => refuse(new Error('killed')) }
}

function counting(real: EventStore, tell: (events: number) => void): EventStore {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'appendBatch') return typeof value === 'function' ? (value.bind(target) as unknown) : value
      return (batch: Parameters<EventStore['appendBatch']>[0]) => {
        tell(batch.appends.reduce((sum, { events }) => sum + events.length, 0))
        return real.appendBatch(batch)
      }
    },
  })
}
