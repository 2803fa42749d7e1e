/** Differential: delays, cancellation and events to oneself run as in XState. */
import { assign, cancel, emit, raise, sendTo, setup } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, types, type Sample } from './sample.ts'

const timers: Sample = {
  name: 'after, delayed events, and their cancellation',
  events: [
    { type: 'start' },
    { type: 'poke' },
    { type: 'twice' },
    { type: 'cancel' },
    { type: 'slow', ms: 40 },
    { type: 'self' },
    { type: 'stop' },
  ],
  machine: () =>
    setup({
      types,
      delays: { soon: 20, grown: ({ context }) => 10 + context.n * 10 },
      guards: { few: ({ context }) => context.n < 3 },
    }).createMachine({
      id: 'timers',
      context: empty,
      initial: 'idle',
      on: {
        rung: { actions: [noteEvent, emit({ type: 'rang' })] },
        cancel: { actions: [cancel('bell'), note('cancel')] },
        self: {
          actions: sendTo(({ self }) => self, { type: 'rung', by: 'self' }, { delay: 20, id: 'bell' }),
        },
      },
      states: {
        idle: {
          on: {
            start: 'waiting',
            twice: {
              actions: [
                raise({ type: 'rung', by: 1 }, { id: 'bell', delay: 30 }),
                raise({ type: 'rung', by: 2 }, { id: 'bell', delay: 10 }),
              ],
            },
            slow: {
              actions: raise(({ event }) => ({ type: 'rung', of: event['ms'] }), {
                delay: ({ event }) => event['ms'],
              }),
            },
          },
        },
        waiting: {
          entry: count,
          after: {
            soon: { guard: 'few', target: 'waiting', reenter: true, actions: note('soon') },
            50: [
              { guard: ({ context }) => context.n > 100, target: 'idle' },
              { target: 'late', actions: note('fifty') },
            ],
            grown: { actions: note('grown') },
          },
          on: { poke: { target: 'waiting', reenter: true }, stop: 'idle' },
        },
        late: { after: { 10: 'idle' }, entry: assign({ n: 0 }) },
      },
    }),
}

const selfSender: Sample = {
  name: 'a machine that sends to itself',
  events: [{ type: 'burst', n: 2 }, { type: 'burst', n: 5 }, { type: 'end' }, { type: 'mixed' }],
  machine: (world) =>
    setup({ types, actions: { act: world.act('act') } }).createMachine({
      id: 'self',
      context: empty,
      initial: 'on',
      states: {
        on: {
          on: {
            burst: {
              guard: ({ event }) => event['n'] > 0,
              actions: [
                noteEvent,
                'act',
                sendTo(
                  ({ self }) => self,
                  ({ event }) => ({ type: 'burst', n: event['n'] - 1 }),
                ),
                sendTo(({ self }) => self, { type: 'echo' }),
              ],
            },
            echo: { actions: [count, 'act', emit({ type: 'echoed' })] },
            mixed: {
              actions: [sendTo(({ self }) => self, { type: 'echo' }), raise({ type: 'echo' }), note('mixed')],
            },
            end: {
              target: 'off',
              actions: [sendTo(({ self }) => self, { type: 'echo' }), emit({ type: 'ended' })],
            },
          },
        },
        off: { type: 'final' },
      },
    }),
}

runsAsInXState([timers, selfSender])
