/** Declared actions are owed until their outcome is on disk: run after the append, again by their policy, once if they succeed. */
import { describe, expect, test } from 'vitest'
import { assign, createActor, enqueueActions, sendTo, setup, type AnyEventObject } from 'xstate'
import { createMemoryEventStore } from '../../eventstore/index.ts'
import {
  effectOf,
  withPolicies,
  type EffectPolicy,
  type EffectRun,
  type MachineWithPolicies,
} from '../../src/runtime/policies.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'
import { createFailingStore } from './failing-store.ts'

type Call = {
  readonly params: unknown
  readonly event: AnyEventObject
  readonly context: unknown
  readonly effect: EffectRun | undefined
}

/** The world that is charged: what it was asked for, and how it answers next. */
class Bank {
  readonly calls: Call[] = []
  answer: (call: Call) => unknown = () => undefined

  get keys(): (string | undefined)[] {
    return this.calls.map(({ effect }) => effect?.key)
  }

  machine() {
    return setup({
      types: {
        context: {} as { paid: number },
        events: {} as
          | { type: 'pay'; amount: number }
          | { type: 'twice' }
          | { type: 'close' }
          | { type: 'charged'; amount: number },
      },
      actions: {
        charge: ({ context, event, ...args }, params: { amount: number }) => {
          const call = { context, event, params, effect: effectOf(args) }
          this.calls.push(call)
          return this.answer(call) as undefined
        },
        pay: assign({
          paid: ({ context, event }) => context.paid + (event.type === 'pay' ? event.amount : 0),
        }),
      },
    }).createMachine({
      id: 'order',
      context: { paid: 0 },
      initial: 'open',
      on: {
        pay: {
          actions: ['pay', { type: 'charge', params: ({ event }) => ({ amount: event.amount }) }],
        },
        twice: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue({ type: 'charge', params: { amount: 1 } })
            enqueue({ type: 'charge', params: { amount: 2 } })
          }),
        },
        close: '.closed',
        charged: {},
      },
      states: { open: {}, closed: { type: 'final', entry: { type: 'charge', params: { amount: 99 } } } },
    })
  }

  registered(policy: EffectPolicy = {}): MachineWithPolicies {
    return withPolicies(this.machine(), { effects: { charge: policy } })
  }
}

const fails =
  (message = 'no answer') =>
  () => {
    throw new Error(message)
  }
const never = (): Promise<never> => new Promise(() => {})

async function opened(bank: Bank, policy: EffectPolicy = {}) {
  const clock = createTestClock()
  const registered = bank.registered(policy)
  const engine = await openEngine({ machines: [registered], clock })
  const order = await engine.spawn(registered.machine, { id: 'o-1' })
  return { clock, engine, order, registered }
}

const told = async (engine: Parameters<typeof reopen>[0], id = 'o-1') =>
  (await eventsOf(engine.store, `${id}~effects`)).map(({ event_type }) => event_type)

