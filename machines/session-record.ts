/** What a session remembers, and how each fact changes it: shared by the machines of sessions and of agents' runs. */
import {
  newSessionWork,
  rememberWork,
  REMEMBERED_STEPS,
  type SessionWork,
  type SessionWorkFact,
} from './session-work.ts'
import type { Testimony } from './testimony.ts'
import { verdictOf } from './testimony.ts'

export type Role = 'orchestrator' | 'supervisor' | 'workagent'
export type SessionKind = 'foreground' | 'background'

/** A document handed from one session to another. */
export type Handoff = {
  readonly handoff_id: string
  readonly type: string
  readonly context: Readonly<Record<string, unknown>>
  readonly from: string
  readonly to: string
  readonly at: string
  /** Who took it; `null` while it waits. */
  readonly claimed_by: string | null
  /** Which call of theirs took it, where they can make several; they get it again after a crash. */
  readonly claim?: string
}

export type SessionInput = {
  readonly session_id: string
  readonly role: Role
  readonly project: string
  readonly kind: SessionKind
  readonly parent_id: string | null
  readonly name: string | null
  readonly tags: readonly string[]
  /** The session whose work it goes on with. */
  readonly continues?: string
  readonly at: string
}

/** The part of a machine's context that every session has. */
export type SessionRecord = SessionInput &
  SessionWork & {
    readonly started_at: string | null
    readonly last_activity: string
    readonly completed_at: string | null
    readonly end_reason: string | null
    readonly pause_reason: string | null
    readonly phase: string | null
    readonly percent: number | null
    readonly sent: readonly Handoff[]
    readonly received: readonly Handoff[]
    /** The copy in the project's folder; `null` until there is one. */
    readonly archive: ArchiveCopy | null
  }

export type SessionNamed = {
  readonly type: 'session.named'
  readonly name: string
  readonly tags: readonly string[]
  readonly at: string
}
export type HandoffGenerated = {
  readonly type: 'handoff.generated'
  readonly handoff: Handoff
  readonly at: string
}
export type HandoffReceived = {
  readonly type: 'handoff.received'
  readonly handoff: Handoff
  readonly at: string
}
export type HandoffClaimed = {
  readonly type: 'handoff.claimed'
  readonly handoff_id: string
  readonly by: string
  readonly claim?: string
  readonly at: string
}
export type SessionProgressed = {
  readonly type: 'session.progressed'
  readonly phase?: string
  readonly percent?: number
  /** Steps that are done now; they are added to those done before. */
  readonly completed_steps?: readonly string[]
  readonly at: string
}
/** Facts that a session takes in any state before it is archived. */
export type SessionFact =
  | SessionNamed
  | HandoffGenerated
  | HandoffReceived
  | HandoffClaimed
  | SessionProgressed
  | SessionWorkFact

/** A lifecycle wish with what the hooks said about it. */
export type Judged = { readonly at: string; readonly testimony: readonly Testimony[] }
export type SessionPaused = Judged & { readonly type: 'session.paused'; readonly reason: string }
export type SessionResumed = Judged & { readonly type: 'session.resumed' }
export type SessionCompleted = Judged & { readonly type: 'session.completed'; readonly reason: string }
/** Where a copy of a session's events lies, and what it must hold. */
export type ArchiveCopy = { readonly file: string; readonly sha256: string; readonly events: number }
export type SessionArchived = {
  readonly type: 'session.archived'
  readonly at: string
  readonly archive?: ArchiveCopy
}

export function newSessionRecord(input: SessionInput): SessionRecord {
  return {
    ...input,
    ...newSessionWork(),
    started_at: null,
    last_activity: input.at,
    completed_at: null,
    end_reason: null,
    pause_reason: null,
    phase: null,
    percent: null,
    sent: [],
    received: [],
    archive: null,
  }
}

/** What one fact changes; each also counts as activity. */
export function remember(record: SessionRecord, fact: SessionFact): Partial<SessionRecord> {
  const last_activity = fact.at
  switch (fact.type) {
    case 'session.named':
      return { last_activity, name: fact.name, tags: fact.tags }
    case 'handoff.generated': {
      const phase = fact.handoff.context['current_phase']
      return {
        last_activity,
        sent: lastSent([...record.sent, fact.handoff]),
        last_checkpoint: fact.at,
        checkpoint_due: false,
        ...(typeof phase === 'string' && { phase }),
      }
    }
    case 'handoff.received':
      return { last_activity, received: lastReceived([...record.received, fact.handoff]) }
    case 'handoff.claimed':
      return {
        last_activity,
        received: record.received.map((handoff) =>
          handoff.handoff_id === fact.handoff_id
            ? { ...handoff, claimed_by: fact.by, ...(fact.claim !== undefined && { claim: fact.claim }) }
            : handoff,
        ),
      }
    case 'session.progressed':
      return {
        last_activity,
        ...(fact.phase !== undefined && { phase: fact.phase }),
        ...(fact.percent !== undefined && { percent: fact.percent }),
        ...(fact.completed_steps !== undefined && {
          completed_steps: [...new Set([...record.completed_steps, ...fact.completed_steps])].slice(
            -REMEMBERED_STEPS,
          ),
        }),
      }
    default:
      return rememberWork(record, fact)
  }
}

/** More than can be on their way at once. */
const REMEMBERED_HANDOFFS = 64

/** The last ones, and the last from which the session itself goes on. */
function lastSent(sent: readonly Handoff[]): readonly Handoff[] {
  if (sent.length <= REMEMBERED_HANDOFFS) return sent
  const continuation = sent.findLast(({ type }) => type.endsWith('_continuation'))
  const last = sent.slice(-REMEMBERED_HANDOFFS)
  return continuation === undefined || last.includes(continuation) ? last : [continuation, ...last]
}

/** All of others that nobody has taken, and the last of the rest: a continuation of its own is superseded by the next. */
function lastReceived(received: readonly Handoff[]): readonly Handoff[] {
  if (received.length <= REMEMBERED_HANDOFFS) return received
  const last = new Set(received.slice(-REMEMBERED_HANDOFFS))
  return received.filter((one) => last.has(one) || (one.claimed_by === null && one.from !== one.to))
}

/** A handoff is taken in once, however often it is delivered. */
export function isNewHandoff(record: SessionRecord, fact: HandoffReceived): boolean {
  return record.received.every((handoff) => handoff.handoff_id !== fact.handoff.handoff_id)
}

/** A handoff is sent once, however often the sender is run again. */
export function isUnsent(record: SessionRecord, fact: HandoffGenerated): boolean {
  return record.sent.every((handoff) => handoff.handoff_id !== fact.handoff.handoff_id)
}

/** A handoff is claimed once; the same claimer may claim it again and gets the same one. */
export function isClaimable(record: SessionRecord, fact: HandoffClaimed): boolean {
  const handoff = record.received.find((one) => one.handoff_id === fact.handoff_id)
  return handoff !== undefined && handoff.claimed_by === null
}

/** All hooks that were asked allowed it. */
export function isPermitted(event: Judged): boolean {
  return verdictOf(event.testimony, { stopping: false }).allowed
}

/** No hook said an explicit no; a hook's error or silence does not keep anything running. */
export function isPermittedToStop(event: Judged): boolean {
  return verdictOf(event.testimony, { stopping: true }).allowed
}
