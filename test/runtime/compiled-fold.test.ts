/** The table of a flat machine moves it exactly as XState does, and there is none for any other machine. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assign,
  createActor,
  createMachine,
  emit,
  raise,
  setup,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import { durableMachine, type DurableMachine } from '../../src/runtime/fold/durable-machine.ts'
import { createFolder, type CellState } from '../../src/runtime/fold/fold.ts'

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 25) * 4

const nodes = '_nodes'

type Context = { n: number; log: readonly string[]; last: unknown }
const note = (what: string) =>
  assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
    log: ({ context }) => [...context.log.slice(-9), what],
  })

const flat = setup({
  types: { context: {} as Context, events: {} as AnyEventObject },
  guards: {
    small: ({ context }, { max }: { max: number }) => context.n < max,
    odd: ({ event }) => event['by'] % 2 === 1,
    throws: ({ event }) => {
      if (event['by'] === 3) throw new Error('three')
      return true
    },
  },
  actions: {
    add: assign(({ context, event }) => ({ n: context.n + Number(event['by']) })),
    set: assign((_, { to }: { to: number }) => ({ n: to })),
    swap: assign({ n: ({ context }) => context.log.length, last: ({ context }) => context.n, log: [] }),
    said: (_args, _params: { what: string }) => {},
    note: note('named'),
  },
}).createMachine({
  id: 'flat',
  context: { n: 0, log: [], last: null },
  initial: 'a',
  tags: ['every'],
  on: {
    reset: { target: '.a', actions: { type: 'set', params: { to: 0 } } },
    say: { actions: { type: 'said', params: ({ event }) => ({ what: String(event['by']) }) } },
    go: { actions: note('root go') },
    nothing: {},
  },
  states: {
    a: {
      tags: ['first'],
      entry: note('into a'),
      exit: [note('out of a'), { type: 'said', params: { what: 'bye' } }],
      on: {
        go: [
          { guard: { type: 'small', params: { max: 5 } }, target: 'b', actions: 'add' },
          { guard: 'odd', actions: ['swap', 'note'] },
          { guard: ({ context }) => context.n > 20, target: 'c' },
        ],
        stay: { target: 'a' },
        again: { target: 'a', reenter: true },
      },
    },
    b: {
      entry: [note('into b'), () => {}],
      on: {
        go: { target: 'c', guard: 'throws', actions: ['add', note('b to c')] },
        say: undefined as never,
        nothing: { target: 'a' },
      },
    },
    c: { exit: 'swap', on: { go: { target: 'a' }, stay: {}, again: { reenter: true, actions: 'note' } } },
  },
})

const moves = fc.array(
  fc.record({
    type: fc.constantFrom('go', 'go', 'go', 'reset', 'say', 'stay', 'again', 'nothing', 'unknown'),
    by: fc.integer({ min: 0, max: 9 }),
  }),
  { maxLength: 40 },
)

const stock = (machine: DurableMachine): DurableMachine => ({ ...machine, compiled: undefined })

/** What is told of a step, with everything that a record or an effect is made of. */
function fold(machine: DurableMachine, events: readonly AnyEventObject[], input?: unknown): unknown[] {
  const folder = createFolder(machine, 'f')
  let state: CellState | undefined
  return [{ type: 'actor.created', input }, ...events].map((event, index) => {
    const version = (state?.version ?? 0) + 1
    const before = state
    const outcome = folder.fold(state, { version, time: index, eventId: `e${index}`, event })
    if (outcome.kind !== 'accepted') return outcome
    ;({ state } = outcome)
    const { snapshot } = state
    const shown = {
      keys: Object.keys(snapshot),
      json: JSON.stringify(snapshot),
      tags: [...snapshot.tags],
      nodes: (snapshot as unknown as { [nodes]: { id: string }[] })[nodes].map(({ id }) => id),
      can: snapshot.can({ type: 'go', by: 1 }),
      same: before?.snapshot === snapshot,
      error: String(snapshot.error),
    }
    const effects = outcome.effects.map((effect) =>
      effect.kind === 'action'
        ? { ...effect, action: { ...effect.action, info: { ...effect.action.info, self: 0, system: 0 } } }
        : effect,
    )
    return { shown, effects, version: state.version }
  })
}

