/** What a sender hears, and in which order things happen to one actor however many speak to it at once. */
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { assign, createMachine, fromPromise, setup, type AnyEventObject } from 'xstate'
import { createMemoryEventStore, openLevelEventStore } from '../../eventstore/index.ts'
import { createEngine } from '../../src/runtime/engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createTestClock, type TestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'

const counter = setup({
  types: {
    context: {} as { n: number; last: number },
    events: {} as { type: 'add'; by: number } | { type: 'pay'; amount: number } | { type: 'unknown' },
    input: undefined as { from: number } | undefined,
  },
  guards: { affordable: ({ context, event }) => event.type === 'pay' && event.amount <= context.n },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ n: input?.from ?? 0, last: -1 }),
  on: {
    add: {
      actions: assign({ n: ({ context, event }) => context.n + event.by, last: ({ event }) => event.by }),
    },
    pay: { guard: 'affordable', actions: assign({ n: ({ context, event }) => context.n - event.amount }) },
  },
})
const other = createMachine({ id: 'other' })

describe('a receipt', () => {
  test('says accepted with the version of the event, refused and ignored with the version it rests on', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    expect(await actor.send({ type: 'add', by: 3 })).toEqual({ accepted: true, version: 2 })
    expect(await actor.send({ type: 'pay', amount: 4 })).toEqual({
      accepted: false,
      version: 2,
      reason: 'guard "affordable" said no to "pay" in state {}',
      alternatives: [],
    })
    expect(await actor.send({ type: 'unknown' })).toEqual({
      accepted: false,
      version: 2,
      reason: '"unknown" means nothing in state {}',
      alternatives: [],
    })
    expect(actor.version).toBe(2)
  })

  test('comes when its event is on disk, and so does the state', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const sending = actor.send({ type: 'add', by: 1 })
    expect(actor.getSnapshot().context.n).toBe(0)
    await sending
    expect(actor.getSnapshot().context.n).toBe(1)
    expect((await engine.store.head('c'))?.version).toBe(2)
  })

  test('of a refusal rests on what was decided before it, and comes after that is on disk', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const order: string[] = []
    const adding = actor.send({ type: 'add', by: 3 }).then(() => order.push('added'))
    const paying = actor.send({ type: 'pay', amount: 3 }).then(() => order.push('paid'))
    const refused = actor
      .send({ type: 'pay', amount: 1 })
      .then(({ version }) => order.push(`refused at ${version}`))
    await Promise.all([adding, paying, refused])
    expect(order).toEqual(['added', 'paid', 'refused at 3'])
  })

  test('of a stop is accepted once; the actor completes and takes nothing more', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    let complete = 0
    const shown: unknown[] = []
    actor.subscribe({ next: (snapshot) => shown.push(snapshot), complete: () => (complete += 1) })
    expect(await actor.stop()).toEqual({ accepted: true, version: 2 })
    expect(await actor.stop()).toMatchObject({ accepted: false, reason: 'the actor is stopped' })
    expect(await actor.send({ type: 'add', by: 1 })).toMatchObject({ accepted: false })
    expect([complete, shown]).toEqual([1, []])
    const again = await (await reopen(engine, [counter])).get(counter, 'c')
    expect(again?.getSnapshot()).toMatchObject({ status: 'stopped', context: { n: 0 } })
  })
})

