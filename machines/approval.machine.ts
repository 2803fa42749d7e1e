/** A person's decision on one wish: requested, granted, reserved by the call that uses it, consumed; or denied, expired, withdrawn. Opens in Stately's editor as it stands. */
import { assign, cancel, enqueueActions, setup } from 'xstate'
import { verdictOf, type Testimony } from './testimony.ts'

export type ApprovalInput = {
  readonly approval_id: string
  /** What is to be allowed: one call of a tool, a higher limit of a budget, or what a handler asks in its own words. */
  readonly subject: 'tool' | 'budget' | 'question'
  /** Digest of the tool, its parameters and the session: the grant is good for exactly that. */
  readonly fingerprint: string
  readonly tool: string
  readonly capabilities: readonly string[]
  readonly parameters: unknown
  readonly call_id: string
  readonly run_id: string
  readonly session_id: string
  readonly agent_role: string
  readonly project: string
  /** USD; `null` if nothing could estimate it. */
  readonly estimated_cost: number | null
  /** The hook that wants a person to decide, and what it said. */
  readonly asked_by: string
  readonly reason: string
  readonly alternatives: readonly string[]
  /** How long it is open, for a decision and for the use of a grant. */
  readonly ttl_ms: number
  readonly expires_at: string
  readonly at: string
}

export type ApprovalContext = ApprovalInput & {
  /** Who decided, when, and what they said; `null` while nobody has. */
  readonly decided_by: string | null
  readonly decided_at: string | null
  readonly note: string | null
  /** What was granted beyond a yes, such as the amount of a raise. */
  readonly terms: unknown
  /** The call that uses it, or used it. */
  readonly reserved_by: string | null
  /** How often it was given back unused. */
  readonly released: number
  /** Why it ended without being used; `null` unless it did. */
  readonly end_reason: string | null
}

export type ApprovalEvent =
  | {
      readonly type: 'approval.granted'
      readonly by: string
      readonly note?: string
      readonly terms?: unknown
      /** What the hooks of `approval:grant` said of this person's granting it. */
      readonly testimony: readonly Testimony[]
      readonly at: string
    }
  | { readonly type: 'approval.denied'; readonly by: string; readonly reason: string; readonly at: string }
  /** Nothing has happened yet, and nothing but this call may use it now. */
  | {
      readonly type: 'approval.reserved'
      readonly call_id: string
      readonly fingerprint: string
      readonly at: string
    }
  /** The call did not begin: the grant is there again. */
  | { readonly type: 'approval.released'; readonly reason: string; readonly at: string }
  | { readonly type: 'approval.consumed'; readonly at: string }
  /** The call was begun, and its outcome is not known. */
  | { readonly type: 'approval.doubted'; readonly at: string }
  | { readonly type: 'approval.withdrawn'; readonly reason: string; readonly at: string }
  /** Its time is up. */
  | { readonly type: 'approval.due' }

export const approvalMachine = setup({
  types: {
    context: {} as ApprovalContext,
    events: {} as ApprovalEvent,
    input: {} as ApprovalInput,
  },
  guards: {
    mayGrant: ({ event }) =>
      event.type === 'approval.granted' && verdictOf(event.testimony, { stopping: false }).allowed,
    /** For the same tool, parameters and session, and in time. */
    isForThis: ({ context, event }) =>
      event.type === 'approval.reserved' &&
      event.fingerprint === context.fingerprint &&
      event.at <= context.expires_at,
    /** The call that had begun under it may be taken up again. */
    isSameCall: ({ context, event }) =>
      event.type === 'approval.reserved' && event.call_id === context.reserved_by,
    isLate: ({ context, event }) => 'at' in event && event.at > context.expires_at,
  },
  actions: {
    armExpiry: enqueueActions(({ context, enqueue }) => {
      enqueue.raise({ type: 'approval.due' }, { id: 'expiry', delay: context.ttl_ms })
    }),
    disarmExpiry: cancel('expiry'),
    noteDecision: assign(({ event }) => {
      if (event.type === 'approval.granted') {
        const { by, at, note = null, terms = null } = event
        return { decided_by: by, decided_at: at, note, terms }
      }
      if (event.type === 'approval.denied')
        return { decided_by: event.by, decided_at: event.at, note: event.reason }
      return {}
    }),
    noteReservation: assign(({ event }) =>
      event.type === 'approval.reserved' ? { reserved_by: event.call_id } : {},
    ),
    noteRelease: assign(({ context }) => ({ reserved_by: null, released: context.released + 1 })),
    noteExpiry: assign({ end_reason: 'its time was up' }),
    noteWithdrawal: assign(({ event }) =>
      event.type === 'approval.withdrawn' ? { end_reason: event.reason } : {},
    ),
  },
}).createMachine({
  id: 'approval',
  version: '1',
  context: ({ input }) => ({
    ...input,
    decided_by: null,
    decided_at: null,
    note: null,
    terms: null,
    reserved_by: null,
    released: 0,
    end_reason: null,
  }),
  entry: 'armExpiry',
  initial: 'requested',
  states: {
    requested: {
      on: {
        'approval.granted': { guard: 'mayGrant', target: 'granted', actions: 'noteDecision' },
        'approval.denied': { target: 'denied', actions: 'noteDecision' },
        'approval.withdrawn': { target: 'withdrawn', actions: 'noteWithdrawal' },
        'approval.due': { target: 'expired', actions: 'noteExpiry' },
      },
    },
    granted: {
      on: {
        'approval.reserved': { guard: 'isForThis', target: 'reserved', actions: 'noteReservation' },
        'approval.withdrawn': { target: 'withdrawn', actions: 'noteWithdrawal' },
        'approval.due': { target: 'expired', actions: 'noteExpiry' },
      },
    },
    reserved: {
      on: {
        'approval.consumed': 'consumed',
        'approval.doubted': 'in_doubt',
        'approval.released': [
          { guard: 'isLate', target: 'expired', actions: ['noteRelease', 'noteExpiry'] },
          { target: 'granted', actions: 'noteRelease' },
        ],
        // Its use has begun: that is not undone by the time.
        'approval.due': {},
      },
    },
    in_doubt: {
      on: {
        'approval.reserved': { guard: 'isSameCall', target: 'reserved' },
        'approval.consumed': 'consumed',
        'approval.released': [
          { guard: 'isLate', target: 'expired', actions: ['noteRelease', 'noteExpiry'] },
          { target: 'granted', actions: 'noteRelease' },
        ],
        'approval.due': {},
      },
    },
    consumed: { type: 'final', entry: 'disarmExpiry' },
    denied: { type: 'final', entry: 'disarmExpiry' },
    expired: { type: 'final', entry: 'disarmExpiry' },
    withdrawn: { type: 'final', entry: 'disarmExpiry' },
  },
})
