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
