/**
 * What was worked, spent and ended, by session: a projection folded from the log, on which every report is reckoned.
 *
 * Owns: one entry per session or run.
 * Never: reads a clock; what is open is measured by who asks.
 *
 * I1. The same events give the same ledger, in one pass or in many.
 * I2. One booking (`spend_id`) counts once.
 * I3. The lines of a session cover its time and its spending once, without a gap between them.
 */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { unopenedIn } from '../../eventstore/sealing/sealed-value.ts'
import type { Role, SessionKind } from '../../machines/session-record.ts'

/** Time at work, in ms since the epoch; `to` is `null` while it goes on. */
export type Interval = { readonly from: number; readonly to: number | null }

export type EndReason = 'completed' | 'interrupted' | 'exit'

/** One end of a session, and what lies between the end before it and this one. */
export type SessionEnd = {
  /** The event that ended it. */
  readonly event_id: string
  readonly position: number
  readonly session_id: string
  readonly role: Role
  readonly project: string
  readonly start_time: string
  readonly end_time: string
  /** Time at work since the end before; pauses are left out. */
  readonly duration_ms: number
  /** Time at work until the end before. */
  readonly before_ms: number
  readonly tokens_used: number
  readonly cost_micro_usd: number
  readonly reason: EndReason
}

export type LedgerEntry = {
  readonly session_id: string
  readonly kind: SessionKind
  readonly role: Role
  readonly project: string
  readonly parent_id: string | null
  readonly intervals: readonly Interval[]
  readonly tokens_used: number
  readonly cost_micro_usd: number
}

type Account = {
  -readonly [key in keyof LedgerEntry]: key extends 'intervals' ? Interval[] : LedgerEntry[key]
} & {
  /** The session that a run works for: its time is that one's, and so is what it spends. */
  readonly works_for: string | null
  readonly booked: Set<string>
  atWork: boolean
  /** Up to where its lines have counted. */
  counted: { ms: number; tokens: number; micro: number; interval: number }
}

/** A cost that was booked, and the session that pays it. */
export type Booking = {
  readonly event: RecordedEvent
  readonly payer: LedgerEntry
  readonly tokens: number
  readonly cost_micro_usd: number
}

export type Ledger = {
  fold(event: RecordedEvent): void
  /** Leaves these out: their subject was erased. */
  forget(ids: ReadonlySet<string>): void
  entries(): readonly LedgerEntry[]
  entry(session_id: string): LedgerEntry | undefined
  /** Every end, in the order of the log. */
  ends(): readonly SessionEnd[]
}

/** The log was opened again after a process had died or closed with sessions at work. */
export const RUNTIME_REOPENED = 'runtime.reopened'

export type LedgerListeners = {
  readonly onEnd?: (end: SessionEnd) => void
  /** Not called for a booking that was counted before. */
  readonly onBooking?: (booking: Booking) => void
}

