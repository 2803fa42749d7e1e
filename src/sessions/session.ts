/** A session as a value: what callers get back from starting, finding and listing sessions. */
import type { Handoff, SessionRecord } from '../../machines/session-record.ts'
import { allTags, type SessionRow } from './directory.ts'

export type SessionStatus = 'created' | 'active' | 'paused' | 'completed' | 'archived'

/** The article's `Session`, and more. Its `toString()` is the id, its `toJSON()` the full record. */
export interface Session {
  readonly id: string
  readonly role: SessionRecord['role']
  readonly project: string
  readonly kind: SessionRecord['kind']
  readonly start_time: string
  readonly name: string | null
  readonly tags: readonly string[]
  readonly status: SessionStatus
  readonly parent_id: string | null
  readonly last_activity: string
  readonly phase: string | null
  readonly percent: number | null
  /** What it goes on from: the latest continuation it wrote, else the latest handoff it wrote or received. */
  readonly handoff: Handoff | null
  /** From that handoff. */
  readonly completed_steps: readonly string[]
  readonly next_steps: readonly string[]
  readonly blockers: readonly string[]
  toString(): string
  toJSON(): Record<string, unknown>
}

/** Accepted wherever a session is asked for. */
export type SessionLike = string | { readonly id: string }

export function sessionId(session: SessionLike): string {
  return typeof session === 'string' ? session : session.id
}

export function sessionValue(record: SessionRecord, status: SessionStatus): Session {
  const handoff = latestHandoff(record)
  const data = {
    id: record.session_id,
    role: record.role,
    project: record.project,
    kind: record.kind,
    start_time: record.started_at ?? record.at,
    name: record.name,
    tags: record.tags,
    status,
    parent_id: record.parent_id,
    last_activity: record.last_activity,
    phase: record.phase,
    percent: record.percent,
    handoff,
    completed_steps: linesOf(handoff?.context['work_completed']),
    next_steps: linesOf(handoff?.context['next_steps']),
    blockers: linesOf(handoff?.context['blockers']),
  }
  return {
    ...data,
    toString: () => data.id,
    toJSON: () => ({ ...data }),
  }
}

function latestHandoff(record: SessionRecord): Handoff | null {
  const continuation = record.sent.findLast((handoff) => handoff.type.endsWith('_continuation'))
  if (continuation !== undefined) return continuation
  const all = [...record.sent, ...record.received].toSorted((a, b) =>
    a.at < b.at ? -1 : a.at > b.at ? 1 : 0,
  )
  return all.at(-1) ?? null
}

/** The article writes several lines as one text, or as a list. */
function linesOf(value: unknown): string[] {
  const parts = Array.isArray(value) ? value.map(String) : typeof value === 'string' ? value.split('\n') : []
  return parts.map((line) => line.trim()).filter((line) => line !== '')
}

/** An entry of `listNamedSessions`. */
export type SessionEntry = {
  readonly id: string
  readonly name: string | null
  readonly project: string
  readonly role: SessionRow['role']
  readonly kind: SessionRow['kind']
  readonly status: string
  readonly tags: readonly string[]
  readonly parent_id: string | null
  readonly start_time: string
  readonly last_activity: string
  readonly completion_time: string | null
}

export function sessionEntry(row: SessionRow): SessionEntry {
  return {
    id: row.id,
    name: row.name,
    project: row.project,
    role: row.role,
    kind: row.kind,
    status: row.status,
    tags: allTags(row),
    parent_id: row.parent_id,
    start_time: row.created_at,
    last_activity: row.last_activity,
    completion_time: row.completion_time,
  }
}
