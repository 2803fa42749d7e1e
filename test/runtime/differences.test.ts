/** Where a durable actor is not what XState's own is: each row of docs/xstate.md, seen on both sides. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import {
  assign,
  createActor,
  emit,
  fromPromise,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import type { DurableActor } from '../../src/runtime/cell/durable-actor.ts'
import { createEngine } from '../../src/runtime/engine.ts'
import { createMemoryEventStore } from '../../eventstore/index.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openEngine, rest, type Opened } from './engine-under-test.ts'

beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}))

const types = {
  context: {} as { seen: unknown[] },
  events: {} as AnyEventObject,
  emitted: {} as AnyEventObject,
}
const context = { seen: [] }
const see = (what: (event: AnyEventObject) => unknown) =>
  assign<{ seen: unknown[] }, AnyEventObject, undefined, AnyEventObject, never>({
    seen: ({ context: { seen }, event }) => [...seen, what(event)],
  })

type Both = {
  readonly plain: ReturnType<typeof createActor>
  readonly durable: DurableActor
  readonly engine: Opened
}

/** The same machine on both sides; errors of the plain one are nobody's. */
async function both(machine: AnyStateMachine): Promise<Both> {
  const plain = createActor(machine)
  plain.subscribe({ error: () => {} })
  plain.start()
  const engine = await openEngine({ machines: [machine] })
  const durable = await engine.spawn(machine, { id: 'd' })
  await rest()
  return { plain, durable, engine }
}

/** Sends both an event, and waits until all it sets off has happened. */
async function tell({ plain, durable }: Both, event: AnyEventObject): Promise<void> {
  plain.send(event)
  await durable.send(event)
  await rest()
}

describe('events', () => {
  const machine = setup({ types }).createMachine({
    id: 'm',
    context,
    initial: 'a',
    on: { note: { actions: see(({ n }) => n as unknown) } },
    states: { a: { on: { go: 'b' } }, b: { type: 'final' } },
  })

  test('of which the state is seen: XState at once, here when the event is on disk', async () => {
    const { plain, durable } = await both(machine)
    plain.send({ type: 'note', n: 1 })
    expect(plain.getSnapshot().context).toEqual({ seen: [1] })
    const sent = durable.send({ type: 'note', n: 1 })
    expect(durable.getSnapshot().context).toEqual({ seen: [] })
    await sent
    expect(durable.getSnapshot().context).toEqual({ seen: [1] })
  })

  test('that mean nothing: XState shows the state again, here nothing is shown', async () => {
    const sides = await both(machine)
    const shown = { plain: 0, durable: 0 }
    sides.plain.subscribe(() => (shown.plain += 1))
    sides.durable.subscribe(() => (shown.durable += 1))
    await tell(sides, { type: 'unknown' })
    expect(shown).toEqual({ plain: 1, durable: 0 })
  })

  test('after the end: XState warns, here the receipt says no', async () => {
    const sides = await both(machine)
    await tell(sides, { type: 'go' })
    sides.plain.send({ type: 'note', n: 1 })
    expect(console.warn).toHaveBeenCalledOnce()
    expect(await sides.durable.send({ type: 'note', n: 1 })).toMatchObject({
      accepted: false,
      reason: 'the actor is done',
    })
  })

  test('named xstate.* from outside: XState takes them for its own, here they are refused', async () => {
    const asking = setup({ types, actors: { ask: fromPromise(() => new Promise(() => {})) } }).createMachine({
      id: 'asking',
      context,
      invoke: { id: 'ask', src: 'ask', onDone: { actions: see(({ output }) => output as unknown) } },
    })
    const { plain, durable } = await both(asking)
    const forged = { type: 'xstate.done.actor.ask', output: 'forged', actorId: 'ask' }
    plain.send(forged)
    expect(plain.getSnapshot().context).toEqual({ seen: ['forged'] })
    await expect(durable.send(forged)).rejects.toMatchObject({ code: 'EVENT_RESERVED' })
  })

  test('that are routes: XState takes them from anybody, here from the machine itself', async () => {
    const routed = setup({ types }).createMachine({
      id: 'routed',
      context,
      initial: 'a',
      states: { a: {}, b: { id: 'b', route: {} } },
      on: { go: { actions: raise({ type: 'xstate.route', to: '#b' }) } },
    })
    const { plain, durable } = await both(routed)
    plain.send({ type: 'xstate.route', to: '#b' })
    expect(plain.getSnapshot().value).toBe('b')
    await expect(durable.send({ type: 'xstate.route', to: '#b' })).rejects.toMatchObject({
      code: 'EVENT_RESERVED',
    })
    await durable.send({ type: 'go' })
    expect(durable.getSnapshot().value).toBe('b')
  })

  test('of the first step: XState lets one listen before the start, here the actor has begun when one has it', async () => {
    const greeting = setup({ types }).createMachine({ id: 'g', context, entry: emit({ type: 'hello' }) })
    const heard = { plain: 0, durable: 0 }
    const plain = createActor(greeting)
    plain.on('hello', () => (heard.plain += 1))
    plain.start()
    const engine = await openEngine({ machines: [greeting] })
    const durable = await engine.spawn(greeting, { id: 'g-1' })
    durable.on('hello', () => (heard.durable += 1))
    await rest()
    expect(heard).toEqual({ plain: 1, durable: 0 })
  })
})

