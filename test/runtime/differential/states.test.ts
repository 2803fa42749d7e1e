/** Differential: states of every kind, guards and eventless transitions run as in XState. */
import { and, assign, emit, not, raise, setup, stateIn, type AnyEventObject } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, types, type Context, type Sample } from './sample.ts'

const counter: Sample = {
  name: 'a counter with guards, parameters and emitted events',
  events: [
    { type: 'add', by: 2 },
    { type: 'add', by: 50 },
    { type: 'take', by: 1 },
    { type: 'reset' },
    { type: 'other' },
  ],
  machine: (world) =>
    setup({
      types,
      guards: {
        fits: ({ context, event }, params: { max: number }) => context.n + event['by'] <= params.max,
        has: ({ context, event }) => context.n >= event['by'],
      },
      actions: { tell: world.act('tell') },
    }).createMachine({
      id: 'counter',
      context: empty,
      on: {
        add: {
          guard: { type: 'fits', params: { max: 10 } },
          actions: [
            assign({ n: ({ context, event }) => context.n + event['by'] }),
            'tell',
            emit(({ context }) => ({ type: 'grown', to: context.n })),
          ],
        },
        take: [
          {
            guard: 'has',
            actions: [
              assign({ n: ({ context, event }) => context.n - event['by'] }),
              emit({ type: 'shrunk' }),
            ],
          },
          { actions: { type: 'tell', params: ({ context }: { context: Context }) => ({ left: context.n }) } },
        ],
        reset: { actions: [{ type: 'tell', params: { why: 'reset' } }, assign({ n: 0 })] },
      },
    }),
}

const nested: Sample = {
  name: 'nested states with entry and exit, final states and output',
  events: [
    { type: 'in' },
    { type: 'out' },
    { type: 'deep' },
    { type: 'finish' },
    { type: 'again' },
    { type: 'end' },
  ],
  machine: (world) =>
    setup({ types, actions: { say: world.act('say') } }).createMachine({
      id: 'nested',
      context: empty,
      initial: 'a',
      entry: 'say',
      output: ({ context, event }) => ({
        n: context.n,
        of: event.type,
        result: (event as AnyEventObject)['output'],
      }),
      states: {
        a: {
          initial: 'a1',
          tags: ['first'],
          entry: [note('enter a'), { type: 'say', params: { at: 'a' } }],
          exit: note('leave a'),
          states: {
            a1: { entry: note('enter a1'), exit: note('leave a1'), on: { in: 'a2' } },
            a2: {
              initial: 'x',
              tags: ['inner'],
              states: {
                x: { on: { deep: 'y', again: { target: 'x', reenter: true } }, entry: note('enter x') },
                y: { type: 'final', output: ({ context }) => ({ from: 'y', n: context.n }) },
              },
              onDone: { target: 'a3', actions: [note('done a2'), count] },
            },
            a3: { type: 'final' },
          },
          on: { out: { target: 'b', actions: [count, 'say'] }, again: { target: 'a', reenter: true } },
          onDone: { target: 'b', actions: note('done a') },
        },
        b: { on: { in: 'a', deep: '#nested.a.a2', end: 'z', finish: { actions: raise({ type: 'end' }) } } },
        z: { type: 'final', entry: note('enter z'), output: ({ context }) => context.seen.length },
      },
    }),
}

const parallel: Sample = {
  name: 'parallel regions that look at each other, done when both are',
  events: [{ type: 'left' }, { type: 'right' }, { type: 'both' }, { type: 'back' }, { type: 'close' }],
  machine: () =>
    setup({ types }).createMachine({
      id: 'parallel',
      context: empty,
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          states: {
            l: {
              initial: 'one',
              states: {
                one: { on: { left: 'two', both: 'two' }, tags: 'l1' },
                two: {
                  on: {
                    left: 'three',
                    back: 'one',
                    close: { guard: stateIn('#right3') as never, target: 'three' },
                  },
                },
                three: { type: 'final' },
              },
            },
            r: {
              initial: 'one',
              states: {
                one: { on: { right: { target: 'two', actions: count }, both: 'two' } },
                two: {
                  on: {
                    right: { guard: not(stateIn({ work: { l: 'one' } })) as never, target: 'three' },
                    back: 'one',
                  },
                },
                three: { id: 'right3', on: { close: 'four', back: 'one' }, tags: ['r3'] },
                four: { type: 'final' },
              },
            },
          },
          on: { back: { actions: noteEvent } },
          onDone: { target: 'over', actions: emit({ type: 'all.done' }) },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n }),
    }),
}

const history: Sample = {
  name: 'shallow and deep history, with and without a default',
  events: [
    { type: 'next' },
    { type: 'down' },
    { type: 'leave' },
    { type: 'shallow' },
    { type: 'deep' },
    { type: 'default' },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'history',
      context: empty,
      initial: 'wizard',
      states: {
        wizard: {
          initial: 'name',
          states: {
            name: { on: { next: 'address' }, entry: note('name') },
            address: {
              initial: 'street',
              states: {
                street: { on: { down: 'city' } },
                city: { on: { down: 'country' }, entry: note('city') },
                country: {},
              },
              on: { next: 'pay' },
            },
            pay: {
              type: 'parallel',
              states: {
                card: {
                  initial: 'off',
                  states: { off: { on: { down: 'on' } }, on: { on: { next: 'off' } } },
                },
                bill: { initial: 'off', states: { off: { on: { next: 'on' } }, on: {} } },
              },
            },
            was: { type: 'history', history: 'shallow' },
            wasExactly: { type: 'history', history: 'deep' },
            wasOrPay: { type: 'history', history: 'deep', target: 'pay' },
          },
          on: { leave: 'away', default: '#history.other' },
        },
        away: {
          on: { shallow: 'wizard.was', deep: 'wizard.wasExactly', default: 'wizard.wasOrPay' },
          entry: count,
        },
        other: { on: { leave: 'away', default: 'wizard.wasOrPay' } },
      },
    }),
}

const eventless: Sample = {
  name: 'transitions without an event, and raised events in their order',
  events: [{ type: 'go', n: 1 }, { type: 'go', n: 3 }, { type: 'spin' }, { type: 'stay' }, { type: 'peek' }],
  machine: (world) =>
    setup({ types, actions: { act: world.act('act') } }).createMachine({
      id: 'eventless',
      context: empty,
      initial: 'idle',
      always: {
        guard: and([({ event }) => event.type === 'peek', not(stateIn('peeked'))]) as never,
        actions: note('peeked'),
        target: '.peeked',
      },
      states: {
        idle: {
          on: {
            go: { target: 'counting', actions: assign({ n: ({ event }) => event['n'] }) },
            spin: { actions: [raise({ type: 'one' }), raise({ type: 'two' }), note('spin')] },
            one: { actions: [note('one'), raise({ type: 'three' })] },
            two: { actions: note('two') },
            three: { target: 'counting', actions: [note('three'), assign({ n: 2 })] },
          },
        },
        counting: {
          always: [
            { guard: ({ context }) => context.n <= 0, target: 'landed' },
            {
              actions: [assign({ n: ({ context }) => context.n - 1 }), 'act'],
              target: 'counting',
              reenter: true,
            },
          ],
        },
        landed: { entry: [raise({ type: 'home' }), 'act'], on: { home: 'idle' } },
        peeked: { on: { stay: { target: 'idle', actions: noteEvent } } },
      },
    }),
}

runsAsInXState([counter, nested, parallel, history, eventless])
