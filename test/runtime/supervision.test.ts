/** What is done about an actor that crashes: by policy, within a budget, on the record; and never at the cost of the process. */
import { describe, expect, test } from 'vitest'
import {
  assign,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate'
import { withPolicies, type ActorPolicy, type RootPolicies } from '../../src/runtime/policies.ts'
import { Replayer } from '../../src/runtime/fold/replay.ts'
import { durableMachine } from '../../src/runtime/fold/durable-machine.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, type Opened } from './engine-under-test.ts'

const started: string[] = []

const worker = setup({
  types: {
    context: {} as { name: string; n: number },
    events: {} as { type: 'add' } | { type: 'crash' } | { type: 'late' },
    input: {} as { name: string },
  },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ name: input.name, n: 0 }),
  on: {
    add: {
      actions: [
        assign({ n: ({ context }) => context.n + 1 }),
        sendParent(({ context }) => ({ type: 'told', name: context.name, n: context.n })),
      ],
    },
    crash: {
      actions: assign(() => {
        throw new Error('worker broke')
      }),
    },
  },
})

const parent = setup({
  types: {
    context: {} as { told: string[]; errors: string[]; refs: AnyActorRef[] },
    events: {} as
      | { type: 'to'; name: string; what: 'add' | 'crash'; delay?: number }
      | { type: 'told'; name: string; n: number }
      | { type: 'crash' }
      | { type: 'use' }
      | { type: 'leave' },
  },
  actors: {
    worker,
    leaf: fromPromise<void, { name: string }>(({ input, signal }) => {
      started.push(input.name)
      signal.addEventListener('abort', () => started.push(`${input.name} aborted`))
      return new Promise(() => {})
    }),
  },
}).createMachine({
  id: 'parent',
  context: ({ spawn }) => ({
    told: [],
    errors: [],
    refs: [spawn('worker', { id: 'c', input: { name: 'c' } })],
  }),
  initial: 'at work',
  states: {
    'at work': {
      invoke: [
        {
          src: 'worker',
          id: 'a',
          input: { name: 'a' },
          onError: {
            actions: assign({
              errors: ({ context, event }) => [...context.errors, (event.error as Error).message],
            }),
          },
        },
        { src: 'worker', id: 'b', input: { name: 'b' } },
        { src: 'leaf', id: 'leaf', input: { name: 'leaf' } },
      ],
      on: { leave: 'idle' },
      after: { 10_000: 'idle' },
    },
    idle: {},
  },
  on: {
    to: {
      actions: sendTo(
        ({ event }) => event.name as never,
        ({ event }) => ({ type: event.what }) as never,
        {
          delay: ({ event }) => event.delay as number,
        },
      ),
    },
    use: { actions: sendTo(({ context }) => context.refs[0] as AnyActorRef, { type: 'add' }) },
    told: { actions: assign({ told: ({ context, event }) => [...context.told, `${event.name}${event.n}`] }) },
    crash: {
      actions: assign(() => {
        throw new Error('parent broke')
      }),
    },
  },
})

async function family(policy: ActorPolicy = {}, root: RootPolicies = {}) {
  started.length = 0
  const clock = createTestClock()
  const registered = withPolicies(parent, { ...root, actors: { worker: policy } })
  const engine = await openEngine({ machines: [registered], clock })
  const actor = await engine.spawn(parent, { id: 'p' })
  const tell = async (name: string, what: 'add' | 'crash', delay?: number): Promise<void> => {
    await actor.send({ type: 'to', name, what, ...(delay !== undefined && { delay }) })
    await rest()
  }
  return { clock, registered, engine, actor, tell }
}

const told = (actor: { getSnapshot(): { context: { told: string[] } } }): string[] =>
  actor.getSnapshot().context.told

/** A replay of the parent's stream leads to the state that is shown, at every version. */
async function agrees(engine: Opened, machine: AnyStateMachine, id: string): Promise<void> {
  const replayer = new Replayer(durableMachine(machine), id)
  for (const record of await eventsOf(engine.store, id))
    expect(replayer.take(record)).toMatchObject({ kind: 'agrees' })
}

