/** The machine that is measured: two states, a guard, an assign. */
import { assign, setup } from 'xstate'

export const counterMachine = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'step'; by: number } },
  guards: { forwards: ({ event }) => event.by > 0 },
  actions: { count: assign({ count: ({ context, event }) => context.count + event.by }) },
}).createMachine({
  id: 'counter',
  version: '1',
  context: { count: 0 },
  initial: 'even',
  states: {
    even: { on: { step: { guard: 'forwards', target: 'odd', actions: 'count' } } },
    odd: { on: { step: { guard: 'forwards', target: 'even', actions: 'count' } } },
  },
})
