/** What the machine of a run is told: by its handler's attempts, by those who stop it, by its own timer. */
import type { ErrorRecord, StepRef } from './agent-record.ts'
import type { RunWait } from './run-deadline.ts'
import type { Judged, SessionArchived, SessionFact, SessionPaused, SessionResumed } from './session-record.ts'

/** What a handler's attempt says of one of its durable calls. */
type StepFact = StepRef & { readonly at: string; readonly attempt: number }
type StepStarted = StepFact & {
  readonly type: 'step.started'
  readonly data: unknown
  /** How many outcomes the handler had been given when it made this call. */
  readonly after: number
}
type StepCompleted = StepFact & { readonly type: 'step.completed'; readonly output?: unknown }
type StepFailed = StepFact & { readonly type: 'step.failed'; readonly error: ErrorRecord }

/** What the handler has so far; `own`: said outside of its durable calls. */
type AgentPartial = {
  readonly type: 'agent.partial'
  readonly value?: unknown
  readonly own: boolean
  readonly attempt: number
  readonly at: string
}

/** A sign of life; not every beat is recorded. */
type AgentHeartbeat = {
  readonly type: 'agent.heartbeat'
  readonly details?: unknown
  readonly attempt: number
  readonly at: string
}

/** The attempt is given up, and another one follows. */
type AgentLost = {
  readonly type: 'agent.lost'
  readonly error: ErrorRecord
  readonly retry_at: string
  readonly attempt: number
  readonly at: string
}

export type AgentEvent =
  | (Judged & { readonly type: 'agent.started' })
  | { readonly type: 'agent.succeeded'; readonly at: string; readonly output?: unknown }
  | { readonly type: 'agent.failed'; readonly at: string; readonly error: ErrorRecord }
  | { readonly type: 'agent.parked'; readonly at: string; readonly error: ErrorRecord }
  | { readonly type: 'agent.deadline'; readonly at: string }
  | (Judged & {
      readonly type: 'agent.cancelled'
      readonly reason: string
      /** The parent whose end it is cancelled for, if it is. */
      readonly ended_parent?: string
    })
  | {
      readonly type: 'agent.began'
      readonly at: string
      readonly attempt: number
      readonly hooks: readonly string[]
    }
  | {
      readonly type: 'agent.spent'
      readonly at: string
      readonly tokens: number
      readonly cost_micro_usd: number
      readonly what: string
      /** Names the booking, so that a restarted handler does not book it again. */
      readonly spend_id: string
    }
  | {
      readonly type: 'agent.logged'
      readonly lines: readonly string[]
      /** How many of the lines the handler wrote outside of its durable calls. */
      readonly own: number
      readonly at: string
    }
  /** The same calls with the same results, again and again; stopped: the run ends for it. */
  | {
      readonly type: 'loop.warned' | 'loop.stopped'
      readonly period: number
      readonly repetitions: number
      readonly calls: readonly string[]
      readonly at: string
    }
  | { readonly type: 'command.started'; readonly key: string; readonly process: unknown; readonly at: string }
  | RunWait
  | AgentPartial
  | AgentHeartbeat
  | AgentLost
  | StepStarted
  | StepCompleted
  | StepFailed
  | {
      /** Somebody waited for the run, read its result or listened for its end; recorded the first time. */
      readonly type: 'agent.observed'
      readonly timed: boolean
      readonly at: string
    }
  | SessionPaused
  | SessionResumed
  | SessionArchived
  | SessionFact