describe('failures', () => {
  test('of an action: XState ends the actor, here it goes on and onError is told', async () => {
    const machine = setup({ types }).createMachine({
      id: 'm',
      context,
      on: {
        go: {
          actions: () => {
            throw new Error('in an action')
          },
        },
      },
    })
    const sides = await both(machine)
    await tell(sides, { type: 'go' })
    expect(sides.plain.getSnapshot().status).toBe('error')
    expect(sides.durable.getSnapshot().status).toBe('active')
    expect(sides.engine.errors).toMatchObject([{ code: 'ACTION_FAILED' }])
  })

  test('of an actor whose leaves run: XState lets them run on, here they are stopped', async () => {
    const signals: AbortSignal[] = []
    const machine = setup({
      types,
      actors: {
        wait: fromPromise(({ signal }) => {
          signals.push(signal)
          return new Promise(() => {})
        }),
      },
    }).createMachine({
      id: 'm',
      context,
      invoke: { id: 'wait', src: 'wait' },
      on: {
        go: {
          actions: assign(() => {
            throw new Error('in an assign')
          }),
        },
      },
    })
    const sides = await both(machine)
    await tell(sides, { type: 'go' })
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
  })

  test('of a leaf: XState hands on the very error, here its class is Error, with its name and fields', async () => {
    class Refused extends TypeError {
      readonly code = 'E_NO'
    }
    const fail = fromPromise(() => Promise.reject(new Refused('no')))
    const machine = setup({ types, actors: { fail } }).createMachine({
      id: 'm',
      context,
      invoke: {
        id: 'fail',
        src: 'fail',
        onError: {
          actions: see(({ error }) => {
            const { name, message, code } = error as Refused
            return [error instanceof Error, error instanceof Refused, name, message, code]
          }),
        },
      },
    })
    const { plain, durable } = await both(machine)
    expect(plain.getSnapshot().context.seen).toEqual([[true, true, 'TypeError', 'no', 'E_NO']])
    expect(durable.getSnapshot().context.seen).toEqual([[true, false, 'TypeError', 'no', 'E_NO']])
  })

  test('of a guard that returns a promise: XState takes it for a yes, here it is an error', async () => {
    const machine = setup({
      types,
      guards: { allowed: () => Promise.resolve(false) as never },
    }).createMachine({
      id: 'm',
      context,
      initial: 'a',
      states: { a: { on: { go: { guard: 'allowed', target: 'b' } } }, b: {} },
    })
    const sides = await both(machine)
    await tell(sides, { type: 'go' })
    expect(sides.plain.getSnapshot().value).toBe('b')
    expect(sides.durable.getSnapshot()).toMatchObject({ status: 'error', value: 'a' })
  })
})

