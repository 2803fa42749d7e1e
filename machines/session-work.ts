/** What a session records of its work beside its lifecycle: decisions, artifacts, spending, how full its context is. */

/** A decision and what spoke for it. */
export type Decision = {
  readonly what: string
  readonly why: string
  readonly alternatives: readonly string[]
  readonly at: string
}

/** A reference to something a session made; the thing itself is not in the log. */
export type Artifact = {
  readonly name: string
  /** A path or address at which it is found. */
  readonly uri: string
  /** SHA-256 of its contents, in hex. */
  readonly sha256?: string
  readonly media_type?: string
  readonly at: string
}

export type SessionTagged = {
  readonly type: 'session.tagged'
  readonly add: readonly string[]
  readonly remove: readonly string[]
  readonly at: string
}
export type SessionDecided = { readonly type: 'session.decided' } & Decision
export type SessionArtifactAdded = { readonly type: 'session.artifact_added' } & Artifact
export type SessionSpent = {
  readonly type: 'session.spent'
  readonly tokens: number
  readonly cost_micro_usd: number
  readonly what: string
  /** Names the booking, so that it is counted once however often it comes. */
  readonly spend_id: string
  readonly at: string
}
/** How full the model's context window is: it falls again after a compaction, unlike the tokens that were used. */
export type SessionContextReported = {
  readonly type: 'session.context_reported'
  readonly context_tokens: number
  readonly context_window: number
  readonly at: string
}
/** The context is nearly full: a handoff is wanted now, and the session pauses after it. */
export type SessionContextHigh = {
  readonly type: 'session.context_high'
  readonly percent: number
  readonly at: string
}
/** The session has been at work for long without a handoff from which it could go on after a crash. */
export type SessionCheckpointDue = {
  readonly type: 'session.checkpoint_due'
  readonly since: string
  readonly at: string
}
/** Another session goes on with the work. */
export type SessionContinued = {
  readonly type: 'session.continued'
  readonly to_session: string
  readonly at: string
}

export type SessionWorkFact =
  | SessionTagged
  | SessionDecided
  | SessionArtifactAdded
  | SessionSpent
  | SessionContextReported
  | SessionContextHigh
  | SessionCheckpointDue
  | SessionContinued

/** The part of a session's record that these facts fill. */
export type SessionWork = {
  readonly decisions: readonly Decision[]
  readonly artifacts: readonly Artifact[]
  readonly completed_steps: readonly string[]
  readonly tokens_used: number
  readonly cost_micro_usd: number
  /** The last bookings, so that a repeated one is known. */
  readonly recent_spends: readonly string[]
  readonly context_tokens: number | null
  readonly context_window: number | null
  /** Since when a handoff is waited for because the context is nearly full; `null` if none is. */
  readonly context_high_at: string | null
  /** Since when it is at work without a pause; `null` if it is not. */
  readonly active_since: string | null
  /** When it last wrote a handoff. */
  readonly last_checkpoint: string | null
  /** Set once it was reminded of a checkpoint, until it writes one. */
  readonly checkpoint_due: boolean
  /** The session that goes on with its work. */
  readonly continued_in: string | null
}

/** What else of a session's record these facts read. */
type WorkRecord = SessionWork & { readonly session_id: string; readonly tags: readonly string[] }

type WorkChange = Partial<WorkRecord> & { readonly last_activity?: string }

/** More than can be under way at once. */
const REMEMBERED_SPENDS = 64
/** What a session remembers is a summary, however long it lives: the last ones of each. The log has all of them. */
const REMEMBERED_DECISIONS = 100
const REMEMBERED_ARTIFACTS = 1000
export const REMEMBERED_STEPS = 1000

export function newSessionWork(): SessionWork {
  return {
    decisions: [],
    artifacts: [],
    completed_steps: [],
    tokens_used: 0,
    cost_micro_usd: 0,
    recent_spends: [],
    context_tokens: null,
    context_window: null,
    context_high_at: null,
    active_since: null,
    last_checkpoint: null,
    checkpoint_due: false,
    continued_in: null,
  }
}

/** What one fact changes. A reminder is no activity: a session that only gets reminders is stale. */
export function rememberWork(record: WorkRecord, fact: SessionWorkFact): WorkChange {
  const last_activity = fact.at
  switch (fact.type) {
    case 'session.tagged': {
      const kept = record.tags.filter((tag) => !fact.remove.includes(tag))
      return { last_activity, tags: [...new Set([...kept, ...fact.add])] }
    }
    case 'session.decided': {
      const { what, why, alternatives, at } = fact
      return {
        last_activity,
        decisions: [...record.decisions, { what, why, alternatives, at }].slice(-REMEMBERED_DECISIONS),
      }
    }
    case 'session.artifact_added': {
      const { type: _type, ...artifact } = fact
      const others = record.artifacts.filter(({ name }) => name !== artifact.name)
      return { last_activity, artifacts: [...others, artifact].slice(-REMEMBERED_ARTIFACTS) }
    }
    case 'session.spent':
      return {
        last_activity,
        tokens_used: record.tokens_used + fact.tokens,
        cost_micro_usd: record.cost_micro_usd + fact.cost_micro_usd,
        recent_spends: [...record.recent_spends, fact.spend_id].slice(-REMEMBERED_SPENDS),
      }
    case 'session.context_reported':
      return { last_activity, context_tokens: fact.context_tokens, context_window: fact.context_window }
    case 'session.context_high':
      return { context_high_at: fact.at }
    case 'session.checkpoint_due':
      return { checkpoint_due: true }
    case 'session.continued':
      return { last_activity, continued_in: fact.to_session }
  }
}

/** A booking counts once. */
export function isUnbooked(record: WorkRecord, fact: SessionSpent): boolean {
  return !record.recent_spends.includes(fact.spend_id)
}

/** It is announced once until the session has paused. */
export function isNewlyHigh(record: WorkRecord): boolean {
  return record.context_high_at === null
}

/** A session is reminded once for each stretch of work without a handoff. */
export function isCheckpointDue(record: WorkRecord, fact: SessionCheckpointDue): boolean {
  const since = laterOf(record.active_since, record.last_checkpoint)
  return !record.checkpoint_due && record.active_since !== null && since === fact.since
}

/** A session is continued in one other. */
export function isUncontinued(record: WorkRecord, fact: SessionContinued): boolean {
  return record.continued_in === null && fact.to_session !== record.session_id
}

/** The later of two moments; ISO 8601 sorts as it reads. */
export function laterOf(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

/** How full a context window is, in percent; 0 if nothing was reported. */
export function contextPercent(context: {
  readonly context_tokens: number | null
  readonly context_window: number | null
}): number {
  const { context_tokens: tokens, context_window: window } = context
  return tokens === null || window === null ? 0 : (100 * tokens) / window
}
