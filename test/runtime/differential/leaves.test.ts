/** Differential: promises, callbacks and observables, invoked and spawned, run as in XState. */
import { assign, emit, forwardTo, sendTo, setup, spawnChild, stopChild } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, types, type Context, type Sample } from './sample.ts'

const promises: Sample = {
  name: 'an invoked promise: done, failed, tried again, left behind',
  events: [{ type: 'load' }, { type: 'retry' }, { type: 'abandon' }, { type: 'again' }],
  leaves: ['fetch'],
  machine: (world) =>
    setup({
      types,
      actors: { fetch: world.promise('fetch') },
      actions: { act: world.act('act') },
    }).createMachine({
      id: 'promises',
      context: empty,
      initial: 'idle',
      states: {
        idle: { on: { load: 'loading' } },
        loading: {
          tags: 'busy',
          entry: 'act',
          invoke: {
            id: 'fetch',
            src: 'fetch',
            onDone: [
              {
                guard: ({ event }) => event.output === 0,
                target: 'loading',
                reenter: true,
                actions: note('nothing yet'),
              },
              {
                target: 'loaded',
                actions: assign({ got: ({ event }) => event.output, n: ({ context }) => context.n + 1 }),
              },
            ],
            onError: {
              target: 'failed',
              actions: assign({ why: ({ event }) => (event.error as Error).message }),
            },
          },
          on: { abandon: 'idle', again: { target: 'loading', reenter: true } },
        },
        loaded: { type: 'final', entry: emit({ type: 'loaded' }) },
        failed: { on: { retry: 'loading' } },
      },
      output: ({ context }) => ({ got: context['got'], n: context.n }),
    }),
}

const callbacks: Sample = {
  name: 'an invoked callback that is sent to and sends back',
  events: [
    { type: 'open' },
    { type: 'tell', what: 1 },
    { type: 'close' },
    { type: 'reopen' },
    { type: 'forward' },
  ],
  leaves: ['socket'],
  machine: (world) =>
    setup({ types, actors: { socket: world.callback('socket') } }).createMachine({
      id: 'callbacks',
      context: empty,
      initial: 'closed',
      on: { 'child.heard': { actions: noteEvent } },
      states: {
        closed: { on: { open: 'open' } },
        open: {
          entry: sendTo('socket', { type: 'hello' }),
          exit: sendTo('socket', { type: 'bye' }),
          invoke: {
            id: 'socket',
            src: 'socket',
            input: ({ context }: { context: Context }) => ({ name: 'socket', at: context.n }),
          },
          on: {
            tell: { actions: sendTo('socket', ({ event }) => ({ type: 'told', what: event['what'] })) },
            forward: { actions: forwardTo('socket') },
            'child.said': { actions: [count, noteEvent] },
            'child.complained': { target: 'closed', actions: noteEvent },
            close: 'closed',
            reopen: { target: 'open', reenter: true },
          },
        },
      },
    }),
}

const observables: Sample = {
  name: 'invoked observables whose values are seen',
  events: [{ type: 'watch' }, { type: 'unwatch' }, { type: 'other' }],
  leaves: ['ticks', 'news'],
  machine: (world) =>
    setup({
      types,
      actors: { ticks: world.observable('ticks'), news: world.eventObservable('news') },
    }).createMachine({
      id: 'observables',
      context: empty,
      initial: 'off',
      states: {
        off: { on: { watch: 'on' } },
        on: {
          invoke: [
            {
              id: 'ticks',
              src: 'ticks',
              onSnapshot: {
                actions: assign({
                  tick: ({ event }) => (event.snapshot as unknown as { context: unknown }).context ?? null,
                }),
              },
              onDone: { actions: note('no more ticks') },
              onError: {
                target: 'off',
                actions: assign({ why: ({ event }) => (event.error as Error).message }),
              },
            },
            { id: 'news', src: 'news', onDone: 'off' },
          ],
          on: { 'child.said': { actions: noteEvent }, unwatch: 'off' },
        },
      },
    }),
}

const spawner: Sample = {
  name: 'spawned children, in assign and as actions, found by their system id',
  events: [
    { type: 'hire' },
    { type: 'hire2' },
    { type: 'fire' },
    { type: 'fire2' },
    { type: 'ask' },
    { type: 'ask2' },
    { type: 'end' },
  ],
  leaves: ['one', 'two'],
  machine: (world) =>
    setup({ types, actors: { worker: world.callback('worker'), job: world.promise('job') } }).createMachine({
      id: 'spawner',
      context: empty,
      initial: 'open',
      states: {
        open: {
          on: {
            hire: {
              guard: ({ context }) => context['hired'] !== true,
              actions: assign({
                hired: true,
                n: ({ context, spawn }) => {
                  spawn('worker', { id: 'one', systemId: 'boss', input: { name: 'one' } })
                  return context.n + 1
                },
              }),
            },
            fire: { actions: [stopChild('one'), assign({ hired: false })] },
            hire2: {
              guard: ({ context }) => context['hired2'] !== true,
              actions: [spawnChild('job', { id: 'two', input: { name: 'two' } }), assign({ hired2: true })],
            },
            fire2: { actions: [stopChild('two'), assign({ hired2: false })] },
            ask: {
              guard: ({ context }) => context['hired'] === true,
              actions: sendTo(({ system }) => system.get('boss'), { type: 'question' }),
            },
            ask2: {
              guard: ({ context }) => context['hired'] === true,
              actions: sendTo('one', { type: 'late' }, { delay: 20 }),
            },
            end: 'closed',
            'child.*': { actions: noteEvent },
            'xstate.done.actor.two': { actions: note('two is done') },
            'xstate.error.actor.two': { actions: note('two has failed') },
          },
        },
        closed: { type: 'final' },
      },
    }),
}

runsAsInXState([promises, callbacks, observables, spawner])