describe('a child that crashes', () => {
  test('is an error for its parent, as in XState, when nothing else is declared', async () => {
    const { engine, actor, tell } = await family()
    await tell('a', 'crash')
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { errors: ['worker broke'] } })
    await tell('b', 'crash')
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: { message: 'worker broke' } })
    expect(engine.parked).toMatchObject([{ id: 'p', code: 'ACTOR_FAILED' }])
  })

  test('is restarted as a new stream with its first input, and its parent’s machine does not notice', async () => {
    const { registered, engine, actor, tell } = await family({ onCrash: 'restart' })
    await tell('a', 'add')
    const before = (await eventsOf(engine.store, 'p')).length
    await tell('a', 'crash')
    await tell('a', 'add')
    expect(told(actor)).toEqual(['a1', 'a1'])
    expect(actor.getSnapshot().context.errors).toEqual([])
    const [restart] = (await eventsOf(engine.store, 'p')).slice(before + 1)
    expect(restart).toMatchObject({
      event_type: 'xstate.restart',
      payload: { error: { message: 'worker broke' } },
    })
    const stream = `p:${restart?.version}:0`
    const [born] = await eventsOf(engine.store, stream)
    expect(born).toMatchObject({ payload: { input: { name: 'a' }, parent: { id: 'a', key: stream } } })
    await agrees(engine, parent, 'p')

    const again = await reopen(engine, [registered])
    const same = await again.get(parent, 'p')
    await same?.send({ type: 'to', name: 'a', what: 'add' })
    await rest()
    expect(same && told(same)).toEqual(['a1', 'a1', 'a2'])
    expect(again.errors).toEqual([])
  })

  test('that was spawned is reached by the reference that its parent keeps in its context', async () => {
    const { registered, engine, actor, tell } = await family({ onCrash: 'restart' })
    await tell('c', 'crash')
    await actor.send({ type: 'use' })
    await rest()
    expect(told(actor)).toEqual(['c1'])
    const again = await reopen(engine, [registered])
    const same = await again.get(parent, 'p')
    await same?.send({ type: 'use' })
    await rest()
    expect(same && told(same)).toEqual(['c1', 'c2'])
  })

  test('is restarted in a fork as well, under names of its own', async () => {
    const { engine, tell } = await family({ onCrash: 'restart' }, { strategy: 'all-for-one' })
    await tell('a', 'crash')
    await tell('a', 'add')
    await engine.forks.fork({ id: 'p', at: 'last', newId: 'p2', paused: true })
    await engine.forks.resume('p2')
    const fork = await engine.get(parent, 'p2')
    for (const name of ['a', 'b', 'c']) await fork?.send({ type: 'to', name, what: 'add' } as never)
    await rest()
    expect(fork && told(fork)).toEqual(['a1', 'a2', 'b1', 'c1'])
    await agrees(engine, parent, 'p2')
    expect(engine.errors).toEqual([])
  })

  test('gets what was due to it later, though it was restarted in between', async () => {
    const { clock, actor, tell } = await family({ onCrash: 'restart' })
    await tell('a', 'add', 500)
    await tell('a', 'crash')
    await clock.advance(500)
    expect(told(actor)).toEqual(['a1'])
  })

  test('escalates when its restarts are more than its budget within the time, over process restarts as well', async () => {
    const policy: ActorPolicy = { onCrash: 'restart', budget: { max: 2, withinMs: 1_000 } }
    const { clock, registered, engine, actor, tell } = await family(policy)
    await tell('a', 'crash')
    await clock.advance(400)
    await tell('a', 'crash')
    expect(actor.getSnapshot().context.errors).toEqual([])
    const again = await reopen(engine, [registered])
    const same = await again.get(parent, 'p')
    await clock.advance(700)
    // The first one is out of the window by now.
    await same?.send({ type: 'to', name: 'a', what: 'crash' })
    await rest()
    expect(same?.getSnapshot().context.errors).toEqual([])
    await same?.send({ type: 'to', name: 'a', what: 'crash' })
    await rest()
    expect(same?.getSnapshot().context.errors).toEqual(['worker broke'])
  })

  test('takes its siblings with it, if all are for one: leaves as well', async () => {
    const { engine, actor, tell } = await family({ onCrash: 'restart' }, { strategy: 'all-for-one' })
    for (const name of ['a', 'b', 'c']) await tell(name, 'add')
    await tell('a', 'crash')
    for (const name of ['a', 'b', 'c']) await tell(name, 'add')
    expect(told(actor)).toEqual(['a1', 'b1', 'c1', 'a1', 'b1', 'c1'])
    expect(started).toEqual(['leaf', 'leaf aborted', 'leaf'])
    await agrees(engine, parent, 'p')
    const { version } = actor
    expect(version).toBeGreaterThan(1)
  })

  test('that crashes on its input each time is given up after its budget', async () => {
    const broken = setup({}).createMachine({
      id: 'broken',
      context: () => {
        throw new Error('born dead')
      },
    })
    const keeper = setup({ types: { context: {} as { error: string } }, actors: { broken } }).createMachine({
      id: 'keeper',
      context: { error: '' },
      invoke: {
        src: 'broken',
        id: 'x',
        onError: { actions: assign({ error: ({ event }) => (event.error as Error).message }) },
      },
    })
    const registered = withPolicies(keeper, {
      actors: { broken: { onCrash: 'restart', budget: { max: 2 } } },
    })
    const engine = await openEngine({ machines: [registered] })
    const actor = await engine.spawn(keeper, { id: 'k' })
    await rest()
    expect(actor.getSnapshot().context.error).toBe('born dead')
    expect((await eventsOf(engine.store, 'k')).map(({ event_type }) => event_type)).toEqual([
      'actor.created',
      'xstate.restart',
      'xstate.restart',
      'xstate.error.actor.x',
    ])
  })

  test('passes over the event and goes on, if it is to resume', async () => {
    const { registered, engine, actor, tell } = await family({ onCrash: 'resume' })
    await tell('a', 'add')
    await tell('a', 'crash')
    await tell('a', 'add')
    expect(told(actor)).toEqual(['a1', 'a2'])
    const again = await reopen(engine, [registered])
    const same = await again.get(parent, 'p')
    await same?.send({ type: 'to', name: 'a', what: 'add' })
    await rest()
    expect(same && told(same)).toEqual(['a1', 'a2', 'a3'])
    const crashes = []
    for await (const event of again.store.readAll()) if (event.event_type === 'crash') crashes.push(event)
    expect(crashes).toHaveLength(1)
    expect(crashes[0]?.payload).toMatchObject({ 'xstate.crash': { message: 'worker broke' } })
  })

  test('ends, and its parent is not told, if it is to stop', async () => {
    const { engine, actor, tell } = await family({ onCrash: 'stop' })
    await tell('b', 'crash')
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { errors: [] } })
    await tell('b', 'add')
    expect(told(actor)).toEqual([])
    await actor.send({ type: 'leave' })
    expect(actor.getSnapshot().value).toBe('idle')
    await agrees(engine, parent, 'p')
    expect(engine.errors).toEqual([])
  })
})

