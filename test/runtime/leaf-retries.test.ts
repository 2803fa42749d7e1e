/** A child that fails is tried again by its policy before the machine hears of it, over restarts, and in time. */
import { describe, expect, test } from 'vitest'
import { assign, fromCallback, fromObservable, fromPromise, setup, type AnyStateMachine } from 'xstate'
import { Subject } from 'rxjs'
import { withPolicies, type ActorPolicy } from '../../src/runtime/policies.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'

type Attempt = { readonly signal: AbortSignal; succeed(value: number): void; fail(message: string): void }

class Fetches {
  readonly attempts: Attempt[] = []
  readonly machine = setup({
    types: {
      context: {} as { got: number | null; error: string | null },
      events: {} as { type: 'cancel' } | { type: 'again' },
    },
    actors: {
      fetch: fromPromise<number>(
        ({ signal }) =>
          new Promise((succeed, reject) =>
            this.attempts.push({ signal, succeed, fail: (message) => reject(new Error(message)) }),
          ),
      ),
    },
  }).createMachine({
    id: 'fetcher',
    context: { got: null, error: null },
    initial: 'fetching',
    states: {
      fetching: {
        invoke: {
          id: 'fetch',
          src: 'fetch',
          onDone: { target: 'done', actions: assign({ got: ({ event }) => event.output }) },
          onError: {
            target: 'failed',
            actions: assign({ error: ({ event }) => (event.error as Error).message }),
          },
        },
        on: { cancel: 'cancelled' },
      },
      done: {},
      failed: {},
      cancelled: {},
    },
  })
}

async function fetching(policy: ActorPolicy) {
  const world = new Fetches()
  const clock = createTestClock()
  const registered = withPolicies(world.machine, { actors: { fetch: policy } })
  const engine = await openEngine({ machines: [registered], clock })
  const actor = await engine.spawn(world.machine, { id: 'f-1' })
  return { world, clock, registered, engine, actor }
}

const RETRIES = { attempts: 3, delayMs: 100, jitter: 0 }

describe('a promise that fails', () => {
  test('is started again after a delay, and the machine hears only of its success', async () => {
    const { world, clock, engine, actor } = await fetching({ retries: RETRIES })
    world.attempts[0]?.fail('no route')
    await clock.advance(99)
    expect(world.attempts).toHaveLength(1)
    await clock.advance(1)
    expect(world.attempts).toHaveLength(2)
    world.attempts[1]?.succeed(7)
    await until(() => actor.getSnapshot().value === 'done', 'the result')
    expect(actor.getSnapshot().context).toEqual({ got: 7, error: null })
    expect(actor.version).toBe(2)
    expect(await eventsOf(engine.store, 'f-1~effects')).toMatchObject([
      { event_type: 'leaf.failed', payload: { id: 'fetch', attempt: 1, reason: 'no route' } },
    ])
    expect(engine.errors).toEqual([])
  })

  test('to the last is an error for the machine, as in XState', async () => {
    const { world, clock, actor } = await fetching({ retries: RETRIES })
    for (const [index, delay] of [100, 200, 400].entries()) {
      world.attempts[index]?.fail(`failure ${index + 1}`)
      await clock.advance(delay)
    }
    await rest()
    expect(world.attempts).toHaveLength(3)
    expect(actor.getSnapshot()).toMatchObject({ value: 'failed', context: { error: 'failure 3' } })
  })

  test('goes on counting, and waiting, where it was when the process ended', async () => {
    const { world, clock, registered, engine } = await fetching({ retries: RETRIES })
    world.attempts[0]?.fail('one')
    await rest()
    await clock.advance(40)
    const again = await reopen(engine, [registered])
    await clock.advance(59)
    expect(world.attempts).toHaveLength(1)
    await clock.advance(1)
    expect(world.attempts).toHaveLength(2)
    world.attempts[1]?.fail('two')
    await clock.advance(200)
    world.attempts[2]?.fail('three')
    const actor = await again.get(world.machine, 'f-1')
    await until(() => actor?.getSnapshot().value === 'failed', 'the end')
    expect(again.parked).toEqual([])
  })

  test('is not started again once its state was left, and owes nothing after that', async () => {
    const { world, clock, registered, engine, actor } = await fetching({ retries: RETRIES })
    world.attempts[0]?.fail('one')
    await rest()
    await actor.send({ type: 'cancel' })
    await clock.advance(10_000)
    expect(world.attempts).toHaveLength(1)
    const again = await reopen(engine, [registered])
    expect(again.parked).toEqual([])
    expect((await again.get(world.machine, 'f-1'))?.getSnapshot().value).toBe('cancelled')
  })

  test('in the very moment in which its state is left owes nothing after that', async () => {
    const { world, registered, engine, actor } = await fetching({ retries: RETRIES })
    const left = actor.send({ type: 'cancel' })
    world.attempts[0]?.fail('too late')
    await left
    await rest()
    const again = await reopen(engine, [registered])
    expect(again.parked).toEqual([])
    expect(world.attempts).toHaveLength(1)
  })

  test('without a policy is heard at once', async () => {
    const { world, actor } = await fetching({})
    world.attempts[0]?.fail('one')
    await rest()
    expect(actor.getSnapshot().value).toBe('failed')
    expect(world.attempts).toHaveLength(1)
  })
})

