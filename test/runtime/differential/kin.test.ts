/** Differential: child machines that are sent to, finish and fail, run as in XState. */
import { assign, emit, forwardTo, sendTo, setup, sendParent } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, noteOutcome, types, type Context, type Sample } from './sample.ts'

const pingPong: Sample = {
  name: 'a parent and a child that send to and fro',
  events: [{ type: 'serve', rallies: 1 }, { type: 'serve', rallies: 5 }, { type: 'ping' }, { type: 'stop' }],
  machine: (world) => {
    const child = setup({ types, actions: { act: world.act('child') } }).createMachine({
      id: 'child',
      context: empty,
      on: {
        ping: {
          actions: [
            count,
            'act',
            sendParent(({ event }) => ({ type: 'pong', left: event['left'] })),
            emit({ type: 'x' }),
          ],
        },
      },
    })
    return setup({ types, actors: { child }, actions: { act: world.act('parent') } }).createMachine({
      id: 'ping-pong',
      context: empty,
      initial: 'playing',
      states: {
        playing: {
          invoke: { id: 'child', src: 'child' },
          on: {
            serve: {
              actions: [
                sendTo('child', ({ event }) => ({ type: 'ping', left: event['rallies'] })),
                'act',
                count,
              ],
            },
            pong: [
              {
                guard: ({ event }) => event['left'] > 1,
                actions: [
                  'act',
                  emit(({ event }) => ({ type: 'again', left: event['left'] })),
                  sendTo('child', ({ event }) => ({ type: 'ping', left: event['left'] - 1 })),
                ],
              },
              { actions: [noteOutcome, 'act'] },
            ],
            stop: 'over',
          },
        },
        over: { on: { serve: 'playing' } },
      },
    })
  },
}

const finisher: Sample = {
  name: 'a child that finishes with output',
  events: [{ type: 'add', by: 1 }, { type: 'add', by: 3 }, { type: 'again' }, { type: 'away' }],
  machine: (world) => {
    const sum = setup({ types, actions: { act: world.act('sum') } }).createMachine({
      id: 'sum',
      context: ({ input }) => ({ ...empty, n: Number(input?.['from'] ?? 0) }),
      initial: 'adding',
      states: {
        adding: {
          entry: 'act',
          on: { add: { actions: [assign({ n: ({ context, event }) => context.n + event['by'] }), 'act'] } },
          always: { guard: ({ context }) => context.n >= 5, target: 'enough' },
        },
        enough: { type: 'final', entry: 'act' },
      },
      output: ({ context }) => ({ sum: context.n }),
    })
    return setup({ types, actors: { sum }, actions: { act: world.act('parent') } }).createMachine({
      id: 'finisher',
      context: empty,
      initial: 'working',
      states: {
        working: {
          entry: 'act',
          invoke: {
            id: 'sum',
            src: 'sum',
            input: ({ context }: { context: Context }) => ({ from: context.n % 7 }),
            onDone: {
              target: 'done',
              actions: [
                noteOutcome,
                assign({ n: ({ event }) => (event.output as { sum: number }).sum }),
                'act',
              ],
            },
          },
          on: { add: { actions: forwardTo('sum') }, away: 'idle' },
        },
        idle: { on: { again: 'working' } },
        done: { on: { again: 'working', away: 'over' } },
        over: { type: 'final' },
      },
      output: ({ context }) => context.n,
    })
  },
}

const failing = (caught: boolean): Sample => ({
  name: `a child that fails, ${caught ? 'caught' : 'not caught'} by its parent`,
  events: [{ type: 'ok' }, { type: 'break' }, { type: 'guard' }, { type: 'again' }],
  machine: (world) => {
    const brittle = setup({ types, actions: { act: world.act('brittle') } }).createMachine({
      id: 'brittle',
      context: ({ input }) => {
        if (input?.['n'] === 3) throw new Error('not three')
        return empty
      },
      on: {
        ok: { actions: ['act', count] },
        break: {
          actions: [
            'act',
            assign(() => {
              throw new Error('broken')
            }),
          ],
        },
        guard: {
          guard: () => {
            throw new Error('no guard')
          },
        },
      },
    })
    const forward = { actions: forwardTo('brittle') as never }
    return setup({ types, actors: { brittle }, actions: { act: world.act('parent') } }).createMachine({
      id: 'failing',
      context: empty,
      initial: 'on',
      states: {
        on: {
          entry: [count, 'act'],
          invoke: {
            id: 'brittle',
            src: 'brittle',
            input: ({ context }: { context: Context }) => ({ n: context.n }),
            ...(caught && { onError: { target: 'off', actions: [noteOutcome, 'act'] } }),
          },
          on: { ok: forward, break: forward, guard: forward, again: { target: 'on', reenter: true } },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
})

const threeLevels: Sample = {
  name: 'children of children of children',
  events: [{ type: 'down' }, { type: 'up' }, { type: 'reset' }, { type: 'finish' }],
  machine: (world) => {
    const leaf = setup({ types, actions: { act: world.act('c') } }).createMachine({
      id: 'c',
      context: empty,
      initial: 'on',
      entry: ['act', sendParent({ type: 'born', by: 'c' })],
      exit: 'act',
      states: {
        on: {
          on: {
            down: { actions: [count, 'act', sendParent({ type: 'up' })] },
            finish: 'over',
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context.n,
    })
    const middle = setup({ types, actors: { leaf }, actions: { act: world.act('b') } }).createMachine({
      id: 'b',
      context: empty,
      initial: 'on',
      entry: ['act', sendParent({ type: 'born', by: 'b' })],
      exit: 'act',
      states: {
        on: {
          invoke: { id: 'leaf', src: 'leaf', onDone: { target: 'over', actions: [noteOutcome, 'act'] } },
          on: {
            born: {
              actions: [noteOutcome, sendParent(({ event }) => ({ type: 'born', by: `b/${event['by']}` }))],
            },
            down: { actions: ['act', forwardTo('leaf')] },
            up: { actions: ['act', count, sendParent({ type: 'up' })] },
            finish: { actions: forwardTo('leaf') },
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n }),
    })
    return setup({ types, actors: { middle }, actions: { act: world.act('a') } }).createMachine({
      id: 'a',
      context: empty,
      initial: 'on',
      entry: 'act',
      states: {
        on: {
          invoke: { id: 'middle', src: 'middle', onDone: { target: 'off', actions: [noteOutcome, 'act'] } },
          on: {
            born: { actions: [noteOutcome, 'act'] },
            down: { actions: [sendTo('middle', { type: 'down' }), 'act'] },
            up: { actions: ['act', count] },
            reset: { target: 'on', reenter: true },
            finish: { actions: forwardTo('middle') },
          },
        },
        off: { on: { reset: 'on' } },
      },
    })
  },
}

runsAsInXState([pingPong, finisher, failing(true), failing(false), threeLevels])
