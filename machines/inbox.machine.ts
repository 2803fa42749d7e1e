/** What has come for a session and nobody has acknowledged: the ends of the runs that it started. Opens in Stately's editor as it stands. */
import { assign, setup } from 'xstate'
import type { AgentOutcome } from './agent.machine.ts'

/** The end of a run, for whoever started it. */
export type InboxMessage = {
  /** That of the run: a run ends once. */
  readonly message_id: string
  readonly run_id: string
  readonly agent_id: string
  readonly outcome: AgentOutcome
  readonly ended_at: string
}

export type InboxInput = { readonly session_id: string; readonly at: string }

export type InboxContext = InboxInput & {
  /** Oldest first. */
  readonly messages: readonly InboxMessage[]
  /** Every message that ever came, so that one that is delivered again is no second one. */
  readonly seen: readonly string[]
}

export type InboxEvent =
  | { readonly type: 'inbox.delivered'; readonly message: InboxMessage; readonly at: string }
  | { readonly type: 'inbox.acked'; readonly message_id: string; readonly at: string }

export const inboxMachine = setup({
  types: {
    context: {} as InboxContext,
    events: {} as InboxEvent,
    input: {} as InboxInput,
  },
  guards: {
    isNew: ({ context, event }) =>
      event.type === 'inbox.delivered' && !context.seen.includes(event.message.message_id),
    isThere: ({ context, event }) =>
      event.type === 'inbox.acked' &&
      context.messages.some(({ message_id }) => message_id === event.message_id),
  },
  actions: {
    keep: assign(({ context, event }) =>
      event.type === 'inbox.delivered'
        ? {
            messages: [...context.messages, event.message],
            seen: [...context.seen, event.message.message_id],
          }
        : {},
    ),
    drop: assign(({ context, event }) =>
      event.type === 'inbox.acked'
        ? { messages: context.messages.filter(({ message_id }) => message_id !== event.message_id) }
        : {},
    ),
  },
}).createMachine({
  id: 'inbox',
  version: '1',
  context: ({ input }) => ({ ...input, messages: [], seen: [] }),
  initial: 'open',
  states: {
    open: {
      on: {
        'inbox.delivered': { guard: 'isNew', actions: 'keep' },
        'inbox.acked': { guard: 'isThere', actions: 'drop' },
      },
    },
  },
})