describe('a time limit', () => {
  test('aborts the signal of a promise and counts as its failure', async () => {
    const { world, clock, actor } = await fetching({ timeoutMs: 1_000, retries: { ...RETRIES, attempts: 2 } })
    await clock.advance(999)
    expect(world.attempts[0]?.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(world.attempts[0]?.signal.aborted).toBe(true)
    await clock.advance(100)
    expect(world.attempts).toHaveLength(2)
    // What the first one says now is not heard.
    world.attempts[0]?.succeed(1)
    await clock.advance(1_000)
    expect(actor.getSnapshot()).toMatchObject({ value: 'failed' })
    expect(actor.getSnapshot().context.error).toContain('had not ended after 1000 ms')
  })

  test('is over when the promise is', async () => {
    const { world, clock, actor } = await fetching({ timeoutMs: 1_000 })
    world.attempts[0]?.succeed(3)
    await until(() => actor.getSnapshot().value === 'done', 'the result')
    await clock.advance(5_000)
    expect(actor.getSnapshot().value).toBe('done')
    expect(clock.pending()).toEqual([])
  })

  test('runs the cleanup of a callback, and ends its actor as an error does', async () => {
    let cleaned = 0
    const machine = setup({
      actors: { listen: fromCallback(() => () => void (cleaned += 1)) },
    }).createMachine({
      id: 'listener',
      initial: 'on',
      states: { on: { invoke: { id: 'listen', src: 'listen', onError: 'off' } }, off: {} },
    })
    const clock = createTestClock()
    const registered = withPolicies(machine, { actors: { listen: { timeoutMs: 50 } } })
    const engine = await openEngine({ machines: [registered], clock })
    const actor = await engine.spawn(machine, { id: 'l-1' })
    await clock.advance(50)
    expect(cleaned).toBe(1)
    expect(actor.getSnapshot().value).toBe('off')
  })
})

test('an observable that fails is subscribed again, and what it says goes on', async () => {
  const subjects: Subject<number>[] = []
  const machine: AnyStateMachine = setup({
    types: { context: {} as { said: unknown[] } },
    actors: {
      numbers: fromObservable(() => {
        const subject = new Subject<number>()
        subjects.push(subject)
        return subject
      }),
    },
  }).createMachine({
    id: 'watcher',
    context: { said: [] },
    invoke: {
      id: 'numbers',
      src: 'numbers',
      onSnapshot: {
        actions: assign({ said: ({ context, event }) => [...context.said, event.snapshot.context] }),
      },
    },
  })
  const clock = createTestClock()
  const registered = withPolicies(machine, { actors: { numbers: { retries: RETRIES } } })
  const engine = await openEngine({ machines: [registered], clock })
  const actor = await engine.spawn(machine, { id: 'w-1' })
  subjects[0]?.next(1)
  subjects[0]?.error(new Error('hung up'))
  await clock.advance(100)
  subjects[1]?.next(2)
  await rest()
  expect(
    (actor.getSnapshot() as { context: { said: unknown[] } }).context.said.filter(Number.isFinite),
  ).toEqual([1, 2])
  expect(actor.getSnapshot().status).toBe('active')
})

describe('a promise whose last failure nobody takes', () => {
  const starts: string[] = []
  let settle: ((how: 'succeed' | 'fail') => void) | undefined
  const job = fromPromise<number, { name: string }>(({ input }) => {
    starts.push(input.name)
    return new Promise((succeed, reject) => {
      settle = (how) => (how === 'succeed' ? succeed(7) : reject(new Error('no route')))
    })
  })
  const worker = setup({
    types: {
      context: {} as { got: number; noted: number },
      events: {} as { type: 'note' } | { type: 'leave' },
    },
    actors: { job },
  }).createMachine({
    id: 'worker',
    context: { got: 0, noted: 0 },
    initial: 'at work',
    states: {
      'at work': {
        invoke: {
          id: 'job',
          src: 'job',
          input: { name: 'job' },
          onDone: { target: 'done', actions: assign({ got: ({ event }) => event.output }) },
        },
        on: { leave: 'idle' },
      },
      idle: {},
      done: { type: 'final' },
    },
    on: { note: { actions: assign({ noted: ({ context }) => context.noted + 1 }) } },
  })
  const retries = { attempts: 2, delayMs: 100, jitter: 0 }
  const registered = withPolicies(worker, { actors: { job: { retries } } })

  async function givenUp() {
    starts.length = 0
    const clock = createTestClock()
    const engine = await openEngine({ machines: [registered], clock })
    const actor = await engine.spawn(worker, { id: 'w' })
    settle?.('fail')
    await clock.advance(100)
    settle?.('fail')
    await until(async () => (await engine.deadLetters()).length === 1, 'the dead letter')
    const [letter] = await engine.deadLetters()
    return { clock, engine, actor, letter: letter?.id ?? '' }
  }

  test('becomes a dead letter, and the actor goes on as if the promise were still at work', async () => {
    const { engine, actor, letter } = await givenUp()
    expect(await engine.deadLetters()).toMatchObject([
      {
        kind: 'leaf',
        to: 'w',
        from: 'w/job',
        reason: 'no route',
        event: { type: 'xstate.error.actor.job', error: { message: 'no route' } },
      },
    ])
    expect(engine.errors).toMatchObject([{ code: 'EFFECT_FAILED', details: { dead_letter: letter } }])
    expect(await eventsOf(engine.store, 'w~effects')).toMatchObject([
      { event_type: 'leaf.failed', payload: { attempt: 1 } },
      { event_type: 'leaf.given_up', payload: { attempt: 2, dead_letter: letter } },
    ])
    expect(await actor.send({ type: 'note' })).toMatchObject({ accepted: true })
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: 'at work', context: { noted: 1 } })
    expect(engine.parked).toEqual([])
  })

  test('is started again by a person alone, over restarts, and then goes on as ever', async () => {
    const { clock, engine, letter } = await givenUp()
    const again = await reopen(engine, [registered])
    await clock.advance(1_000_000)
    expect(starts).toEqual(['job', 'job'])
    expect(await again.deadLetters()).toMatchObject([{ id: letter, kind: 'leaf' }])
    await again.deadLetters.retry(letter, { by: 'alice' })
    expect(await again.deadLetters()).toEqual([])
    expect(starts).toEqual(['job', 'job', 'job'])
    expect((await eventsOf(again.store, 'w~dead')).at(-1)).toMatchObject({
      event_type: 'runtime.dead_letter_retried',
      source_agent: 'alice',
    })
    settle?.('succeed')
    const actor = await again.get(worker, 'w')
    await until(() => actor?.getSnapshot().status === 'done', 'the end')
    expect(actor?.getSnapshot().context.got).toBe(7)
    await expect(again.deadLetters.retry(letter)).rejects.toMatchObject({ code: 'DEAD_LETTER_UNKNOWN' })
  })

  test('has all its attempts again, and is a new dead letter if they fail', async () => {
    const { clock, engine, letter } = await givenUp()
    await engine.deadLetters.retry(letter)
    settle?.('fail')
    await clock.advance(100)
    expect(starts).toHaveLength(4)
    settle?.('fail')
    await until(async () => (await engine.deadLetters()).length === 1, 'the next dead letter')
    expect((await engine.deadLetters())[0]?.id).not.toBe(letter)
  })

  test('runs at the next opening if the process ends right after the retry is on disk', async () => {
    const { engine, letter } = await givenUp()
    await engine.deadLetters.retry(letter)
    await reopen(engine, [registered])
    expect(starts).toHaveLength(4)
  })

  test('is off the list when its machine has left the state that wanted it', async () => {
    const { engine, actor } = await givenUp()
    await actor.send({ type: 'leave' })
    expect(await engine.deadLetters()).toEqual([])
    const again = await reopen(engine, [registered])
    expect(again.parked).toEqual([])
    expect((await again.get(worker, 'w'))?.getSnapshot().value).toBe('idle')
    expect(starts).toHaveLength(2)
  })

  test('is an error for its machine when a person discards it; a revived actor begins it again', async () => {
    const { engine, actor, letter } = await givenUp()
    await engine.deadLetters.discard(letter, { by: 'bob' })
    expect(await engine.deadLetters()).toEqual([])
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: { message: 'no route' } })
    expect(engine.parked).toMatchObject([{ id: 'w', code: 'ACTOR_FAILED' }])
    const again = await reopen(engine, [registered])
    await again.revive('w')
    expect(starts).toHaveLength(3)
    settle?.('succeed')
    const same = await again.get(worker, 'w')
    await until(() => same?.getSnapshot().status === 'done', 'the end')
    expect(again.parked).toEqual([])
  })

  describe('in a child', () => {
    async function underParent(onError?: { target: string }) {
      const machine: AnyStateMachine = setup({ actors: { worker } }).createMachine({
        id: 'parent',
        initial: 'waiting',
        states: {
          waiting: { invoke: { id: 'child', src: 'worker', ...(onError && { onError }) } },
          told: {},
        },
      })
      const clock = createTestClock()
      const policies = { actors: { worker: { actors: { job: { retries } } } } }
      const engine = await openEngine({ machines: [withPolicies(machine, policies)], clock })
      const actor = await engine.spawn(machine, { id: 'p' })
      settle?.('fail')
      await clock.advance(100)
      settle?.('fail')
      await rest()
      return { engine, actor }
    }

    test('is told to the child, and through it to a parent that takes it', async () => {
      const { engine, actor } = await underParent({ target: 'told' })
      expect(actor.getSnapshot().value).toBe('told')
      expect(await engine.deadLetters()).toEqual([])
    })

    test('becomes a dead letter where no parent takes it, and the question leaves no trace', async () => {
      const { engine, actor } = await underParent()
      const child = actor.getSnapshot().children['child']
      expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: 'waiting' })
      expect(child?.getSnapshot()).toMatchObject({ status: 'active' })
      const [letter] = await engine.deadLetters()
      expect(letter).toMatchObject({ kind: 'leaf', to: child?.sessionId })
      await engine.deadLetters.retry(letter?.id ?? '')
      settle?.('succeed')
      await until(async () => (await eventsOf(engine.store, 'p')).length === 2, 'the end of the child')
      expect(actor.getSnapshot().status).toBe('active')
    })
  })
})
