/** Differential: transition functions, watched children, system ids, leaves below, run as in XState. */
import {
  assign,
  forwardTo,
  sendTo,
  setup,
  spawnChild,
  fromTransition,
  sendParent,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, noteOutcome, types, type Context, type Sample } from './sample.ts'

const transitions: Sample = {
  name: 'a transition function as a child',
  events: [
    { type: 'add', by: 2 },
    { type: 'add', by: 0 },
    { type: 'fail' },
    { type: 'again' },
    { type: 'tell' },
  ],
  machine: (world) => {
    const tally = fromTransition(
      (state: { n: number }, event: AnyEventObject) => {
        if (event.type === 'fail') throw new Error('no tally')
        return event.type === 'add' && event['by'] > 0 ? { n: state.n + event['by'] } : state
      },
      ({ input }: { input: { from: number } }) => ({ n: input.from }),
    )
    const forward = { actions: forwardTo('tally') as never }
    return setup({ types, actors: { tally }, actions: { act: world.act('parent') } }).createMachine({
      id: 'transitions',
      context: empty,
      initial: 'on',
      states: {
        on: {
          invoke: {
            id: 'tally',
            src: 'tally',
            input: ({ context }: { context: Context }) => ({ from: context.n }),
            onError: { target: 'off', actions: [noteOutcome, count] },
          },
          on: { add: forward, fail: forward, tell: forward, again: { target: 'on', reenter: true } },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
}

const watched: Sample = {
  name: 'a child whose snapshots its parent hears',
  events: [{ type: 'add', by: 1 }, { type: 'add', by: 2 }, { type: 'nothing' }, { type: 'again' }],
  machine: (world) => {
    const child = setup({ types, actions: { act: world.act('child') } }).createMachine({
      id: 'child',
      context: empty,
      initial: 'low',
      states: {
        low: { always: { guard: ({ context }) => context.n > 2, target: 'high' } },
        high: { always: { guard: ({ context }) => context.n > 5, target: 'over' } },
        over: { type: 'final' },
      },
      on: { add: { actions: [assign({ n: ({ context, event }) => context.n + event['by'] }), 'act'] } },
    })
    return setup({ types, actors: { child }, actions: { act: world.act('parent') } }).createMachine({
      id: 'watched',
      context: { ...empty, shown: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            id: 'child',
            src: 'child',
            onSnapshot: {
              actions: [
                assign({
                  shown: ({ context, event }) => [
                    ...(context['shown'] as unknown[]).slice(-10),
                    [event.snapshot.value, event.snapshot.context.n, event.snapshot.status],
                  ],
                }),
                'act',
              ],
            },
            onDone: 'off',
          },
          on: {
            add: { actions: forwardTo('child') },
            nothing: { actions: forwardTo('child') },
            again: { target: 'on', reenter: true },
          },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
}

const bySystemId: Sample = {
  name: 'siblings that find each other by systemId, and timers of children',
  events: [{ type: 'ask' }, { type: 'later' }, { type: 'stop' }, { type: 'start' }, { type: 'drop' }],
  machine: (world) => {
    const logger = setup({ types, actions: { act: world.act('logger') } }).createMachine({
      id: 'logger',
      context: empty,
      on: { log: { actions: [noteOutcome, 'act'] } },
      initial: 'a',
      states: {
        a: { after: { 30: 'b' } },
        b: { entry: 'act', after: { 20: { target: 'a', actions: sendParent({ type: 'turned' }) } } },
      },
    })
    const asker = setup({ types, actions: { act: world.act('asker') } }).createMachine({
      id: 'asker',
      context: empty,
      on: {
        ask: {
          guard: ({ event }) => event['there'] === true,
          actions: [
            sendTo(
              ({ system }) => system.get('logger') as AnyActorRef,
              ({ context }) => ({ type: 'log', value: context.n }),
            ),
            count,
          ],
        },
        later: { actions: sendParent({ type: 'came.late', value: 1 }, { delay: 40, id: 'late' }) },
        drop: { actions: ({ system }) => void system.get('logger') },
      },
    })
    return setup({ types, actors: { logger, asker }, actions: { act: world.act('parent') } }).createMachine({
      id: 'by-system-id',
      context: empty,
      initial: 'on',
      entry: spawnChild('asker', { id: 'asker' }),
      on: {
        'came.late': { actions: [noteOutcome, 'act'] },
        turned: { actions: [count, 'act'] },
        later: { actions: forwardTo('asker') },
      },
      states: {
        on: {
          invoke: { id: 'logger', src: 'logger', systemId: 'logger' },
          on: { ask: { actions: sendTo('asker', { type: 'ask', there: true }) }, stop: 'off' },
        },
        off: { on: { ask: { actions: sendTo('asker', { type: 'ask', there: false }) }, start: 'on' } },
      },
    })
  },
}

const leafBelow: Sample = {
  name: 'a child with leaves of its own',
  events: [{ type: 'go' }, { type: 'abort' }, { type: 'poke' }],
  leaves: ['work', 'line'],
  machine: (world) => {
    const job = setup({
      types,
      actors: { work: world.promise('work'), line: world.callback('line') },
      actions: { act: world.act('job') },
    }).createMachine({
      id: 'job',
      context: empty,
      invoke: { id: 'line', src: 'line' },
      on: {
        poke: { actions: sendTo('line', { type: 'poke' }) },
        'child.*': { actions: [noteOutcome, 'act', sendParent({ type: 'progress' })] },
      },
      initial: 'working',
      states: {
        working: {
          invoke: { id: 'work', src: 'work', onDone: { target: 'over', actions: noteOutcome } },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context.seen.length,
    })
    return setup({ types, actors: { job }, actions: { act: world.act('parent') } }).createMachine({
      id: 'leaf-below',
      context: empty,
      initial: 'idle',
      on: { progress: { actions: [count, 'act'] } },
      states: {
        idle: { on: { go: 'busy' } },
        busy: {
          invoke: {
            id: 'job',
            src: 'job',
            onDone: { target: 'idle', actions: noteOutcome },
            onError: { target: 'idle', actions: noteOutcome },
          },
          on: { abort: 'idle', poke: { actions: forwardTo('job') } },
        },
      },
    })
  },
}

runsAsInXState([transitions, watched, bySystemId, leafBelow])
