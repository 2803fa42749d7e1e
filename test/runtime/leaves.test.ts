/** Promises, callbacks and observables of a machine: run again after a restart only if they had not finished. */
import { describe, expect, test } from 'vitest'
import {
  assign,
  fromCallback,
  fromPromise,
  sendTo,
  setup,
  stopChild,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import type { EventStore } from '../../eventstore/index.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'
import { LeafWorld } from './leaf-world.ts'

const types = { context: {} as { n: number; seen: string[] }, events: {} as AnyEventObject }
const context = { n: 0, seen: [] }
const note = assign<typeof types.context, AnyEventObject, undefined, AnyEventObject, never>({
  seen: ({ context: before, event }) => [...before.seen, event.type],
})

async function owedBy(store: EventStore, id: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.entries(`owed/${id}/`)) keys.push(key.slice(`owed/${id}/`.length))
  return keys
}

/** Does its work in two steps that a test settles by hand. */
function worker(world: LeafWorld, options: { readonly minds: boolean }): AnyStateMachine {
  return setup({
    types,
    actors: { first: world.promise('first'), second: world.promise('second') },
  }).createMachine({
    id: 'worker',
    context,
    initial: 'one',
    states: {
      one: {
        invoke: { id: 'first', src: 'first', ...(options.minds && { onDone: 'two' }) },
        on: { skip: 'two' },
      },
      two: { invoke: { id: 'second', src: 'second', onDone: 'end' } },
      end: { type: 'final' },
    },
  })
}