describe('ten thousand events in flight', () => {
  test('are kept in the order in which they were sent, on disk and after a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'engine-order-'))
    const open = async () => {
      const store = await openLevelEventStore({ path: join(folder, 'log') })
      return createEngine({
        store,
        clock: systemClock,
        machines: [counter],
        onError: (error) => errors.push(error),
      })
    }
    const errors: unknown[] = []
    const engine = await open()
    const actor = await engine.spawn(counter, { id: 'c' })
    const shown: number[] = []
    actor.subscribe((snapshot) => shown.push(snapshot.context.last))
    for (let by = 0; by < 10_000; by += 1) void actor.send({ type: 'add', by })
    await engine.close()
    await engine.store.close()

    const second = await open()
    const again = await second.get(counter, 'c')
    expect(again?.version).toBe(10_001)
    expect(again?.getSnapshot().context).toEqual({ n: (9_999 * 10_000) / 2, last: 9_999 })
    const recorded = (await eventsOf(second.store, 'c'))
      .slice(1)
      .map(({ payload }) => (payload as { by: number }).by)
    expect(recorded).toEqual(Array.from({ length: 10_000 }, (_, by) => by))
    expect(shown).toEqual(recorded.slice(0, shown.length))
    expect(errors).toEqual([])
    await second.close()
    await second.store.close()
    await rm(folder, { recursive: true })
  })

  test('that arrive while the actor is being woken keep their order, before what is sent once it is awake', async () => {
    const engine = await openEngine({ machines: [counter] })
    await engine.spawn(counter, { id: 'c' })
    const second = await reopen(engine, [counter])
    const receipts = [1, 2, 3].map((by) => second.send('c', { type: 'add', by } as never))
    const woken = second.get(counter, 'c').then((actor) => actor?.send({ type: 'add', by: 4 }))
    receipts.push(second.send('c', { type: 'add', by: 5 } as never))
    expect((await Promise.all(receipts)).map(({ version }) => version)).toEqual([2, 3, 4, 5])
    expect((await woken)?.version).toBe(6)
  })
})

describe('a send that nobody awaits', () => {
  test('after the runtime was closed is no unhandled rejection, and is told to onError', async () => {
    const unhandled: unknown[] = []
    const listener = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listener)
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    await engine.close()
    void actor.send({ type: 'add', by: 1 })
    void actor.stop()
    await rest()
    process.off('unhandledRejection', listener)
    expect(unhandled).toEqual([])
    expect(engine.errors).toEqual([
      expect.objectContaining({ code: 'RUNTIME_CLOSED' }),
      expect.objectContaining({ code: 'RUNTIME_CLOSED' }),
    ])
    expect(actor.getSnapshot().context.n).toBe(0)
  })

  test('is the only one that is told to onError: whoever awaits hears it alone', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const bad = { type: 'add', by: 1n } as never
    await expect(actor.send(bad)).rejects.toMatchObject({ code: 'ES_NOT_SERIALISABLE' })
    await Promise.allSettled([actor.send(bad)])
    await actor.send(bad).catch(() => {})
    await rest()
    expect(engine.errors).toEqual([])
    void actor.send(bad)
    await rest()
    expect(engine.errors).toHaveLength(1)
  })
})

describe('spawning', () => {
  test('the same id many times at once gives one stream, created once', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actors = await Promise.all(
      Array.from({ length: 20 }, (_, from) => engine.spawn(counter, { id: 'c', input: { from } })),
    )
    await Promise.all(actors.map((actor) => actor.send({ type: 'add', by: 1 })))
    expect(actors.map((actor) => actor.version)).toEqual(Array.from({ length: 20 }, () => 21))
    expect(
      (await eventsOf(engine.store, 'c')).filter(({ event_type }) => event_type === 'actor.created'),
    ).toHaveLength(1)
  })

  test('the same id at once, where the first one fails on its input, gives the second one its turn', async () => {
    const picky = setup({ types: { input: {} as { ok: boolean } } }).createMachine({
      id: 'picky',
      context: ({ input }) => {
        if (!input.ok) throw new Error('not ok')
        return {}
      },
    })
    const engine = await openEngine({ machines: [picky] })
    const [first, second] = await Promise.allSettled([
      engine.spawn(picky, { id: 'p', input: { ok: false } }),
      engine.spawn(picky, { id: 'p', input: { ok: true } }),
    ])
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled'])
  })

  test('an id that exists gives the existing actor, woken; with ifExists: error it is refused', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c', input: { from: 1 } })
    await actor.send({ type: 'add', by: 1 })
    const second = await reopen(engine, [counter])
    const again = await second.spawn(counter, { id: 'c', input: { from: 100 } })
    expect(again.getSnapshot().context.n).toBe(2)
    await expect(second.spawn(counter, { id: 'c', ifExists: 'error' })).rejects.toMatchObject({
      code: 'ACTOR_EXISTS',
    })
    const both = await Promise.allSettled([
      second.spawn(counter, { id: 'new', ifExists: 'error' }),
      second.spawn(counter, { id: 'new', ifExists: 'error' }),
    ])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  test('an id that belongs to another machine is refused, awake or not', async () => {
    const engine = await openEngine({ machines: [counter, other] })
    await engine.spawn(counter, { id: 'c' })
    const mismatch = { code: 'ACTOR_MACHINE_MISMATCH', details: { stream_id: 'c', machine: 'counter@1' } }
    await expect(engine.spawn(other, { id: 'c' })).rejects.toMatchObject(mismatch)
    const second = await reopen(engine, [counter, other])
    await expect(second.get(other, 'c')).rejects.toMatchObject(mismatch)
    await expect(second.spawn(other, { id: 'c' })).rejects.toMatchObject(mismatch)
  })

  test('a machine that was not registered, or two of one id, is refused', async () => {
    const engine = await openEngine({ machines: [counter] })
    await expect(engine.spawn(other, { id: 'o' })).rejects.toMatchObject({ code: 'MACHINE_UNKNOWN' })
    await expect(openEngine({ machines: [counter, counter] })).rejects.toMatchObject({
      code: 'MACHINE_DUPLICATE',
    })
  })

  test('what does not exist is undefined to get and find, and refused by send', async () => {
    const engine = await openEngine({ machines: [counter] })
    expect(await engine.get(counter, 'nobody')).toBeUndefined()
    expect(await engine.find('nobody')).toBeUndefined()
    expect(await engine.find('machine/counter@1')).toBeUndefined()
    await expect(engine.send('nobody', { type: 'add' })).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' })
  })
})