describe('a root that crashes', () => {
  test('is parked with its reason, over restarts, until it is revived from before the event', async () => {
    const { registered, engine, actor, tell } = await family()
    await tell('a', 'add')
    await actor.send({ type: 'crash' })
    const parked = [
      { id: 'p', code: 'ACTOR_FAILED', reason: expect.stringContaining('parent broke') as string },
    ]
    expect(engine.parked).toEqual(parked)
    expect(await actor.send({ type: 'leave' })).toMatchObject({ accepted: false })
    const again = await reopen(engine, [registered])
    expect(again.parked).toEqual(parked)

    expect(await again.revive('p', { source: 'alice' })).toMatchObject({ accepted: true })
    expect(again.parked).toEqual([])
    const same = await again.get(parent, 'p')
    expect(same?.getSnapshot()).toMatchObject({
      status: 'active',
      value: 'at work',
      context: { told: ['a1'] },
    })
    await same?.send({ type: 'to', name: 'a', what: 'add' })
    await rest()
    // Its crash ended its child actors: they began anew. So did its leaf.
    expect(same && told(same)).toEqual(['a1', 'a1'])
    expect(started).toEqual(['leaf', 'leaf aborted', 'leaf'])
    await agrees(again, parent, 'p')
    const third = await reopen(again, [registered])
    expect(third.parked).toEqual([])
    expect((await third.get(parent, 'p'))?.getSnapshot().status).toBe('active')
    expect(
      (await eventsOf(third.store, 'p')).find(({ event_type }) => event_type === 'xstate.revive'),
    ).toMatchObject({
      source_agent: 'alice',
    })
  })

  test('has its timers again when it is revived: those that were due meanwhile fire at once', async () => {
    const { clock, engine, actor } = await family()
    await actor.send({ type: 'crash' })
    await clock.advance(20_000)
    await engine.revive('p')
    await clock.advance(0)
    await rest()
    expect(actor.getSnapshot().value).toBe('idle')
  })

  test('has its budget of events to pass over, though the process ends in between', async () => {
    const budget = { max: 3, withinMs: 1_000 }
    const { clock, registered, engine, actor } = await family({}, { onCrash: 'resume', budget })
    for (let n = 0; n < 2; n += 1) await actor.send({ type: 'crash' })
    await actor.send({ type: 'use' })
    const second = await reopen(engine, [registered])
    await second.send('p', { type: 'crash' })
    expect(second.parked).toEqual([])
    // From a snapshot, from the whole stream, and when it has only moved since: it is remembered.
    await second.send('p', { type: 'use' })
    const third = await reopen(second, [registered])
    await third.send('p', { type: 'crash' })
    expect(third.parked).toMatchObject([{ id: 'p' }])
    await third.revive('p')
    await clock.advance(1_000)
    expect(await third.send('p', { type: 'crash' })).toMatchObject({ accepted: false })
    expect(third.parked).toEqual([])
    await agrees(third, parent, 'p')
  })

  test('can be revived as often as it crashes; what did not crash is left alone', async () => {
    const { engine, actor } = await family()
    expect(await engine.revive('p')).toMatchObject({ accepted: false, reason: 'the actor has not crashed' })
    for (let i = 0; i < 3; i += 1) {
      await actor.send({ type: 'crash' })
      expect(engine.parked).toHaveLength(1)
      await engine.revive('p')
      expect(actor.getSnapshot().status).toBe('active')
    }
    await expect(engine.revive('nobody')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' })
  })

  test('on the failure of its child begins that child anew when it is revived, and sees it active again', async () => {
    const failing = setup({
      types: { events: {} as { type: 'fail' } },
      actors: { worker, leaf: fromPromise(() => new Promise((_, reject) => (fail = reject))) },
    }).createMachine({
      id: 'failing',
      invoke: [
        { src: 'worker', id: 'child', input: { name: 'child' } },
        { src: 'leaf', id: 'leaf' },
      ],
      on: { fail: { actions: sendTo('child', { type: 'crash' }) } },
    })
    let fail: (error: Error) => void = () => {}
    const engine = await openEngine({ machines: [failing] })
    const actor = await engine.spawn(failing, { id: 'f' })
    const seen = (of: { getSnapshot(): { children: object } } | undefined): unknown[] =>
      Object.values((of?.getSnapshot().children ?? {}) as Record<string, AnyActorRef>).map(
        (ref) => (ref.getSnapshot() as { status: string }).status,
      )
    fail(new Error('leaf broke'))
    await rest()
    await engine.revive('f')
    expect(seen(actor)).toEqual(['active', 'active'])
    await actor.send({ type: 'fail' })
    expect(actor.getSnapshot().status).toBe('error')
    await engine.revive('f')
    expect(seen(actor)).toEqual(['active', 'active'])
    const again = await reopen(engine, [failing])
    const same = await again.get(failing, 'f')
    expect(seen(same)).toEqual(['active', 'active'])
    expect(await same?.send({ type: 'fail' })).toMatchObject({ accepted: true })
    expect(again.parked).toHaveLength(1)
    await agrees(again, failing, 'f')
  })

  test('on an event of a timer does not crash on it again: the timer is over', async () => {
    const machine = setup({
      types: { context: {} as { n: number }, events: {} as { type: 'add' } },
    }).createMachine({
      id: 'm',
      context: { n: 0 },
      initial: 'a',
      states: {
        a: {
          after: {
            100: {
              actions: assign(() => {
                throw new Error('in a timer')
              }),
            },
          },
        },
      },
      on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    })
    const clock = createTestClock()
    const engine = await openEngine({ machines: [machine], clock })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await clock.advance(100)
    expect(engine.parked).toMatchObject([{ id: 'm-1' }])
    await engine.revive('m-1')
    await clock.advance(1_000)
    expect(await actor.send({ type: 'add' })).toMatchObject({ accepted: true })
    expect(engine.parked).toEqual([])
  })

  test('passes over the event and says so in the receipt, if it is to resume, within its budget', async () => {
    const { clock, engine, actor } = await family(
      {},
      { onCrash: 'resume', budget: { max: 2, withinMs: 1_000 } },
    )
    for (let i = 0; i < 2; i += 1) {
      expect(await actor.send({ type: 'crash' })).toMatchObject({
        accepted: false,
        reason: expect.stringContaining('parent broke') as string,
      })
    }
    await clock.advance(1_000)
    for (let i = 0; i < 2; i += 1) await actor.send({ type: 'crash' })
    expect(actor.getSnapshot().status).toBe('active')
    expect(engine.parked).toEqual([])
    await actor.send({ type: 'crash' })
    expect(actor.getSnapshot().status).toBe('error')
    expect(engine.parked).toHaveLength(1)
    await agrees(engine, parent, 'p')
  })

  test('leaves the others alone', async () => {
    const { engine, actor } = await family()
    const other = await engine.spawn(parent, { id: 'q' })
    await actor.send({ type: 'crash' })
    await other.send({ type: 'to', name: 'a', what: 'add' })
    await rest()
    expect(told(other)).toEqual(['a1'])
  })
})

test('nobody outside can restart, revive or let go', async () => {
  const { actor } = await family()
  for (const type of ['xstate.restart', 'xstate.revive', 'xstate.letgo']) {
    await expect(actor.send({ type } as never)).rejects.toMatchObject({ code: 'EVENT_RESERVED' })
  }
})
