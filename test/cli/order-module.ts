/** The story's machine as a module that is given to `--machines`: plain JavaScript, as a build would make it. */
export const ORDER_MODULE = `import { assign, sendTo, setup } from 'xstate'

export const machines = [
  setup({
    guards: { inStock: ({ context }) => context.items.every(({ count }) => count < 10) },
    actions: {
      addItem: assign({ items: ({ context, event }) => [...context.items, { sku: event.sku, count: event.count }] }),
      notePayment: assign({ paid: ({ event }) => event.amount }),
      greetThem: sendTo(({ event }) => event.whom, { type: 'lost' }),
    },
    delays: { untilForgotten: 3 * 24 * 60 * 60 * 1000 },
  }).createMachine({
    id: 'order',
    version: '3',
    context: { items: [], paid: 0, api_key: 'sk-not-for-everybody-0001', parcel: null },
    initial: 'open',
    on: { greet: { actions: 'greetThem' } },
    states: {
      open: {
        on: { add: { actions: 'addItem' }, pay: { target: 'paid', actions: 'notePayment' } },
        after: { untilForgotten: 'forgotten' },
      },
      paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } },
      shipped: { type: 'final' },
      forgotten: { type: 'final' },
    },
  }),
]
`