describe('the machines in the log', () => {
  test('are recorded once, however often the log is opened, and again when they change', async () => {
    const store = createMemoryEventStore()
    const circular: Record<string, unknown> = { limit: Infinity, at: new Date(0), set: new Set([1]) }
    circular['self'] = circular
    const odd = createMachine({ id: 'odd', context: circular, options: { maxIterations: Infinity } })
    for (let i = 0; i < 3; i += 1) await (await openEngine({ machines: [counter, odd], store })).close()
    expect(store.position()).toBe(2)
    const changed = createMachine({ id: 'odd', on: { x: {} } })
    await (await openEngine({ machines: [counter, changed], store })).close()
    expect(await eventsOf(store, 'machine/odd@1')).toHaveLength(2)
  })
})

describe('what an actor owes to a machine that is not there', () => {
  const waits = (version: string) =>
    setup({ actors: { ever: fromPromise(() => new Promise(() => {})) } }).createMachine({
      id: 'waits',
      version,
      invoke: { id: 'ever', src: 'ever' },
      on: { x: { actions: () => {} } },
    })

  test('is parked at recovery, visibly, and left alone until its machine is back', async () => {
    const engine = await openEngine({ machines: [waits('1'), counter] })
    await engine.spawn(waits('1'), { id: 'w' })
    const position = (await engine.store.head('w'))?.position
    const later = await reopen(engine, [counter])
    expect(later.parked).toEqual([
      {
        id: 'w',
        code: 'MACHINE_UNKNOWN',
        reason: expect.stringContaining('"w" was written by machine "waits@1"') as string,
      },
    ])
    await expect(later.send('w', { type: 'x' })).rejects.toMatchObject({ code: 'MACHINE_UNKNOWN' })
    expect((await engine.store.head('w'))?.position).toBe(position)
    const back = await reopen(engine, [waits('1')])
    expect(back.parked).toEqual([])
    expect(await back.send('w', { type: 'x' })).toMatchObject({ accepted: true, version: 2 })
  })

  test('is parked as well when the child that it runs is no longer provided: the replay would end in error, and it did not', async () => {
    const child = setup({
      types: { context: {} as { n: number }, events: {} as AnyEventObject },
      actors: { ever: fromPromise(() => new Promise(() => {})) },
    })
    const spawns = child.createMachine({
      id: 's',
      context: { n: 0 },
      on: { go: { actions: assign(({ spawn }) => (spawn('ever', { id: 'e' }), { n: 1 })) } },
    })
    const engine = await openEngine({ machines: [spawns] })
    const actor = await engine.spawn(spawns, { id: 's-1' })
    await actor.send({ type: 'go' })
    const broken = spawns.provide({ actors: {} })
    delete (broken.implementations.actors as Record<string, unknown>)['ever']
    const last = await reopen(engine, [broken])
    expect(last.parked).toEqual([expect.objectContaining({ id: 's-1', code: 'ACTOR_DIVERGED' })])
  })

  test('whose code leads elsewhere now is parked rather than left to drift', async () => {
    const version = (target: string) =>
      createMachine({
        id: 'drift',
        initial: 'a',
        states: { a: { on: { go: target } }, b: { after: { 1000: 'c' } }, c: { after: { 1000: 'b' } } },
      })
    const engine = await openEngine({ machines: [version('b')] })
    const actor = await engine.spawn(version('b'), { id: 'd' })
    await actor.send({ type: 'go' })
    const later = await reopen(engine, [version('c')])
    await (later.clock as TestClock).advance(1_000)
    await until(() => later.parked.length > 0, 'the actor to be parked when its timer is due')
    expect(later.parked).toEqual([
      {
        id: 'd',
        code: 'ACTOR_DIVERGED',
        reason: expect.stringContaining(
          'Event 2 ("go") of "d" does not replay: it leads to "c" now, and led to "b"',
        ) as string,
      },
    ])
  })
})

