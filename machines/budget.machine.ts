/** What somebody may spend: reserved before a call, spent, settled after it; a person is asked when it is used up. Opens in Stately's editor as it stands. */
import { assign, setup } from 'xstate'

/** Money in whole micro-dollars, and tokens. */
export type Amount = { readonly micro_usd: number; readonly tokens: number }

export type BudgetScope = 'agent' | 'session' | 'role' | 'tree'

export type BudgetLimit = { readonly micro_usd: number | null; readonly tokens: number | null }

export type BudgetInput = {
  readonly account: string
  readonly scope: BudgetScope
  /** The agent, session, role, or the session or run at the top of the tree. */
  readonly of: string
  /** `null`: not limited. */
  readonly limit: BudgetLimit
  readonly at: string
}

/** What a call has reserved, and what it has said it spent. */
export type Reservation = {
  readonly run_id: string
  readonly estimate: Amount
  readonly actual: Amount
  /** It has said something of what it spent: then that counts, not the estimate. */
  readonly told: boolean
}

export type BudgetContext = BudgetInput & {
  /** What people have added. */
  readonly raised: Amount
  readonly spent: Amount
  readonly reserved: Readonly<Record<string, Reservation>>
  /** The last bookings, so that one that is repeated after a crash counts once. */
  readonly booked: readonly string[]
  readonly warned: boolean
  /** The approval by which a person is asked, or was; `null` if nobody has been. */
  readonly approval_id: string | null
  readonly refusal: string | null
}

export type BudgetEvent =
  | {
      readonly type: 'budget.reserved'
      readonly call_id: string
      readonly run_id: string
      readonly amount: Amount
      readonly at: string
    }
  /** By a call that has reserved, or by anything else. */
  | {
      readonly type: 'budget.spent'
      readonly spend_id: string
      readonly call_id: string | null
      readonly amount: Amount
      readonly at: string
    }
  /** The call has ended: what it said it spent counts, else its estimate. */
  | { readonly type: 'budget.settled'; readonly call_id: string; readonly at: string }
  /** The call did not begin. */
  | { readonly type: 'budget.released'; readonly call_id: string; readonly at: string }
  | { readonly type: 'budget.warned'; readonly at: string }
  | { readonly type: 'budget.asked'; readonly approval_id: string; readonly at: string }
  | {
      readonly type: 'budget.raised'
      readonly approval_id: string | null
      readonly by: string
      readonly amount: Amount
      readonly at: string
    }
  | {
      readonly type: 'budget.refused'
      readonly approval_id: string
      readonly reason: string
      readonly at: string
    }
  /** Nobody has decided, and whoever still needs it asks anew. */
  | { readonly type: 'budget.unasked'; readonly approval_id: string; readonly at: string }
  | { readonly type: 'budget.limited'; readonly limit: BudgetLimit; readonly at: string }

const NOTHING: Amount = { micro_usd: 0, tokens: 0 }

/** A repeated booking follows right behind a crash. */
const BOOKINGS_KEPT = 500

function plus(a: Amount, b: Amount): Amount {
  return { micro_usd: a.micro_usd + b.micro_usd, tokens: a.tokens + b.tokens }
}

/** What a reservation counts for as long as it is open: a call that died may have spent all of it. */
function weightOf({ estimate, actual }: Reservation): Amount {
  return {
    micro_usd: Math.max(estimate.micro_usd, actual.micro_usd),
    tokens: Math.max(estimate.tokens, actual.tokens),
  }
}

/** Spent and reserved together. */
export function usedOf(context: Pick<BudgetContext, 'spent' | 'reserved'>): Amount {
  return Object.values(context.reserved).map(weightOf).reduce(plus, context.spent)
}

/** The limit with what people have added; `null` where there is none. */
export function limitOf({ limit, raised }: Pick<BudgetContext, 'limit' | 'raised'>): BudgetLimit {
  return {
    micro_usd: limit.micro_usd === null ? null : limit.micro_usd + raised.micro_usd,
    tokens: limit.tokens === null ? null : limit.tokens + raised.tokens,
  }
}

/** Whether this much more stays within the limit. */
export function fits(context: BudgetContext, amount: Amount): boolean {
  const used = usedOf(context)
  const limit = limitOf(context)
  const hasRoom = (key: keyof Amount): boolean => {
    const most = limit[key]
    if (most === null) return true
    // When all of it is used, even what is said to cost nothing has to wait.
    return amount[key] === 0 ? used[key] < most || most === 0 : used[key] + amount[key] <= most
  }
  return hasRoom('micro_usd') && hasRoom('tokens')
}

/** Four fifths of the money or of the tokens are used. */
export function isNearlyUsed(context: BudgetContext): boolean {
  const used = usedOf(context)
  const limit = limitOf(context)
  const near = (key: keyof Amount): boolean => limit[key] !== null && used[key] * 5 >= limit[key] * 4
  return near('micro_usd') || near('tokens')
}