describe('children', () => {
  const child = setup({ types }).createMachine({
    id: 'child',
    context: ({ input }) => ({ seen: [input] }),
    on: { call: { actions: sendParent(({ context: { seen } }) => ({ type: 'heard', who: seen[0] })) } },
  })

  test('of one id: XState lets the first one live beside the second, here the second one ends it', async () => {
    const machine = setup({
      types: { ...types, context: {} as { seen: unknown[]; refs: AnyActorRef[] } },
      actors: { child },
    }).createMachine({
      id: 'm',
      context: { seen: [], refs: [] },
      on: {
        add: {
          actions: assign({
            refs: ({ context: { refs }, spawn, event }) => [
              ...refs,
              spawn('child', { id: 'twin', input: event['who'] as never }),
            ],
          }),
        },
        call: {
          actions: [
            sendTo(({ context: { refs } }) => refs[0] as AnyActorRef, { type: 'call' }),
            sendTo(({ context: { refs } }) => refs[1] as AnyActorRef, { type: 'call' }),
          ],
        },
        heard: { actions: assign({ seen: ({ context: { seen }, event }) => [...seen, event['who']] }) },
      },
    })
    const sides = await both(machine)
    for (const who of ['first', 'second']) await tell(sides, { type: 'add', who })
    await tell(sides, { type: 'call' })
    expect(sides.plain.getSnapshot().context.seen).toEqual(['first', 'second'])
    expect((sides.durable.getSnapshot() as { context: { seen: unknown[] } }).context.seen).toEqual(['second'])
    expect(await sides.engine.deadLetters()).toMatchObject([{ event: { type: 'call' } }])
  })

  test('without an id: XState spawns them, here such a machine is refused', async () => {
    const machine = setup({ types, actors: { child } }).createMachine({
      id: 'm',
      context,
      entry: spawnChild('child'),
    })
    expect(Object.keys(createActor(machine).start().getSnapshot().children)).toHaveLength(1)
    const opening = createEngine({
      store: createMemoryEventStore(),
      clock: systemClock,
      machines: [machine],
      onError: () => {},
    })
    await expect(opening).rejects.toMatchObject({ code: 'MACHINE_NOT_DURABLE' })
  })

  test('with a system id: XState shows them to whoever has the root, here only to the family', async () => {
    const machine = setup({ types, actors: { child } }).createMachine({
      id: 'm',
      context,
      entry: spawnChild('child', { id: 'c', systemId: 'star' }),
      on: {
        call: { actions: sendTo(({ system }) => system.get('star') as AnyActorRef, { type: 'call' }) },
        heard: { actions: see(() => 'heard') },
      },
    })
    const sides = await both(machine)
    expect(sides.plain.system.get('star')).toBeDefined()
    expect(sides.durable.system.get('star')).toBeUndefined()
    await tell(sides, { type: 'call' })
    expect(sides.durable.getSnapshot().context).toEqual({ seen: ['heard'] })
  })

  test('that end with a value: XState hands it on as it is, here as JSON has it', async () => {
    const end = fromPromise(async () => ({ none: undefined, list: [undefined], when: new Date(0) }))
    const machine = setup({ types, actors: { end } }).createMachine({
      id: 'm',
      context,
      invoke: { id: 'end', src: 'end', onDone: { actions: see(({ output }) => output as unknown) } },
    })
    const { plain, durable } = await both(machine)
    expect(plain.getSnapshot().context.seen).toStrictEqual([
      { none: undefined, list: [undefined], when: new Date(0) },
    ])
    expect(durable.getSnapshot().context.seen).toStrictEqual([
      { list: [null], when: '1970-01-01T00:00:00.000Z' },
    ])
  })
})