describe('an action that is declared', () => {
  test('is run after its event is on disk, with its arguments and an idempotency key', async () => {
    const bank = new Bank()
    const { engine, order } = await opened(bank)
    const seen: number[] = []
    bank.answer = () => void seen.push(engine.store.position())
    const { version } = await order.send({ type: 'pay', amount: 10 })
    expect(bank.calls).toMatchObject([
      {
        params: { amount: 10 },
        event: { type: 'pay', amount: 10 },
        context: { paid: 10 },
        effect: { attempt: 1 },
      },
    ])
    expect(bank.keys[0]).toMatch(new RegExp(`^o-1:${version}:\\d+$`))
    const [event] = (await eventsOf(engine.store, 'o-1')).slice(version - 1)
    expect(seen[0]).toBeGreaterThanOrEqual(event?.position ?? Infinity)
    await until(() => engine.effects.list().length === 0, 'the outcome')
    expect(await told(engine)).toEqual(['effect.owed', 'effect.done'])
  })

  test('leaves nothing owed once its outcome is on disk, and does not run again', async () => {
    const bank = new Bank()
    bank.answer = () => Promise.resolve({ receipt: 7 })
    const { engine, order, registered } = await opened(bank)
    await order.send({ type: 'pay', amount: 10 })
    await until(() => engine.effects.list().length === 0, 'the outcome')
    const again = await reopen(engine, [registered])
    await rest()
    expect(bank.calls).toHaveLength(1)
    expect(again.effects.list()).toEqual([])
    const [, done] = await eventsOf(again.store, 'o-1~effects')
    expect(done?.payload).toMatchObject({ action: 'charge', attempt: 1, output: { receipt: 7 } })
  })

  test('that was owed when the process ended runs at the next opening, with the same key and arguments', async () => {
    const bank = new Bank()
    bank.answer = never
    const { engine, order, registered } = await opened(bank)
    await order.send({ type: 'pay', amount: 10 })
    await order.send({ type: 'pay', amount: 5 })
    await rest()
    await engine.close()
    bank.answer = () => undefined
    const again = await reopen(engine, [registered])
    await until(() => again.effects.list().length === 0, 'the outcomes')
    expect(bank.calls).toHaveLength(4)
    expect(bank.keys.slice(2)).toEqual(bank.keys.slice(0, 2))
    expect(bank.calls[2]).toMatchObject({
      params: { amount: 10 },
      context: { paid: 10 },
      event: { type: 'pay', amount: 10 },
    })
    expect(bank.calls[3]).toMatchObject({ params: { amount: 5 }, context: { paid: 15 } })
    expect(again.errors).toEqual([])
  })

  test('has a key of its own each time that an event asks for it', async () => {
    const bank = new Bank()
    const { order } = await opened(bank)
    await order.send({ type: 'twice' })
    expect(new Set(bank.keys).size).toBe(2)
    expect(bank.calls.map(({ params }) => params)).toEqual([{ amount: 1 }, { amount: 2 }])
  })

  test('is run for an actor that ends with it, also after a restart', async () => {
    const bank = new Bank()
    bank.answer = never
    const { engine, order, registered } = await opened(bank)
    await order.send({ type: 'close' })
    expect(order.getSnapshot().status).toBe('done')
    bank.answer = () => undefined
    const again = await reopen(engine, [registered])
    await until(() => again.effects.list().length === 0, 'the outcome')
    expect(bank.calls.map(({ params }) => params)).toEqual([{ amount: 99 }, { amount: 99 }])
  })

  test('can send to its own actor, also when it is run after a restart', async () => {
    const heard: AnyEventObject[] = []
    let ready = false
    const machine = setup({
      actions: {
        // oxlint-disable-next-line typescript/no-misused-promises -- an owed action may be async
        charge: async ({ self }) => {
          if (!ready) await never()
          self.send({ type: 'charged', amount: 3 })
        },
        hear: ({ event }) => void heard.push(event),
      },
    }).createMachine({
      id: 'order',
      on: { pay: { actions: 'charge' }, charged: { actions: 'hear' } },
    })
    const engine = await openEngine({ machines: [withPolicies(machine, { effects: { charge: {} } })] })
    const order = await engine.spawn(machine, { id: 'o-1' })
    await order.send({ type: 'pay' })
    ready = true
    const again = await reopen(engine, [withPolicies(machine, { effects: { charge: {} } })])
    await until(() => heard.length === 1, 'what it sends')
    expect(heard).toEqual([{ type: 'charged', amount: 3 }])
    expect(again.errors).toEqual([])
  })

  test('of a child machine is owed as well, by the policies of the child', async () => {
    const bank = new Bank()
    bank.answer = never
    const parent = setup({ actors: { order: bank.machine() } }).createMachine({
      id: 'shop',
      invoke: { src: 'order', id: 'order' },
      on: {
        buy: {
          actions: ({ self }) => self.getSnapshot()?.children['order']?.send({ type: 'pay', amount: 4 }),
        },
      },
    })
    const registered = withPolicies(parent, { actors: { order: { effects: { charge: {} } } } })
    const engine = await openEngine({ machines: [registered] })
    const shop = await engine.spawn(parent, { id: 's-1' })
    await shop.send({ type: 'buy' })
    await until(() => bank.calls.length === 1, 'the charge')
    expect(bank.keys[0]).toMatch(/^s-1:1:\d+:2:\d+$/)
    bank.answer = () => undefined
    const again = await reopen(engine, [registered])
    await until(() => again.effects.list().length === 0, 'the outcome')
    expect(bank.keys[1]).toBe(bank.keys[0])
  })

  test('is not run when its event does not come to disk', async () => {
    const bank = new Bank()
    const clock = createTestClock()
    const failing = createFailingStore(clock)
    const { store } = failing
    const registered = bank.registered()
    const engine = await openEngine({ machines: [registered], clock, store })
    const order = await engine.spawn(registered.machine, { id: 'o-1' })
    failing.failWhen(() => true)
    await expect(order.send({ type: 'pay', amount: 10 })).rejects.toThrow('disk full')
    await rest()
    expect(bank.calls).toEqual([])
    expect(engine.effects.list()).toEqual([])
  })

  test('runs as ever in plain XState, where nothing is owed', () => {
    const bank = new Bank()
    const actor = createActor(bank.machine()).start()
    actor.send({ type: 'pay', amount: 1 })
    expect(bank.calls).toMatchObject([{ params: { amount: 1 }, effect: undefined }])
  })

  test('is owed whether or not its machine is flat enough to be folded by a table', async () => {
    const calls: (string | undefined)[] = []
    const machine = setup({ actions: { act: (args) => void calls.push(effectOf(args)?.key) } }).createMachine(
      {
        id: 'flat',
        initial: 'a',
        states: { a: { on: { go: { target: 'b', actions: 'act' } } }, b: { entry: 'act', on: { go: 'a' } } },
      },
    )
    const engine = await openEngine({ machines: [withPolicies(machine, { effects: { act: {} } })] })
    const actor = await engine.spawn(machine, { id: 'f-1' })
    await actor.send({ type: 'go' })
    await until(() => engine.effects.list().length === 0, 'the outcomes')
    expect(calls).toEqual([expect.stringMatching(/^f-1:2:/), expect.stringMatching(/^f-1:2:/)])
    expect(new Set(calls).size).toBe(2)
  })
})

