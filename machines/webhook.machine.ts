/** Tells an address over HTTP that a run has ended: armed, sending, tried again ever later, delivered or given up. Opens in Stately's editor as it stands. */
import { assign, enqueueActions, fromCallback, setup } from 'xstate'

export type WebhookInput = {
  readonly webhook_id: string
  readonly run_id: string
  readonly url: string
  readonly at: string
}

export type WebhookContext = WebhookInput & {
  /** What is sent, as it was when the run ended: each attempt sends the same. */
  readonly body: string | null
  /** Since it was fired, or tried again by hand. */
  readonly attempts: number
  readonly last_error: string | null
}

export type WebhookEvent =
  | { readonly type: 'webhook.fired'; readonly body: string; readonly at: string }
  | { readonly type: 'webhook.delivered'; readonly status: number; readonly at: string }
  | { readonly type: 'webhook.failed'; readonly error: string; readonly at: string }
  /** It is time for another attempt. */
  | { readonly type: 'webhook.due' }
  | { readonly type: 'webhook.retried'; readonly by: string; readonly at: string }

const MOST_ATTEMPTS = 8
const FIRST_DELAY_MS = 1_000

export const webhookMachine = setup({
  types: {
    context: {} as WebhookContext,
    events: {} as WebhookEvent,
    input: {} as WebhookInput,
  },
  actors: {
    /** Posts the body, then sends `webhook.delivered` or `webhook.failed`. Provided by the runtime. */
    post: fromCallback<WebhookEvent, { webhook_id: string; url: string; body: string }>(() => {}),
  },
  guards: {
    isSpent: ({ context }) => context.attempts + 1 >= MOST_ATTEMPTS,
  },
  actions: {
    keepBody: assign(({ event }) => (event.type === 'webhook.fired' ? { body: event.body } : {})),
    noteFailure: assign(({ context, event }) =>
      event.type === 'webhook.failed' ? { attempts: context.attempts + 1, last_error: event.error } : {},
    ),
    startOver: assign({ attempts: 0 }),
    /** 1 s, 4 s, 16 s, … about 68 minutes: an hour and a half in all. */
    armRetry: enqueueActions(({ context, enqueue }) => {
      const delay = FIRST_DELAY_MS * 4 ** (context.attempts - 1)
      enqueue.raise({ type: 'webhook.due' }, { id: 'retry', delay })
    }),
  },
}).createMachine({
  id: 'webhook',
  version: '1',
  context: ({ input }) => ({ ...input, body: null, attempts: 0, last_error: null }),
  initial: 'armed',
  states: {
    armed: {
      on: { 'webhook.fired': { target: 'sending', actions: 'keepBody' } },
    },
    sending: {
      invoke: {
        id: 'post',
        src: 'post',
        input: ({ context }) => ({
          webhook_id: context.webhook_id,
          url: context.url,
          body: context.body ?? '',
        }),
      },
      on: {
        'webhook.delivered': 'delivered',
        'webhook.failed': [
          { guard: 'isSpent', target: 'dead', actions: 'noteFailure' },
          { target: 'waiting', actions: 'noteFailure' },
        ],
      },
    },
    waiting: {
      entry: 'armRetry',
      on: { 'webhook.due': 'sending' },
    },
    dead: {
      on: { 'webhook.retried': { target: 'sending', actions: 'startOver' } },
    },
    delivered: { type: 'final' },
  },
})