function without(reserved: BudgetContext['reserved'], callId: string): Readonly<Record<string, Reservation>> {
  return Object.fromEntries(Object.entries(reserved).filter(([id]) => id !== callId))
}

function book(context: BudgetContext, event: BudgetEvent & { type: 'budget.spent' }): Partial<BudgetContext> {
  const booked = [...context.booked, event.spend_id].slice(-BOOKINGS_KEPT)
  const { call_id, amount } = event
  const open = call_id === null ? undefined : context.reserved[call_id]
  if (call_id === null || open === undefined) return { booked, spent: plus(context.spent, amount) }
  const more = { ...open, actual: plus(open.actual, amount), told: true }
  return { booked, reserved: { ...context.reserved, [call_id]: more } }
}

export const budgetMachine = setup({
  types: {
    context: {} as BudgetContext,
    events: {} as BudgetEvent,
    input: {} as BudgetInput,
  },
  guards: {
    hasRoom: ({ context, event }) =>
      event.type === 'budget.reserved' &&
      context.reserved[event.call_id] === undefined &&
      fits(context, event.amount),
    isNew: ({ context, event }) => event.type === 'budget.spent' && !context.booked.includes(event.spend_id),
    isOpen: ({ context, event }) =>
      'call_id' in event && event.call_id !== null && context.reserved[event.call_id] !== undefined,
    unwarned: ({ context }) => !context.warned,
    /** An answer that comes again must not add twice. */
    isByHand: ({ event }) => event.type === 'budget.raised' && event.approval_id === null,
    /** The answer to the question that is open, and not to an older one. */
    isAnswer: ({ context, event }) => 'approval_id' in event && event.approval_id === context.approval_id,
  },
  actions: {
    reserve: assign(({ context, event }) => {
      if (event.type !== 'budget.reserved') return {}
      const { call_id, run_id, amount } = event
      const entry: Reservation = { run_id, estimate: amount, actual: NOTHING, told: false }
      return { reserved: { ...context.reserved, [call_id]: entry } }
    }),
    book: assign(({ context, event }) => (event.type === 'budget.spent' ? book(context, event) : {})),
    settle: assign(({ context, event }) => {
      if (event.type !== 'budget.settled') return {}
      const open = context.reserved[event.call_id]
      if (open === undefined) return {}
      return {
        reserved: without(context.reserved, event.call_id),
        spent: plus(context.spent, open.told ? open.actual : open.estimate),
      }
    }),
    release: assign(({ context, event }) =>
      event.type === 'budget.released' ? { reserved: without(context.reserved, event.call_id) } : {},
    ),
    noteWarning: assign({ warned: true }),
    noteQuestion: assign(({ event }) =>
      event.type === 'budget.asked' ? { approval_id: event.approval_id, refusal: null } : {},
    ),
    raise: assign(({ context, event }) =>
      event.type === 'budget.raised'
        ? { raised: plus(context.raised, event.amount), warned: false, approval_id: null, refusal: null }
        : {},
    ),
    noteRefusal: assign(({ event }) => (event.type === 'budget.refused' ? { refusal: event.reason } : {})),
    forgetQuestion: assign({ approval_id: null }),
    setLimit: assign(({ event }) =>
      event.type === 'budget.limited' ? { limit: event.limit, warned: false } : {},
    ),
  },
}).createMachine({
  id: 'budget',
  version: '1',
  context: ({ input }) => ({
    ...input,
    raised: NOTHING,
    spent: NOTHING,
    reserved: {},
    booked: [],
    warned: false,
    approval_id: null,
    refusal: null,
  }),
  initial: 'open',
  on: {
    'budget.reserved': { guard: 'hasRoom', actions: 'reserve' },
    'budget.spent': { guard: 'isNew', actions: 'book' },
    'budget.settled': { guard: 'isOpen', actions: 'settle' },
    'budget.released': { guard: 'isOpen', actions: 'release' },
    'budget.warned': { guard: 'unwarned', actions: 'noteWarning' },
  },
  states: {
    open: {
      on: {
        'budget.asked': { target: 'asking', actions: 'noteQuestion' },
        'budget.raised': { guard: 'isByHand', actions: 'raise' },
        'budget.limited': { actions: 'setLimit' },
      },
    },
    asking: {
      on: {
        'budget.raised': { guard: 'isAnswer', target: 'open', actions: 'raise' },
        'budget.refused': { guard: 'isAnswer', target: 'refused', actions: 'noteRefusal' },
        'budget.unasked': { guard: 'isAnswer', target: 'open', actions: 'forgetQuestion' },
        'budget.limited': { actions: 'setLimit' },
      },
    },
    refused: {
      on: {
        // A person has thought better of it.
        'budget.raised': { guard: 'isByHand', target: 'open', actions: 'raise' },
        'budget.limited': { target: 'open', actions: 'setLimit' },
      },
    },
  },
})
