/** Differential: machines as they are in use run as in XState. */
import { assign, createMachine, emit, setup } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { empty, types, type Context, type Sample } from './sample.ts'

const checkout: Sample = {
  name: 'a checkout',
  events: [
    { type: 'item.add', price: 5 },
    { type: 'item.remove' },
    { type: 'checkout' },
    { type: 'address', to: 'x' },
    { type: 'pay' },
    { type: 'back' },
  ],
  leaves: ['charge'],
  machine: (world) =>
    setup({
      types,
      actors: { charge: world.promise('charge') },
      guards: {
        something: ({ context }) => context.n > 0,
        addressed: ({ context }) => context['to'] !== undefined,
      },
      delays: { patience: 80 },
    }).createMachine({
      id: 'checkout',
      context: empty,
      initial: 'shopping',
      states: {
        shopping: {
          on: {
            'item.add': { actions: assign({ n: ({ context, event }) => context.n + event['price'] }) },
            'item.remove': { guard: 'something', actions: assign({ n: ({ context }) => context.n - 5 }) },
            checkout: { guard: 'something', target: 'paying.was' },
          },
        },
        paying: {
          initial: 'address',
          on: { back: 'shopping' },
          states: {
            address: {
              on: { address: { target: 'confirm', actions: assign({ to: ({ event }) => event['to'] }) } },
            },
            confirm: { on: { pay: { guard: 'addressed', target: 'charging' } } },
            charging: {
              tags: ['busy'],
              invoke: {
                id: 'charge',
                src: 'charge',
                input: ({ context }: { context: Context }) => ({ name: 'charge', amount: context.n }),
                onDone: {
                  target: '#checkout.paid',
                  actions: assign({ receipt: ({ event }) => event.output }),
                },
                onError: 'confirm',
              },
              after: { patience: { target: 'confirm', actions: emit({ type: 'too.slow' }) } },
            },
            was: { type: 'history', history: 'deep' },
          },
        },
        paid: { type: 'final' },
      },
      output: ({ context }) => ({ receipt: context['receipt'], n: context.n }),
    }),
}

const light: Sample = {
  name: 'a traffic light with a pedestrian',
  events: [{ type: 'press' }, { type: 'break' }, { type: 'repair' }],
  machine: () =>
    createMachine({
      id: 'light',
      initial: 'working',
      states: {
        working: {
          initial: 'green',
          on: { break: 'broken' },
          states: {
            green: { on: { press: 'yellow' }, after: { 60: 'yellow' } },
            yellow: { after: { 20: 'red' } },
            red: {
              initial: 'wait',
              after: { 50: 'green' },
              states: {
                wait: { after: { 10: 'walk' } },
                walk: { after: { 20: 'stop' }, tags: ['walk'] },
                stop: {},
              },
            },
          },
        },
        broken: {
          type: 'parallel',
          states: {
            lamp: { initial: 'on', states: { on: { after: { 10: 'off' } }, off: { after: { 10: 'on' } } } },
            box: {
              initial: 'shut',
              states: { shut: { on: { press: 'open' } }, open: { on: { repair: '#light.working' } } },
            },
          },
        },
      },
    }),
}

runsAsInXState([checkout, light])
