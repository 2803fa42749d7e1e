/** What is sent from outside waits in bounds, and one actor that is sent much does not hold up the others. */
import { describe, expect, test } from 'vitest'
import { assign, sendTo, setup, fromPromise, type AnyActorRef } from 'xstate'
import { withPolicies } from '../../src/runtime/policies.ts'
import type { Receipt } from '../../src/runtime/cell/receipt.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { openEngine, reopen, rest, until } from './engine-under-test.ts'
import { createFailingStore } from './failing-store.ts'

const counter = setup({
  types: {
    context: {} as { seen: number[] },
    events: {} as { type: 'add'; n: number } | { type: 'pass'; to: AnyActorRef; n: number },
  },
}).createMachine({
  id: 'counter',
  context: { seen: [] },
  on: {
    add: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
    pass: {
      actions: sendTo(
        ({ event }) => event.to,
        ({ event }) => ({ type: 'add', n: event.n }),
      ),
    },
  },
})

const full = { code: 'MAILBOX_FULL' }

describe('a mailbox', () => {
  test('turns away what is more than its limit, with nothing written, and takes more when it is empty', async () => {
    const clock = createTestClock()
    const failing = createFailingStore(clock)
    const engine = await openEngine({ machines: [counter], clock, store: failing.store, mailboxLimit: 3 })
    const actor = await engine.spawn(counter, { id: 'c' })
    const held = failing.hold()
    const sent = [1, 2, 3, 4, 5].map((n) => actor.send({ type: 'add', n }))
    const turnedAway = Promise.allSettled(sent.slice(3))
    expect(await turnedAway).toMatchObject([{ reason: full }, { reason: full }])
    await rest()
    await held.letGo()
    expect(await Promise.all(sent.slice(0, 3))).toMatchObject([
      { version: 2 },
      { version: 3 },
      { version: 4 },
    ])
    expect((await actor.send({ type: 'add', n: 6 })).version).toBe(5)
    expect(actor.getSnapshot().context.seen).toEqual([1, 2, 3, 6])
    expect(engine.errors).toEqual([])
  })

  test('has the limit of its machine, if that has one', async () => {
    const engine = await openEngine({
      machines: [withPolicies(counter, { mailboxLimit: 1 })],
      mailboxLimit: 100,
    })
    const actor = await engine.spawn(counter, { id: 'c' })
    const [first, second] = [actor.send({ type: 'add', n: 1 }), actor.send({ type: 'add', n: 2 })]
    await expect(second).rejects.toMatchObject(full)
    await expect(first).resolves.toMatchObject({ accepted: true })
  })

  test('that is full says so to onError, when nobody awaits the answer', async () => {
    const engine = await openEngine({ machines: [counter], mailboxLimit: 1 })
    const actor = await engine.spawn(counter, { id: 'c' })
    void actor.send({ type: 'add', n: 1 })
    void actor.send({ type: 'add', n: 2 })
    await until(() => engine.errors.length === 1, 'the complaint')
    expect(engine.errors).toMatchObject([full])
  })

  test('counts what is refused as well, and only until it is answered', async () => {
    const engine = await openEngine({ machines: [counter], mailboxLimit: 2 })
    const actor = await engine.spawn(counter, { id: 'c' })
    for (let i = 0; i < 10; i += 1) {
      expect(await actor.send({ type: 'nonsense' } as never)).toMatchObject({ accepted: false })
    }
    expect(await actor.send({ type: 'add', n: 1 })).toMatchObject({ accepted: true })
  })

  test('has room for what actors send each other, for outcomes and for a stop, however full it is', async () => {
    const worker = setup({
      types: { context: {} as { got: number; added: number }, events: {} as { type: 'add'; n: number } },
      actors: { work: fromPromise(() => Promise.resolve(5)) },
    }).createMachine({
      id: 'worker',
      context: { got: 0, added: 0 },
      on: { add: { actions: assign({ added: ({ context }) => context.added + 1 }) } },
      invoke: { src: 'work', id: 'work', onDone: { actions: assign({ got: ({ event }) => event.output }) } },
    })
    const clock = createTestClock()
    const failing = createFailingStore(clock)
    const engine = await openEngine({
      machines: [worker, counter],
      clock,
      store: failing.store,
      mailboxLimit: 1,
    })
    const other = await engine.spawn(counter, { id: 'other' })
    const held = failing.hold()
    const spawned = engine.spawn(worker, { id: 'w' })
    await rest()
    await held.letGo()
    const actor = await spawned
    const again = failing.hold()
    const first = actor.send({ type: 'add', n: 1 })
    await expect(actor.send({ type: 'add', n: 2 })).rejects.toMatchObject(full)
    const stopped = actor.stop()
    const passed = other.send({ type: 'pass', to: actor as unknown as AnyActorRef, n: 3 })
    await rest()
    await again.letGo()
    await Promise.all([first, stopped, passed])
    expect(actor.getSnapshot()).toMatchObject({ status: 'stopped', context: { got: 5, added: 1 } })
  })

  test('is bounded while its actor is being woken, too', async () => {
    const engine = await openEngine({ machines: [counter], mailboxLimit: 2 })
    await engine.spawn(counter, { id: 'c' })
    const again = await reopen(engine, [counter])
    void again
    const limited = await openEngine({
      machines: [counter],
      store: again.store,
      clock: again.clock,
      mailboxLimit: 2,
    })
    const sent = await Promise.allSettled(
      [1, 2, 3].map((n) => limited.send('c', { type: 'add', n } as never)),
    )
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(await limited.send('c', { type: 'add', n: 4 } as never)).toMatchObject({ accepted: true })
  })
})