describe('refusals', () => {
  const payloads = async (store: Parameters<typeof eventsOf>[0]) =>
    (await eventsOf(store, 'c~refused')).map(
      ({ payload }) => payload as { count: number; refused: string; event: unknown },
    )

  test('are on disk with who, why, on which state, and what to do instead', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c', correlationId: 'corr-1' })
    await actor.send({ type: 'pay', amount: 1 }, { source: 'alice' })
    await actor.send(
      { type: 'pay', amount: 2 },
      { source: 'bob', ifRefused: { by: 'hook:budget', reason: 'no money', alternatives: ['ask for some'] } },
    )
    const refusals = await eventsOf(engine.store, 'c~refused')
    expect(
      refusals.map(({ event_type, source_agent, correlation_id }) => [
        event_type,
        source_agent,
        correlation_id,
      ]),
    ).toEqual([
      ['runtime.refused', 'alice', 'corr-1'],
      ['runtime.refused', 'bob', 'corr-1'],
    ])
    expect(refusals.map(({ payload }) => payload)).toEqual([
      {
        refused: 'pay',
        event: { amount: 1 },
        by: 'guard:affordable',
        reason: 'guard "affordable" said no to "pay" in state {}',
        alternatives: [],
        version: 1,
        state: {},
        count: 1,
      },
      {
        refused: 'pay',
        event: { amount: 2 },
        by: 'hook:budget',
        reason: 'no money',
        alternatives: ['ask for some'],
        version: 1,
        state: {},
        count: 1,
      },
    ])
  })

  test('identical ones within a minute are counted, and the count is written when the minute is over', async () => {
    const clock = createTestClock()
    const engine = await openEngine({ machines: [counter], clock })
    const actor = await engine.spawn(counter, { id: 'c' })
    for (let i = 0; i < 5; i += 1) {
      await actor.send({ type: 'pay', amount: 1 })
      await clock.advance(1_000)
    }
    expect((await payloads(engine.store)).map(({ count }) => count)).toEqual([1])
    await clock.advance(60_000)
    expect((await payloads(engine.store)).map(({ count }) => count)).toEqual([1, 4])
    await actor.send({ type: 'pay', amount: 1 })
    expect((await payloads(engine.store)).map(({ count }) => count)).toEqual([1, 4, 1])
  })

  test('what was counted is written when the runtime closes', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    await Promise.all([1, 2, 3].map((amount) => actor.send({ type: 'pay', amount })))
    await engine.close()
    expect((await payloads(engine.store)).map(({ count }) => count)).toEqual([1, 2])
  })

  test('nobody hears of one, nor of one like it, before the first is on disk', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const onDisk = [1, 2, 3].map(async (amount) => {
      await actor.send({ type: 'pay', amount })
      return (await payloads(engine.store)).length
    })
    expect(await Promise.all(onDisk)).toEqual([1, 1, 1])
  })
})