describe('an action that is not declared', () => {
  test('runs at most once, has no key, and its failure goes to onError, though it has a name', async () => {
    const bank = new Bank()
    bank.answer = fails()
    const machine = bank.machine()
    const engine = await openEngine({ machines: [machine] })
    const order = await engine.spawn(machine, { id: 'o-1' })
    await order.send({ type: 'pay', amount: 1 })
    const again = await reopen(engine, [machine])
    await rest()
    expect(bank.calls).toMatchObject([{ effect: undefined }])
    expect(engine.errors).toMatchObject([{ code: 'ACTION_FAILED' }])
    expect(again.effects.list()).toEqual([])
  })

  test('keeps its place among those that are, and is inline though it is called the same', async () => {
    const order: string[] = []
    const machine = setup({
      actions: { a: () => void order.push('a'), b: () => void order.push('b') },
    }).createMachine({
      id: 'm',
      on: {
        go: {
          actions: [
            'a',
            'b',
            function a() {
              order.push('inline')
            },
            'b',
            'a',
          ],
        },
      },
    })
    const engine = await openEngine({ machines: [withPolicies(machine, { effects: { a: {} } })] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await actor.send({ type: 'go' })
    expect(order).toEqual(['a', 'b', 'inline', 'b', 'a'])
    await until(() => engine.effects.list().length === 0, 'the outcomes')
    expect(await told(engine, 'm-1')).toEqual(['effect.owed', 'effect.owed', 'effect.done', 'effect.done'])
  })
})

describe("under the policy 'retry'", () => {
  test('it is tried again after growing delays, and what succeeds is done', async () => {
    const bank = new Bank()
    bank.answer = fails()
    const { clock, engine, order } = await opened(bank, { retries: { attempts: 4, delayMs: 100, jitter: 0 } })
    await order.send({ type: 'pay', amount: 1 })
    await rest()
    expect(engine.effects.list()).toMatchObject([{ state: 'waiting', failed: 1, reason: 'no answer' }])
    await clock.advance(99)
    expect(bank.calls).toHaveLength(1)
    await clock.advance(1)
    expect(bank.calls).toHaveLength(2)
    await clock.advance(199)
    expect(bank.calls).toHaveLength(2)
    bank.answer = () => 'ok'
    await clock.advance(1)
    expect(bank.calls.map(({ effect }) => effect?.attempt)).toEqual([1, 2, 3])
    expect(new Set(bank.keys).size).toBe(1)
    expect(engine.effects.list()).toEqual([])
    expect(await told(engine)).toEqual(['effect.owed', 'effect.failed', 'effect.failed', 'effect.done'])
  })

  test('the count of attempts and the moment of the next one survive a restart', async () => {
    const bank = new Bank()
    bank.answer = fails()
    const { clock, engine, order, registered } = await opened(bank, {
      retries: { attempts: 3, delayMs: 100, jitter: 0 },
    })
    await order.send({ type: 'pay', amount: 1 })
    await rest()
    await clock.advance(60)
    const again = await reopen(engine, [registered])
    await clock.advance(39)
    expect(bank.calls).toHaveLength(1)
    await clock.advance(1)
    expect(bank.calls.map(({ effect }) => effect?.attempt)).toEqual([1, 2])
    await clock.advance(1_000)
    expect(bank.calls).toHaveLength(3)
    expect(await again.deadLetters()).toHaveLength(1)
  })

  test('jitter is drawn from the randomness that was given', async () => {
    const bank = new Bank()
    bank.answer = fails()
    const clock = createTestClock()
    const registered = bank.registered({ retries: { delayMs: 1_000, jitter: 0.5 } })
    const engine = await openEngine({ machines: [registered], clock, random: () => 0.5 })
    const order = await engine.spawn(registered.machine, { id: 'o-1' })
    await order.send({ type: 'pay', amount: 1 })
    await rest()
    expect(Date.parse(engine.effects.list()[0]?.retry_at ?? '') - clock.now()).toBe(750)
  })

  test('what keeps failing becomes a dead letter, which can be retried by hand', async () => {
    const bank = new Bank()
    bank.answer = fails('card declined')
    const { clock, engine, order } = await opened(bank, { retries: { attempts: 2, delayMs: 10 } })
    await order.send({ type: 'pay', amount: 8 })
    await clock.advance(1_000)
    expect(bank.calls).toHaveLength(2)
    expect(engine.effects.list()).toEqual([])
    expect(engine.errors).toMatchObject([{ code: 'EFFECT_FAILED' }])
    const [letter] = await engine.deadLetters()
    expect(letter).toMatchObject({
      kind: 'effect',
      to: 'o-1',
      event: { type: 'charge', params: { amount: 8 } },
      reason: 'card declined',
    })
    bank.answer = () => undefined
    await engine.deadLetters.retry(letter?.id ?? '')
    await until(() => engine.effects.list().length === 0, 'the outcome')
    expect(bank.calls[2]).toMatchObject({ params: { amount: 8 }, effect: { attempt: 1 } })
    expect(new Set(bank.keys).size).toBe(1)
    expect(await engine.deadLetters()).toEqual([])
    await expect(engine.deadLetters.retry(letter?.id ?? '')).rejects.toMatchObject({
      code: 'DEAD_LETTER_UNKNOWN',
    })
  })

  test('an error that is not retryable is not retried', async () => {
    const bank = new Bank()
    bank.answer = fails('bad request')
    const { engine, order } = await opened(bank, {
      retries: { isRetryable: (error) => (error as Error).message !== 'bad request' },
    })
    await order.send({ type: 'pay', amount: 8 })
    await until(async () => (await engine.deadLetters()).length === 1, 'the dead letter')
    expect(bank.calls).toHaveLength(1)
  })

  test('its time limit aborts the signal and counts as a failure', async () => {
    const bank = new Bank()
    bank.answer = never
    const { clock, engine, order } = await opened(bank, {
      timeoutMs: 500,
      retries: { attempts: 2, delayMs: 10, jitter: 0 },
    })
    await order.send({ type: 'pay', amount: 8 })
    await clock.advance(499)
    expect(bank.calls[0]?.effect?.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(bank.calls[0]?.effect?.signal.reason).toMatchObject({ code: 'EFFECT_TIMED_OUT' })
    await clock.advance(600)
    expect(bank.calls).toHaveLength(2)
    expect(await engine.deadLetters()).toHaveLength(1)
  })

  test('a person can abandon it, whatever it is doing, and its signal aborts', async () => {
    const bank = new Bank()
    bank.answer = never
    const { engine, order, registered } = await opened(bank)
    await order.send({ type: 'pay', amount: 8 })
    const key = bank.keys[0] ?? ''
    await expect(engine.effects.settle(key, { answer: 'done' })).rejects.toMatchObject({
      code: 'EFFECT_BUSY',
    })
    await engine.effects.settle(key, { answer: 'abandon', by: 'alice' })
    expect(bank.calls[0]?.effect?.signal.aborted).toBe(true)
    const again = await reopen(engine, [registered])
    await rest()
    expect(bank.calls).toHaveLength(1)
    expect(await told(again)).toEqual(['effect.owed', 'effect.abandoned'])
    await expect(again.effects.settle(key, { answer: 'retry' })).rejects.toMatchObject({
      code: 'EFFECT_UNKNOWN',
    })
  })
})

describe("under the policy 'verify'", () => {
  const verifying = (answers: unknown[], asked: unknown[] = []): EffectPolicy => ({
    policy: 'verify',
    retries: { attempts: 3, delayMs: 10, jitter: 0 },
    verify: ({ effect, context, event }, params) => {
      asked.push({ key: effect.key, context, event, params })
      const answer = answers.shift()
      if (answer instanceof Error) throw answer
      return answer as { happened: false }
    },
  })

  test('a started mark is on disk before the world is touched', async () => {
    const bank = new Bank()
    const marks: Promise<string[]>[] = []
    const { engine, order } = await opened(bank, verifying([]))
    bank.answer = () => void marks.push(told(engine))
    await order.send({ type: 'pay', amount: 1 })
    await until(() => marks.length === 1, 'the attempt')
    expect(await marks[0]).toEqual(['effect.owed', 'effect.started'])
  })

  test('what was started before a crash is verified, and is not run again if it happened', async () => {
    const bank = new Bank()
    bank.answer = never
    const asked: unknown[] = []
    const { engine, order, registered } = await opened(
      bank,
      verifying([{ happened: true, output: 'found' }], asked),
    )
    await order.send({ type: 'pay', amount: 7 })
    await until(() => bank.calls.length === 1, 'the attempt')
    const again = await reopen(engine, [registered])
    await until(() => again.effects.list().length === 0, 'the outcome')
    expect(bank.calls).toHaveLength(1)
    expect(asked).toEqual([
      { key: bank.keys[0], context: { paid: 7 }, event: { type: 'pay', amount: 7 }, params: { amount: 7 } },
    ])
    expect((await eventsOf(again.store, 'o-1~effects')).at(-1)).toMatchObject({
      event_type: 'effect.done',
      payload: { by: 'verify', output: 'found' },
    })
  })

  test('it is run again if it did not happen, and a person is asked if nobody knows', async () => {
    const bank = new Bank()
    bank.answer = never
    const { engine, order, registered } = await opened(
      bank,
      verifying([{ happened: false }, { happened: 'unknown' }]),
    )
    await order.send({ type: 'pay', amount: 7 })
    await until(() => bank.calls.length === 1, 'the first attempt')
    const again = await reopen(engine, [registered])
    await until(() => bank.calls.length === 2, 'the second attempt')
    const third = await reopen(again, [registered])
    await until(() => third.effects.list()[0]?.state === 'asked', 'the question')
    await rest()
    expect(bank.calls).toHaveLength(2)
    expect(third.parked).toMatchObject([{ id: 'o-1', code: 'EFFECT_IN_DOUBT' }])
  })

  test('a failure is verified before it is tried again: it may have happened all the same', async () => {
    const bank = new Bank()
    bank.answer = fails('connection lost')
    const { clock, engine, order } = await opened(bank, verifying([{ happened: true }]))
    await order.send({ type: 'pay', amount: 7 })
    await rest()
    await clock.advance(10)
    expect(bank.calls).toHaveLength(1)
    expect(engine.effects.list()).toEqual([])
    expect(await engine.deadLetters()).toEqual([])
  })

  test('what fails to the last and did not happen is a dead letter', async () => {
    const bank = new Bank()
    bank.answer = fails('connection lost')
    const no = { happened: false }
    const { clock, engine, order } = await opened(bank, verifying([no, no, no]))
    await order.send({ type: 'pay', amount: 7 })
    await clock.advance(10_000)
    expect(bank.calls).toHaveLength(3)
    expect(await engine.deadLetters()).toMatchObject([{ reason: 'connection lost' }])
  })

  test('a world that cannot be asked is asked again, and then a person', async () => {
    const bank = new Bank()
    bank.answer = never
    const down = new Error('unreachable')
    const { clock, engine, order, registered } = await opened(bank, verifying([down, down, down]))
    await order.send({ type: 'pay', amount: 7 })
    await until(() => bank.calls.length === 1, 'the attempt')
    const again = await reopen(engine, [registered])
    await clock.advance(10_000)
    expect(again.effects.list()).toMatchObject([
      { state: 'asked', reason: expect.stringContaining('unreachable') as string },
    ])
    expect(bank.calls).toHaveLength(1)
  })
})

describe("under the policy 'ask'", () => {
  test('what was started before a crash waits for a person, over restarts, and never runs by itself', async () => {
    const bank = new Bank()
    bank.answer = never
    const { clock, engine, order, registered } = await opened(bank, { policy: 'ask' })
    await order.send({ type: 'pay', amount: 7 })
    await until(() => bank.calls.length === 1, 'the attempt')
    const again = await reopen(engine, [registered])
    await until(() => again.effects.list()[0]?.state === 'asked', 'the question')
    const third = await reopen(again, [registered])
    await clock.advance(1e9)
    expect(bank.calls).toHaveLength(1)
    expect(third.effects.list()).toMatchObject([{ state: 'asked', action: 'charge', stream_id: 'o-1' }])
    expect(third.parked).toMatchObject([{ id: 'o-1', code: 'EFFECT_IN_DOUBT' }])

    await third.effects.settle(bank.keys[0] ?? '', {
      answer: 'done',
      output: 'seen on the statement',
      by: 'alice',
    })
    expect(third.parked).toEqual([])
    const last = await reopen(third, [registered])
    await rest()
    expect(bank.calls).toHaveLength(1)
    expect((await eventsOf(last.store, 'o-1~effects')).at(-1)).toMatchObject({
      event_type: 'effect.done',
      source_agent: 'alice',
      payload: { output: 'seen on the statement' },
    })
  })

  test('it runs again when a person says so', async () => {
    const bank = new Bank()
    bank.answer = fails('connection lost')
    const { engine, order } = await opened(bank, { policy: 'ask' })
    await order.send({ type: 'pay', amount: 7 })
    await until(() => engine.effects.list()[0]?.state === 'asked', 'the question')
    bank.answer = () => undefined
    await engine.effects.settle(bank.keys[0] ?? '', { answer: 'retry' })
    await until(() => engine.effects.list().length === 0, 'the outcome')
    expect(bank.calls).toHaveLength(2)
  })

  test('what was not begun before a crash is run: nobody has to be asked for it', async () => {
    const bank = new Bank()
    const clock = createTestClock()
    const failing = createFailingStore(clock)
    const { store } = failing
    const registered = bank.registered({ policy: 'ask' })
    const engine = await openEngine({ machines: [registered], clock, store })
    const order = await engine.spawn(registered.machine, { id: 'o-1' })
    failing.failWhen(({ appends }) =>
      appends.some(({ events }) => events[0]?.event_type === 'effect.started'),
    )
    await order.send({ type: 'pay', amount: 7 })
    await until(() => engine.errors.length > 0, 'the mark that does not come to disk')
    expect(bank.calls).toEqual([])
    failing.heal()
    const again = await reopen(engine, [registered])
    await until(() => bank.calls.length === 1, 'the attempt')
    expect(again.parked).toEqual([])
  })
})

test('what is owed and has no code any more is parked, and goes on when the code is back', async () => {
  const bank = new Bank()
  bank.answer = never
  const { engine, order, registered } = await opened(bank)
  await order.send({ type: 'pay', amount: 7 })
  const without = await reopen(engine, [registered.machine])
  await rest()
  expect(bank.calls).toHaveLength(1)
  expect(without.parked).toMatchObject([{ id: 'o-1', code: 'EFFECT_UNREGISTERED' }])
  bank.answer = () => undefined
  const back = await reopen(without, [registered])
  await until(() => back.effects.list().length === 0, 'the outcome')
  expect(bank.calls).toHaveLength(2)
  expect(back.parked).toEqual([])
})

test('no more than 16 of what is owed are taken up at once', async () => {
  const bank = new Bank()
  bank.answer = never
  const { engine, registered, order } = await opened(bank)
  for (let i = 0; i < 40; i += 1) await order.send({ type: 'pay', amount: i })
  await engine.close()
  bank.calls.length = 0
  let running = 0
  let most = 0
  const ends: (() => void)[] = []
  bank.answer = () => {
    running += 1
    most = Math.max(most, running)
    return new Promise<void>((resolve) => ends.push(() => ((running -= 1), resolve())))
  }
  const again = await reopen(engine, [registered])
  await until(() => {
    ends.splice(0).forEach((end) => end())
    return again.effects.list().length === 0
  }, 'all of them')
  expect(most).toBe(16)
  expect(bank.calls).toHaveLength(40)
})

test('a runtime that closes waits a while for what runs, and records how it ended', async () => {
  const bank = new Bank()
  let end = (): void => {}
  bank.answer = () => new Promise<void>((resolve) => (end = resolve))
  const clock = createTestClock()
  const registered = bank.registered({ policy: 'ask' })
  const engine = await openEngine({ machines: [registered], clock, graceMs: 60_000 })
  const order = await engine.spawn(registered.machine, { id: 'o-1' })
  await order.send({ type: 'pay', amount: 7 })
  await until(() => bank.calls.length === 1, 'the attempt')
  const closed = engine.close()
  await rest()
  end()
  await closed
  expect(await told(engine)).toEqual(['effect.owed', 'effect.started', 'effect.done'])
})

test('the effects of a paused fork are held back, and run under a key of its own when it is let go', async () => {
  const bank = new Bank()
  const { engine, order, registered } = await opened(bank)
  await order.send({ type: 'pay', amount: 7 })
  // What is owed still would be inherited.
  await until(async () => (await told(engine)).includes('effect.done'), 'the outcome')
  await engine.forks.fork({ id: 'o-1', at: 'last', newId: 'o-2', paused: true })
  const fork = await engine.get(registered.machine, 'o-2')
  await fork?.send({ type: 'pay', amount: 5 })
  await rest()
  expect(bank.calls).toHaveLength(1)
  const again = await reopen(engine, [registered])
  await rest()
  expect(bank.calls).toHaveLength(1)
  await again.forks.resume('o-2')
  await until(() => bank.calls.length === 2, 'the effect of the fork')
  expect(bank.calls[1]).toMatchObject({ params: { amount: 5 }, context: { paid: 12 } })
  expect(bank.keys[1]).toMatch(/^o-2:3:/)
})

test('the effects of a fork’s children run when it is let go', async () => {
  const bank = new Bank()
  const shop = setup({ actors: { order: bank.machine() } }).createMachine({
    id: 'shop',
    invoke: { src: 'order', id: 'order' },
    on: { buy: { actions: sendTo('order', { type: 'pay', amount: 4 }) } },
  })
  const registered = withPolicies(shop, { actors: { order: { effects: { charge: {} } } } })
  const engine = await openEngine({ machines: [registered] })
  await engine.spawn(shop, { id: 's-1' })
  await engine.forks.fork({ id: 's-1', at: 'last', newId: 's-2', paused: true })
  await (await engine.get(shop, 's-2'))?.send({ type: 'buy' })
  await rest()
  expect(bank.calls).toEqual([])
  await engine.forks.resume('s-2')
  await until(() => bank.calls.length === 1, 'the effect of the child')
  expect(bank.keys[0]).toMatch(/^s-2:/)
})

describe('policies that are wrong are refused before anything is written', () => {
  test.each([
    ['an action that is not there', { effects: { chrage: {} } }, 'effects.chrage'],
    ['an action that XState does', { effects: { pay: {} } }, 'effects.pay'],
    ['verify without a function', { effects: { charge: { policy: 'verify' } } }, 'effects.charge'],
    [
      'a negative delay',
      { effects: { charge: { retries: { delayMs: -1 } } } },
      'effects.charge.retries.delayMs',
    ],
    ['a field that does not exist', { effcts: {} }, ''],
    ['an actor that is not there', { actors: { worker: {} } }, 'actors.worker'],
  ])('%s', async (_what, policies, path) => {
    const machine = new Bank().machine()
    const store = createMemoryEventStore()
    await expect(openEngine({ machines: [{ machine, ...policies } as never], store })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      details: { path },
    })
    expect(store.position()).toBe(0)
  })
})