describe('an actor that is sent much', () => {
  test('takes it in order, one event at a time', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const numbers = Array.from({ length: 2_000 }, (_, n) => n)
    const receipts = await Promise.all(numbers.map((n) => actor.send({ type: 'add', n })))
    expect(receipts.map(({ version }) => version)).toEqual(numbers.map((n) => n + 2))
    expect(actor.getSnapshot().context.seen).toEqual(numbers)
  })

  test('lets others go first: what is sent to them later is answered sooner', async () => {
    const engine = await openEngine({ machines: [counter] })
    const hot = await engine.spawn(counter, { id: 'hot' })
    const calm = await Promise.all(
      Array.from({ length: 20 }, (_, index) => engine.spawn(counter, { id: `calm-${index}` })),
    )
    const answers: string[] = []
    const noted = (answer: Promise<Receipt>, name: string) => answer.then(() => answers.push(name))
    const all = Array.from({ length: 3_000 }, (_, n) => noted(hot.send({ type: 'add', n }), 'hot'))
    all.push(...calm.map((actor, n) => noted(actor.send({ type: 'add', n }), 'calm')))
    await Promise.all(all)
    expect(answers.lastIndexOf('calm')).toBeLessThan(500)
  })

  test('shares the turns with another one that is sent as much', async () => {
    const engine = await openEngine({ machines: [counter] })
    const [a, b] = [await engine.spawn(counter, { id: 'a' }), await engine.spawn(counter, { id: 'b' })]
    const answers: string[] = []
    const all: Promise<unknown>[] = []
    for (const [name, actor] of [
      ['a', a],
      ['b', b],
    ] as const) {
      for (let n = 0; n < 1_500; n += 1)
        all.push(actor.send({ type: 'add', n }).then(() => answers.push(name)))
    }
    await Promise.all(all)
    const half = answers.slice(0, 1_500)
    expect(half.filter((name) => name === 'b').length).toBeGreaterThan(400)
  })

  test('is stopped after what was sent before the stop', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const sent = Array.from({ length: 400 }, (_, n) => actor.send({ type: 'add', n }))
    await actor.stop()
    expect((await Promise.all(sent)).every(({ accepted }) => accepted)).toBe(true)
    expect(actor.getSnapshot()).toMatchObject({ status: 'stopped' })
    expect(actor.getSnapshot().context.seen).toHaveLength(400)
  })

  test('has had all of it when its runtime has closed, and takes no more', async () => {
    const engine = await openEngine({ machines: [counter] })
    const actor = await engine.spawn(counter, { id: 'c' })
    const numbers = Array.from({ length: 1_000 }, (_, n) => n)
    const sent = Promise.all(numbers.map((n) => actor.send({ type: 'add', n })))
    const closed = engine.close()
    const late = actor.send({ type: 'add', n: -1 })
    await expect(late).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
    await closed
    expect((await sent).every(({ accepted }) => accepted)).toBe(true)
    const again = await openEngine({ machines: [counter], store: engine.store, clock: engine.clock })
    expect((await again.get(counter, 'c'))?.getSnapshot().context.seen).toEqual(numbers)
  })
})