export function createLedger({ onEnd, onBooking }: LedgerListeners = {}): Ledger {
  const accounts = new Map<string, Account>()
  const ends: SessionEnd[] = []

  const payerOf = (account: Account): Account => accounts.get(account.works_for ?? '') ?? account

  const book = (account: Account, event: RecordedEvent): void => {
    const payload = event.payload as Payload
    const id = payload.spend_id ?? ''
    if (id !== '' && account.booked.has(id)) return
    account.booked.add(id)
    const payer = payerOf(account)
    const { tokens = 0, cost_micro_usd = 0 } = payload
    payer.tokens_used += tokens
    payer.cost_micro_usd += cost_micro_usd
    onBooking?.({ event, payer, tokens, cost_micro_usd })
  }
  const end = (account: Account, event: RecordedEvent, reason: EndReason): void => {
    const total = timeAtWork(account.intervals, Date.parse(event.timestamp))
    const { counted } = account
    const first = account.intervals[counted.interval] ?? account.intervals.at(-1)
    const one: SessionEnd = {
      event_id: event.event_id,
      position: event.position,
      session_id: account.session_id,
      role: account.role,
      project: account.project,
      start_time: first === undefined ? event.timestamp : new Date(first.from).toISOString(),
      end_time: event.timestamp,
      duration_ms: total - counted.ms,
      before_ms: counted.ms,
      tokens_used: account.tokens_used - counted.tokens,
      cost_micro_usd: account.cost_micro_usd - counted.micro,
      reason,
    }
    account.counted = {
      ms: total,
      tokens: account.tokens_used,
      micro: account.cost_micro_usd,
      interval: account.intervals.length,
    }
    ends.push(one)
    onEnd?.(one)
  }

  return {
    fold(event) {
      if (unopenedIn(event) !== undefined) return
      if (event.event_type === RUNTIME_REOPENED) {
        const { alive_at = event.timestamp } = event.payload as { alive_at?: string }
        for (const account of accounts.values()) stop(account, Date.parse(alive_at))
        return
      }
      if (event.version === 1) {
        const account = accountOf(event)
        if (account !== undefined) accounts.set(account.session_id, account)
        return
      }
      const account = accounts.get(event.stream_id)
      if (account === undefined) return
      const payload = event.payload as Payload
      if (event.event_type === 'agent.spent' || event.event_type === 'session.spent') book(account, event)
      follow(account, event)
      const reason = account.works_for === null ? endReason(event, payload) : undefined
      if (reason !== undefined) end(account, event, reason)
    },
    forget(ids) {
      for (const id of ids) accounts.delete(id)
      ends.splice(0, ends.length, ...ends.filter(({ session_id }) => !ids.has(session_id)))
    },
    entries: () => [...accounts.values()].filter(({ works_for }) => works_for === null),
    entry: (id) => accounts.get(id),
    ends: () => ends,
  }
}

type Payload = {
  readonly reason?: string
  readonly tokens?: number
  readonly cost_micro_usd?: number
  readonly spend_id?: string
}

function accountOf(event: RecordedEvent): Account | undefined {
  const machine = event.machine.slice(0, event.machine.lastIndexOf('@'))
  if (machine !== 'session' && machine !== 'agent') return undefined
  const { input } = event.payload as {
    input: Pick<LedgerEntry, 'kind' | 'role' | 'project' | 'parent_id'> & { owner_id?: string }
  }
  const owner = input.owner_id ?? event.stream_id
  return {
    session_id: event.stream_id,
    kind: input.kind,
    role: input.role,
    project: input.project,
    parent_id: input.parent_id,
    works_for: owner === event.stream_id ? null : owner,
    intervals: [],
    tokens_used: 0,
    cost_micro_usd: 0,
    booked: new Set(),
    atWork: false,
    counted: { ms: 0, tokens: 0, micro: 0, interval: 0 },
  }
}

/** Opens and closes intervals with the states that events led to. */
function follow(account: Account, event: RecordedEvent): void {
  if (account.works_for !== null) return
  const at = Date.parse(event.timestamp)
  const active = event.state === 'active'
  // After the process was away, the first thing that happens says that somebody is at work again.
  const open = account.intervals.at(-1)?.to === null
  if (active && !open && countsAsWork(account, event)) account.intervals.push({ from: at, to: null })
  if (!active) stop(account, at)
  account.atWork = active
}

function countsAsWork(account: Account, { event_type }: RecordedEvent): boolean {
  if (!account.atWork) return true
  return event_type !== 'session.checkpoint_due' && !event_type.startsWith('handoff.received')
}

function stop(account: Account, at: number): void {
  const last = account.intervals.at(-1)
  if (last === undefined || last.to !== null) return
  account.intervals[account.intervals.length - 1] = { from: last.from, to: Math.max(last.from, at) }
}

function endReason({ event_type, state }: RecordedEvent, { reason }: Payload): EndReason | undefined {
  switch (event_type) {
    case 'session.completed':
      return reason === 'exit' ? 'exit' : 'completed'
    case 'session.paused':
      return reason === 'interrupted' && state === 'paused' ? 'interrupted' : undefined
    case 'agent.succeeded':
      return 'completed'
    case 'agent.failed':
    case 'agent.deadline':
      return 'interrupted'
    case 'agent.cancelled':
      return 'exit'
    default:
      return undefined
  }
}

/** ms at work until a moment (ms since the epoch). */
export function timeAtWork(intervals: readonly Interval[], until: number): number {
  let ms = 0
  for (const { from, to } of intervals) ms += Math.max(0, Math.min(to ?? until, until) - from)
  return ms
}