describe('a promise', () => {
  test('that had not finished runs again after a restart, one that had does not', async () => {
    const world = new LeafWorld()
    const machine = worker(world, { minds: true })
    const engine = await openEngine({ machines: [machine] })
    await engine.spawn(machine, { id: 'w', input: undefined })
    expect(await owedBy(engine.store, 'w')).toEqual(['leaf/1:0'])
    world.settle({ leaf: 'first', how: 'succeed', value: 1 })
    await until(() => world.running.includes('second'), 'the second promise')

    const second = await reopen(engine, [machine])
    expect(world.running).toEqual(['second'])
    expect([world.startsOf('first'), world.startsOf('second')]).toEqual([1, 2])
    world.settle({ leaf: 'second', how: 'succeed', value: 1 })
    const actor = await second.get(machine, 'w')
    await until(() => actor?.getSnapshot().status === 'done', 'the end')
    expect(await owedBy(engine.store, 'w')).toEqual([])

    await reopen(second, [machine])
    expect([world.startsOf('first'), world.startsOf('second')]).toEqual([1, 2])
  })

  test('whose end the machine does not mind has finished all the same', async () => {
    const world = new LeafWorld()
    const machine = worker(world, { minds: false })
    const engine = await openEngine({ machines: [machine] })
    await engine.spawn(machine, { id: 'w', input: undefined })
    world.settle({ leaf: 'first', how: 'succeed', value: 1 })
    await until(async () => (await owedBy(engine.store, 'w')).length === 0, 'nothing to be owed')
    const second = await reopen(engine, [machine])
    await second.get(machine, 'w')
    expect(world.startsOf('first')).toBe(1)
  })

  test('is restarted by recovery itself, without anybody asking for its actor', async () => {
    const world = new LeafWorld()
    const machine = worker(world, { minds: true })
    const engine = await openEngine({ machines: [machine] })
    for (const id of ['a', 'b', 'c']) await engine.spawn(machine, { id, input: undefined })
    await reopen(engine, [machine])
    expect(world.startsOf('first')).toBe(6)
  })

  test('that ends late, after its state was entered again, is not heard for the new one', async () => {
    const settle: ((value: string) => void)[] = []
    const machine = setup({
      types: { context: {} as { got: unknown }, events: {} as AnyEventObject },
      // It does not listen to its signal.
      actors: { slow: fromPromise(() => new Promise<string>((resolve) => settle.push(resolve))) },
    }).createMachine({
      id: 'late',
      context: { got: undefined },
      invoke: { id: 'slow', src: 'slow', onDone: { actions: assign({ got: ({ event }) => event.output }) } },
      on: { again: { target: '#late', reenter: true } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'late-1' })
    await actor.send({ type: 'again' })
    settle[0]?.('old')
    await rest()
    expect(actor.getSnapshot().context.got).toBeUndefined()
    settle[1]?.('new')
    await until(() => actor.getSnapshot().context.got === 'new', 'the new one')
    expect((await eventsOf(engine.store, 'late-1')).map(({ event_type }) => event_type)).toEqual([
      'actor.created',
      'again',
      'xstate.done.actor.slow',
    ])
  })

  test('that fails is an Error to the machine, live and in a replay', async () => {
    class Odd extends Error {
      override readonly name = 'Odd'
      readonly code = 'E_ODD'
    }
    const machine = setup({
      types: { context: {} as { why: unknown[] }, events: {} as AnyEventObject },
      actors: { fragile: fromPromise(() => Promise.reject(new Odd('broke', { cause: 'why' }))) },
    }).createMachine({
      id: 'm',
      context: { why: [] },
      invoke: {
        id: 'fragile',
        src: 'fragile',
        onError: {
          actions: assign({
            why: ({ event }) => {
              const error = event.error as Odd
              return [error instanceof Error, String(error), error.code, error.cause, typeof error.stack]
            },
          }),
        },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    const expected = [true, 'Odd: broke', 'E_ODD', 'why', 'string']
    await until(() => actor.version === 2, 'the failure')
    expect(actor.getSnapshot().context.why).toEqual(expected)
    const again = await (await reopen(engine, [machine])).get(machine, 'm-1')
    expect(again?.getSnapshot().context.why).toEqual(expected)
  })

  test('whose failure nobody minds ends the actor in error with that failure', async () => {
    const world = new LeafWorld()
    const machine = worker(world, { minds: true })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'w', input: undefined })
    world.settle({ leaf: 'first', how: 'fail', value: 7 })
    await until(() => actor.getSnapshot().status === 'error', 'the error')
    expect(String(actor.getSnapshot().error)).toBe('Error: failed 7')
    const again = await (await reopen(engine, [machine])).get(machine, 'w')
    expect(String(again?.getSnapshot().error)).toBe('Error: failed 7')
    expect(world.startsOf('first')).toBe(1)
  })

  test('may give back what JSON cannot carry: it is normalised, and flagged, and seen so by the machine', async () => {
    const machine = setup({
      types: { context: {} as { got: unknown }, events: {} as AnyEventObject },
      actors: { dated: fromPromise(async () => ({ at: new Date(0), big: 1n })) },
    }).createMachine({
      id: 'm',
      context: { got: undefined },
      invoke: {
        id: 'd',
        src: 'dated',
        onDone: { actions: assign({ got: ({ event }) => event.output }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await until(() => actor.version === 2, 'the outcome')
    expect(actor.getSnapshot().context.got).toEqual({ at: '1970-01-01T00:00:00.000Z', big: '1' })
    const [, outcome] = await eventsOf(engine.store, 'm-1')
    expect(outcome?.normalized).toEqual(['event.output.at', 'event.output.big'])
  })
})

describe('a callback', () => {
  test('may send before it has even started: what it says is heard once, and it runs again after a restart', async () => {
    let starts = 0
    const machine = setup({
      types,
      actors: {
        eager: fromCallback<AnyEventObject>(({ sendBack }) => {
          starts += 1
          sendBack({ type: 'hello' })
        }),
      },
    }).createMachine({
      id: 'm',
      context,
      invoke: { id: 'e', src: 'eager' },
      on: { hello: { actions: note } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await until(() => actor.getSnapshot().context.seen.length === 1, 'the hello')
    const again = await (await reopen(engine, [machine])).get(machine, 'm-1')
    await until(() => again?.getSnapshot().context.seen.length === 2, 'the second hello')
    expect(starts).toBe(2)
  })

  test('that throws while it is being started has ended: it is told once, and not started again', async () => {
    let starts = 0
    const machine = setup({
      types,
      actors: {
        broken: fromCallback<AnyEventObject>(() => {
          starts += 1
          throw new Error('no')
        }),
      },
    }).createMachine({
      id: 'm',
      context,
      initial: 'a',
      states: { a: { invoke: { id: 'b', src: 'broken', onError: { actions: note } } } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await until(() => actor.version === 2, 'the failure')
    expect(actor.getSnapshot().context.seen).toEqual(['xstate.error.actor.b'])
    await reopen(engine, [machine])
    expect(starts).toBe(1)
  })

  test('whose cleanup throws ends nothing but itself, and is told to onError', async () => {
    const machine = setup({
      types,
      actors: {
        messy: fromCallback<AnyEventObject>(() => () => {
          throw new Error('cleanup')
        }),
      },
    }).createMachine({
      id: 'm',
      context,
      initial: 'a',
      states: { a: { invoke: { id: 'x', src: 'messy' }, on: { leave: 'b' } }, b: {} },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    expect(await actor.send({ type: 'leave' })).toMatchObject({ accepted: true })
    expect(engine.errors.map(String)).toEqual(['Error: cleanup'])
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: 'b' })
  })

  test('that sends back what is no event is told to onError, and ends nothing', async () => {
    const machine = setup({
      types,
      actors: { mumbling: fromCallback<AnyEventObject>(({ sendBack }) => sendBack({ no: 'type' } as never)) },
    }).createMachine({ id: 'm', context, invoke: { id: 'x', src: 'mumbling' } })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await until(() => engine.errors.length === 1, 'the error')
    expect(engine.errors).toEqual([expect.objectContaining({ code: 'EVENT_INVALID' })])
    expect(actor.getSnapshot().status).toBe('active')
  })

  test('hears what its machine sends on the way in and on the way out, and nothing after its end', async () => {
    const heard: string[] = []
    const machine = setup({
      types,
      actors: {
        ear: fromCallback<AnyEventObject>(({ receive }) => {
          receive((event) => heard.push(event.type))
          return () => heard.push('(end)')
        }),
      },
    }).createMachine({
      id: 'm',
      context,
      initial: 'a',
      states: {
        a: {
          entry: sendTo('ear', { type: 'in' }),
          exit: sendTo('ear', { type: 'out' }),
          invoke: { id: 'ear', src: 'ear' },
          on: {
            say: { actions: sendTo('ear', { type: 'said' }) },
            leave: 'b',
            hush: { actions: stopChild('ear') },
          },
        },
        b: {},
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    for (const type of ['say', 'hush', 'leave']) await actor.send({ type })
    expect(heard).toEqual(['in', 'said', '(end)'])
    // There is no such child to send to on the way out, as in XState.
    expect(actor.getSnapshot()).toMatchObject({ status: 'error' })
  })

  test('can be sent to straight from a snapshot', async () => {
    const world = new LeafWorld()
    const machine = setup({ types, actors: { ear: world.callback('ear') } }).createMachine({
      id: 'm',
      context,
      invoke: { id: 'ear', src: 'ear' },
      on: { 'child.heard': { actions: note } },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    actor.getSnapshot().children['ear']?.send({ type: 'psst' })
    await until(() => actor.getSnapshot().context.seen.length === 1, 'the echo')
    expect(world.received).toEqual(['ear {"type":"psst"}'])
  })
})

describe('an observable', () => {
  test('that runs again after a restart does not put the machine back to the time before its first value', async () => {
    const world = new LeafWorld()
    const machine = setup({
      types: { context: {} as { values: unknown[] }, events: {} as AnyEventObject },
      actors: { ticks: world.observable('ticks') },
    }).createMachine({
      id: 'm',
      context: { values: [] },
      invoke: {
        id: 'ticks',
        src: 'ticks',
        onSnapshot: {
          actions: assign({
            values: ({ context: { values }, event }) => [
              ...values,
              (event['snapshot'] as { context?: unknown }).context ?? 'none yet',
            ],
          }),
        },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    world.settle({ leaf: 'ticks', how: 'say', value: 1 })
    await until(() => actor.getSnapshot().context.values.length === 2, 'the first value')
    const again = await (await reopen(engine, [machine])).get(machine, 'm-1')
    world.settle({ leaf: 'ticks', how: 'say', value: 2 })
    await until(() => again?.getSnapshot().context.values.length === 3, 'the second value')
    expect(again?.getSnapshot().context.values).toEqual(['none yet', 1, 2])
  })
})

describe('a child with a system id', () => {
  test('survives that its state is entered again, and is found under it', async () => {
    const world = new LeafWorld()
    const machine = setup({ types, actors: { ear: world.callback('ear') } }).createMachine({
      id: 'm',
      context,
      initial: 'a',
      states: { a: { invoke: { id: 'ear', systemId: 'the-ear', src: 'ear' } } },
      on: {
        again: { target: '.a', reenter: true },
        say: { actions: sendTo(({ system }) => system.get('the-ear'), { type: 'said' }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await actor.send({ type: 'again' })
    await actor.send({ type: 'say' })
    expect(world.received).toEqual(['ear {"type":"said"}'])
    expect(world.startsOf('ear')).toBe(2)
    const again = await (await reopen(engine, [machine])).get(machine, 'm-1')
    await again?.send({ type: 'say' })
    expect(world.received).toHaveLength(2)
    expect(again?.getSnapshot().status).toBe('active')
  })
})

describe('a spawned child', () => {
  test('without an id gets one by number, the same in every replay, and runs again after a restart', async () => {
    const world = new LeafWorld()
    const machine = setup({
      types: { context: {} as { ids: string[] }, events: {} as AnyEventObject },
      actors: { job: world.promise('job') },
    }).createMachine({
      id: 'm',
      context: ({ spawn }) => ({ ids: [spawn('job').id] }),
      on: {
        more: { actions: assign({ ids: ({ context: before, spawn }) => [...before.ids, spawn('job').id] }) },
        // Refused: nothing may be counted for it.
        no: { guard: () => false, actions: assign({ ids: ({ spawn }) => [spawn('job').id] }) },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await actor.send({ type: 'no' })
    await actor.send({ type: 'more' })
    expect(actor.getSnapshot().context.ids).toEqual(['m-1:0', 'm-1:1'])
    const second = await reopen(engine, [machine])
    const again = await second.get(machine, 'm-1')
    await again?.send({ type: 'more' })
    expect(again?.getSnapshot().context.ids).toEqual(['m-1:0', 'm-1:1', 'm-1:2'])
    expect(world.startsOf('job')).toBe(5)
  })

  test('that takes the place of another of its id ends that one', async () => {
    const ended: number[] = []
    let born = 0
    const machine = setup({
      types: { context: {} as { n: number }, events: {} as AnyEventObject },
      actors: {
        job: fromCallback<AnyEventObject>(() => {
          const number = (born += 1)
          return () => ended.push(number)
        }),
      },
    }).createMachine({
      id: 'm',
      context: { n: 0 },
      on: {
        spawn: {
          actions: assign({ n: ({ context: { n }, spawn }) => (spawn('job', { id: 'only' }), n + 1) }),
        },
      },
    })
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'm-1' })
    await actor.send({ type: 'spawn' })
    await actor.send({ type: 'spawn' })
    expect([born, ended]).toEqual([2, [1]])
    await reopen(engine, [machine])
    expect([born, ended]).toEqual([3, [1, 2]])
  })
})

test('many finished leaves leave nothing owed, and none runs again', async () => {
  const world = new LeafWorld()
  const machine = setup({
    types,
    actors: { job: fromPromise(async () => world.starts.set('job', world.startsOf('job') + 1)) },
  }).createMachine({
    id: 'm',
    context,
    initial: 'on',
    states: {
      on: {
        invoke: {
          id: 'job',
          src: 'job',
          onDone: [
            {
              guard: ({ context: { n } }) => n < 200,
              target: 'on',
              reenter: true,
              actions: assign({ n: ({ context: { n } }) => n + 1 }),
            },
            { target: 'off' },
          ],
        },
      },
      off: {},
    },
  })
  const engine = await openEngine({ machines: [machine] })
  const actor = await engine.spawn(machine, { id: 'm-1' })
  await until(() => actor.getSnapshot().value === 'off', 'the end of the chain')
  expect(await owedBy(engine.store, 'm-1')).toEqual([])
  const starts = world.startsOf('job')
  await reopen(engine, [machine])
  expect([starts, world.startsOf('job')]).toEqual([201, 201])
})
