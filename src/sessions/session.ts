/** A session as a value: what callers get back from starting, finding and listing sessions. */
import type { Inbox } from './inbox.ts'
import type { Handoff, SessionRecord } from '../../machines/session-record.ts'
import { contextPercent, type Artifact, type Decision } from '../../machines/session-work.ts'
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
  /** Phase, percent and steps in one. */
  readonly progress: SessionProgress
  readonly artifacts: readonly Artifact[]
  readonly decisions: readonly Decision[]
  /** How full its model's context window is, as last reported; 0 if it never was. */
  readonly contextUsagePercent: number
  readonly tokens_used: number
  /** USD; what runs spend that work for it is theirs. */
  readonly estimated_cost: number
  readonly continues: string | null
  readonly continued_in: string | null
  readonly end_reason: string | null
  readonly pause_reason: string | null
  /** The ends of the runs that it started, until they are acknowledged. Not part of `toJSON()`. */
  readonly inbox: Inbox
  toString(): string
  toJSON(): Record<string, unknown>
}

export type SessionProgress = {
  readonly phase: string | null
  readonly percent: number | null
  readonly completed_steps: readonly string[]
  readonly next_steps: readonly string[]
  readonly blockers: readonly string[]
  readonly last_activity: string
}

/** Accepted wherever a session is asked for. */
export type SessionLike = string | { readonly id: string }

export function sessionId(session: SessionLike): string {
  return typeof session === 'string' ? session : session.id
}

export function sessionValue(record: SessionRecord, status: SessionStatus): Omit<Session, 'inbox'> {
  const handoff = latestHandoff(record)
  const reported = linesOf(handoff?.context['work_completed'])
  const progress: SessionProgress = {
    phase: record.phase,
    percent: record.percent,
    completed_steps: [...new Set([...reported, ...record.completed_steps])],
    next_steps: linesOf(handoff?.context['next_steps']),
    blockers: linesOf(handoff?.context['blockers']),
    last_activity: record.last_activity,
  }
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
    completed_steps: progress.completed_steps,
    next_steps: progress.next_steps,
    blockers: progress.blockers,
    progress,
    artifacts: record.artifacts,
    decisions: record.decisions,
    contextUsagePercent: contextPercent(record),
    tokens_used: record.tokens_used,
    estimated_cost: record.cost_micro_usd / 1e6,
    continues: record.continues ?? null,
    continued_in: record.continued_in,
    end_reason: record.end_reason,
    pause_reason: record.pause_reason,
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
export function linesOf(value: unknown): string[] {
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
  readonly continued_in: string | null
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
    continued_in: row.continued_in,
  }
}
