/** One support ticket: open until both agents have worked on it, then ready for a person, who closes it. */
import { and, assign, setup } from 'xstate'

type TicketContext = {
  readonly text: string
  readonly urgency: 'low' | 'high' | null
  readonly draft: string | null
}

export type TicketEvent =
  | { type: 'triaged'; urgency: 'low' | 'high' }
  | { type: 'drafted'; draft: string }
  | { type: 'close' }

export const ticketMachine = setup({
  types: { context: {} as TicketContext, events: {} as TicketEvent, input: {} as { text: string } },
  guards: {
    isTriaged: ({ context }) => context.urgency !== null,
    isDrafted: ({ context }) => context.draft !== null,
  },
  actions: {
    keepUrgency: assign({
      urgency: ({ context, event }) => (event.type === 'triaged' ? event.urgency : context.urgency),
    }),
    keepDraft: assign({
      draft: ({ context, event }) => (event.type === 'drafted' ? event.draft : context.draft),
    }),
  },
}).createMachine({
  id: 'ticket',
  context: ({ input }) => ({ text: input.text, urgency: null, draft: null }),
  initial: 'open',
  states: {
    open: {
      on: { triaged: { actions: 'keepUrgency' }, drafted: { actions: 'keepDraft' } },
      always: { guard: and(['isTriaged', 'isDrafted']), target: 'ready' },
    },
    ready: { on: { close: 'closed' } },
    closed: { type: 'final' },
  },
})
