/** Request and reply: the answer is a state or an emitted event that comes of the question, and there always is an end. */
import { describe, expect, test } from 'vitest'
import { assign, emit, fromPromise, setup } from 'xstate'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { openEngine, reopen, rest } from './engine-under-test.ts'

const price = setup({
  types: {
    context: {} as { price: number; asked: number },
    events: {} as
      | { type: 'quote'; of: string }
      | { type: 'set'; price: number }
      | { type: 'end' }
      | { type: 'crash' },
    emitted: {} as { type: 'quoted'; price: number } | { type: 'other' },
  },
  actors: { look: fromPromise(() => Promise.resolve(42)) },
  guards: { known: ({ event }) => event.type === 'quote' && event.of === 'tea' },
}).createMachine({
  id: 'price',
  context: { price: 0, asked: 0 },
  initial: 'idle',
  states: {
    idle: {
      on: {
        quote: {
          guard: 'known',
          target: 'looking',
          actions: assign({ asked: ({ context }) => context.asked + 1 }),
        },
        set: {
          actions: [
            assign({ price: ({ event }) => event.price }),
            emit(({ event }) => ({ type: 'quoted', price: event.price })),
          ],
        },
        end: 'over',
        crash: {
          actions: assign(() => {
            throw new Error('broken')
          }),
        },
      },
    },
    looking: {
      invoke: {
        src: 'look',
        id: 'look',
        onDone: { target: 'idle', actions: assign({ price: ({ event }) => event.output }) },
      },
    },
    over: { type: 'final' },
  },
})

async function asked() {
  const clock = createTestClock()
  const engine = await openEngine({ machines: [price], clock })
  const actor = await engine.spawn(price, { id: 'p' })
  return { clock, engine, actor }
}

const isIdle = (snapshot: { value: unknown }): boolean => snapshot.value === 'idle'

describe('an answer', () => {
  test('is the first state that comes of the question and satisfies it, not the one before it', async () => {
    const { engine, actor } = await asked()
    const answer = await engine.ask(actor, { type: 'quote', of: 'tea' }, { until: isIdle })
    expect(answer.context).toEqual({ price: 42, asked: 1 })
  })

  test('can be an emitted event', async () => {
    const { engine, actor } = await asked()
    const answer = await engine.ask(actor, { type: 'set', price: 9 }, { until: { emitted: 'quoted' } })
    expect(answer.price).toBe(9)
  })

  test('is that to one’s own question, however many are asked at once', async () => {
    const { engine, actor } = await asked()
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => engine.ask(actor, { type: 'set', price: n }, { until: { emitted: 'quoted' } })),
    )
    expect(answers.map((answer) => answer.price)).toEqual([1, 2, 3, 4])
    const states = await Promise.all(
      [5, 6, 7].map((n) => engine.ask('p', { type: 'set', price: n }, { until: () => true })),
    )
    expect(states.map((state) => (state.context as { price: number }).price)).toEqual([5, 6, 7])
  })

  test('comes from an actor that has to be woken first', async () => {
    const { engine } = await asked()
    const again = await reopen(engine, [price])
    const answer = await again.ask('p', { type: 'quote', of: 'tea' }, { until: isIdle })
    expect(answer.context).toMatchObject({ price: 42 })
  })

  test('can be the final state', async () => {
    const { engine, actor } = await asked()
    const answer = await engine.ask(actor, { type: 'end' }, { until: ({ status }) => status === 'done' })
    expect(answer.value).toBe('over')
  })
})

describe('there is an end without an answer', () => {
  test('when the event is refused or ignored: the error says why', async () => {
    const { engine, actor } = await asked()
    await expect(engine.ask(actor, { type: 'quote', of: 'gold' }, { until: isIdle })).rejects.toMatchObject({
      code: 'ASK_REFUSED',
      details: { reason: expect.stringContaining('guard "known" said no') as string },
    })
    await expect(engine.ask('p', { type: 'nonsense' }, { until: () => true })).rejects.toMatchObject({
      code: 'ASK_REFUSED',
    })
  })

  test('when the time is up', async () => {
    const { clock, engine, actor } = await asked()
    const answer = engine.ask(actor, { type: 'set', price: 1 }, { until: () => false, timeoutMs: 100 })
    const settled = Promise.allSettled([answer])
    await clock.advance(100)
    expect(await settled).toMatchObject([{ reason: { code: 'ASK_TIMED_OUT' } }])
    expect(clock.pending()).toEqual([])
  })

  test('when the signal aborts, before or after the question', async () => {
    const { engine, actor } = await asked()
    const reason = new Error('never mind')
    const controller = new AbortController()
    const answer = engine.ask(
      actor,
      { type: 'set', price: 1 },
      { until: () => false, signal: controller.signal },
    )
    await rest()
    controller.abort(reason)
    await expect(answer).rejects.toBe(reason)
    const { version } = actor
    await expect(
      engine.ask(actor, { type: 'set', price: 2 }, { until: () => true, signal: controller.signal }),
    ).rejects.toBe(reason)
    expect(actor.version).toBe(version)
  })

  test('when the actor ends, or has ended, or crashes', async () => {
    const { engine, actor } = await asked()
    await expect(engine.ask(actor, { type: 'end' }, { until: { emitted: 'quoted' } })).rejects.toMatchObject({
      code: 'ASK_UNANSWERED',
    })
    await expect(engine.ask(actor, { type: 'end' }, { until: () => true })).rejects.toMatchObject({
      code: 'ASK_REFUSED',
    })
    const other = await engine.spawn(price, { id: 'q' })
    await expect(engine.ask(other, { type: 'crash' }, { until: () => true })).rejects.toMatchObject({
      code: 'ASK_UNANSWERED',
    })
  })

  test('when there is no such actor, and when the condition throws', async () => {
    const { engine, actor } = await asked()
    await expect(engine.ask('nobody', { type: 'set' }, { until: () => true })).rejects.toMatchObject({
      code: 'ACTOR_NOT_FOUND',
    })
    const thrown = new Error('in until')
    const until = (): boolean => {
      throw thrown
    }
    await expect(engine.ask(actor, { type: 'set', price: 1 }, { until })).rejects.toBe(thrown)
  })
})
