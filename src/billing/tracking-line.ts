/** One line of `.project/billing/.tracking-{date}.jsonl`, and the article's event it is made of. Pure. */
import type { SessionEnd } from './ledger.ts'

/** The article's `SessionEndEvent`. `duration_ms` is time at work, without pauses, since the end before. */
export interface SessionEndEvent {
  readonly session_id: string
  readonly role: string
  readonly start_time: string
  readonly end_time: string
  readonly duration_ms: number
  readonly tokens_used: number
  /** USD. */
  readonly estimated_cost: number
  readonly reason: 'exit' | 'completed' | 'interrupted'
}

const MINUTE_MS = 60_000

export function sessionEndEvent(end: SessionEnd): SessionEndEvent {
  const { session_id, role, start_time, end_time, duration_ms, tokens_used, reason } = end
  const estimated_cost = end.cost_micro_usd / 1e6
  return { session_id, role, start_time, end_time, duration_ms, tokens_used, estimated_cost, reason }
}

/** The UTC day of an end, as in the file's name. */
export function trackingDate(end: SessionEnd): string {
  return end.end_time.slice(0, 10)
}

/**
 * The line without its line feed: its fields, their order and their forms are the article's. Minutes are rounded
 * over all lines of a session, so that they add up to its whole time.
 */
export function trackingLine(end: SessionEnd): string {
  const minutes =
    Math.round((end.before_ms + end.duration_ms) / MINUTE_MS) - Math.round(end.before_ms / MINUTE_MS)
  const fields = [
    ['timestamp', JSON.stringify(end.end_time.replace(/\.\d+Z$/, 'Z'))],
    ['session_id', JSON.stringify(end.session_id)],
    ['role', JSON.stringify(end.role)],
    ['duration_minutes', String(minutes)],
    ['tokens_used', String(end.tokens_used)],
    ['estimated_cost', dollars(end.cost_micro_usd)],
    ['reason', JSON.stringify(end.reason)],
  ]
  return `{${fields.map(([name, value]) => `"${name}":${value}`).join(',')}}`
}

/** With cents, as money is written, and what is below a cent only where there is any: 12.60, 0.000125. */
function dollars(micro: number): string {
  const digits = String(Math.abs(micro)).padStart(7, '0')
  const [whole, fraction] = [digits.slice(0, -6), digits.slice(-6)]
  return `${micro < 0 ? '-' : ''}${whole}.${fraction.slice(0, 2)}${fraction.slice(2).replace(/0+$/, '')}`
}