describe('a flat machine', () => {
  const machine = durableMachine(flat)

  test('has a table', () => {
    expect(machine.compiled).toBeDefined()
  })

  test('moves by it as by XState: states, contexts, tags, actions, refusals and errors', () => {
    fc.assert(
      fc.property(moves, (events) => {
        expect(fold(machine, events)).toEqual(fold(stock(machine), events))
      }),
      { numRuns: RUNS },
    )
  })

  test('and as a live actor does', () => {
    fc.assert(
      fc.property(moves, (events) => {
        const folder = createFolder(machine, 'f')
        const created = folder.fold(undefined, {
          version: 1,
          time: 0,
          eventId: 'e',
          event: { type: 'created' },
        })
        let state = created.kind === 'accepted' ? created.state : undefined
        const actor = createActor(flat)
        actor.subscribe({ error: () => {} })
        actor.start()
        for (const event of events) {
          const version = (state?.version ?? 0) + 1
          const outcome = folder.fold(state, { version, time: 0, eventId: 'e', event })
          if (outcome.kind === 'accepted') ({ state } = outcome)
          if (actor.getSnapshot().status === 'active') actor.send(event)
          const { value, context, status } = actor.getSnapshot()
          expect({ ...state?.snapshot }).toMatchObject({ value, context, status })
        }
        actor.stop()
      }),
      { numRuns: RUNS },
    )
  })
})

describe('how a flat machine begins', () => {
  const beginning = setup({
    types: { context: {} as Context, events: {} as AnyEventObject, input: {} as { n: number } },
    actions: { note: note('named'), said: (_args, _params: { what: string }) => {} },
  }).createMachine({
    id: 'beginning',
    context: ({ input, self, spawn }) => {
      if (input.n === 3) throw new Error('three')
      if (input.n === 4) (spawn as (src: string) => void)('nobody')
      return { n: input.n, log: [self.id], last: typeof spawn }
    },
    entry: [
      note('into the machine'),
      { type: 'said', params: ({ context }) => ({ what: `n is ${context.n}` }) },
    ],
    initial: { target: 'b', actions: [note('at first'), 'note'] },
    states: {
      a: { entry: note('into a'), on: { go: 'b' } },
      b: {
        tags: ['second'],
        entry: [note('into b'), ({ context }) => context.n, 'said' as never],
        exit: assign({ last: ({ event }) => event.type }),
        on: { go: { target: 'a', guard: ({ context }) => context.n < 5 } },
      },
    },
  })
  const machine = durableMachine(beginning)

  test('is as in XState: its context made of the input, its entry actions, and what it throws', () => {
    fc.assert(
      fc.property(fc.record({ n: fc.integer({ min: 0, max: 6 }) }), moves, (input, events) => {
        expect(fold(machine, events, input)).toEqual(fold(stock(machine), events, input))
      }),
      { numRuns: RUNS },
    )
    expect(fold(machine, [], { n: 1 })).toEqual(fold(stock(machine), [], { n: 1 }))
  })

  test('without a context', () => {
    const bare = durableMachine(
      createMachine({ id: 'bare', initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } }),
    )
    expect(bare.compiled).toBeDefined()
    expect(fold(bare, [{ type: 'go' }])).toEqual(fold(stock(bare), [{ type: 'go' }]))
  })

  test('shares nothing between two actors that the machine could change', () => {
    const [one, other] = ['one', 'other'].map((id) => {
      const event = { type: 'actor.created', input: { n: 0 } }
      const outcome = createFolder(machine, id).fold(undefined, { version: 1, time: 0, eventId: 'e', event })
      if (outcome.kind !== 'accepted') throw new Error(outcome.reason)
      return outcome.state.snapshot
    })
    expect(one?.children).not.toBe(other?.children)
    expect(one?.historyValue).not.toBe(other?.historyValue)
    expect(one?.context).not.toBe(other?.context)
  })
})

describe('there is no table for a machine', () => {
  const states = { a: { on: { go: 'b' } }, b: {} }
  test.each<[string, AnyStateMachine]>([
    [
      'with nested states',
      createMachine({ initial: 'a', states: { a: { initial: 'x', states: { x: {} } } } }),
    ],
    ['with regions', createMachine({ type: 'parallel', states: { a: {}, b: {} } })],
    [
      'with a final state',
      createMachine({ initial: 'a', states: { a: { on: { go: 'b' } }, b: { type: 'final' } } }),
    ],
    ['with a timer', createMachine({ initial: 'a', states: { a: { after: { 10: 'b' } }, b: {} } })],
    ['that moves by itself', createMachine({ initial: 'a', states: { a: { always: 'b' }, b: {} } })],
    ['with a wildcard', createMachine({ initial: 'a', states, on: { 'x.*': { actions: () => {} } } })],
    ['that raises', createMachine({ initial: 'a', states, on: { x: { actions: raise({ type: 'go' }) } } })],
    ['that emits', createMachine({ initial: 'a', states, on: { x: { actions: emit({ type: 'y' }) } } })],
    ['with actors', setup({ actors: { kid: createMachine({}) } }).createMachine({ initial: 'a', states })],
  ])('%s', (_what, machine) => {
    expect(durableMachine(machine).compiled).toBeUndefined()
  })
})
