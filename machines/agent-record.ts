/** What a run remembers: who it is and what for, how its handler fares, and how it ended. */
import { newDeadline, type RunDeadline } from './run-deadline.ts'
import { newSessionRecord, type SessionInput, type SessionRecord } from './session-record.ts'

/** An error as it is recorded. */
export type ErrorRecord = {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Which durable call of a handler: `kind:name:ordinal`, and its place in the order of calls. */
export type StepRef = {
  readonly key: string
  readonly kind: string
  readonly name: string
  readonly ordinal: number
  readonly seq: number
}

export type AgentInput = SessionInput & {
  readonly run_id: string
  readonly agent_id: string
  readonly task_description: string
  /** The session this run works for; its own id if it works for itself. */
  readonly owner_id: string
  readonly input: unknown
  readonly deadline_ms: number
  /** Who comes first in the queue; default `normal`. */
  readonly priority?: 'critical' | 'high' | 'normal' | 'low'
  /** It is cancelled when its parent ends; it goes on if this is left out. */
  readonly on_parent_end?: 'cancel'
  /** A run of the same agent and project that was at work when this one was started; left out if there was none. */
  readonly beside?: string
}

export type AgentOutcome =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  | ({ readonly kind: 'failed'; readonly error: ErrorRecord } & Remains)
  | ({ readonly kind: 'cancelled'; readonly reason: string } & Remains)
  | ({ readonly kind: 'timed_out'; readonly deadline_ms: number } & Remains)

/** What the handler had so far, if it said so. */
type Remains = { readonly partial?: unknown }

export type AgentContext = SessionRecord &
  RunDeadline & {
    readonly observed: boolean
    readonly run_id: string
    readonly agent_id: string
    readonly task_description: string
    readonly owner_id: string
    readonly input: unknown
    readonly priority: NonNullable<AgentInput['priority']>
    readonly steps: number
    /** What the handler has so far, as it last said; `null` if it never did. */
    readonly partial: { readonly value: unknown; readonly at: string } | null
    /** How often it said so outside of its durable calls, so that a restarted handler does not go back behind it. */
    readonly own_partials: number
    /** The last beat that was recorded, with what the handler wanted its next attempt to know. */
    readonly heartbeat: { readonly at: string; readonly details: unknown } | null
    /** Attempts in a row that were given up because the handler was silent, with no call that came to its end between. */
    readonly losses: number
    /** When the next attempt may begin, after one that was given up. */
    readonly retry_at: string | null
    /** How often the handler was begun; more than once after a restart or a pause. */
    readonly attempts: number
    /** Names of the hooks that stood guard over the last attempt. */
    readonly hooks: readonly string[]
    readonly outcome: AgentOutcome | null
    /** Why it waits for a person; `null` unless parked. */
    readonly parked: ErrorRecord | null
    readonly tokens_used: number
    /** Micro-dollars. */
    readonly cost_micro_usd: number
  }

export function newRun(input: AgentInput): AgentContext {
  return {
    ...newSessionRecord(input),
    ...newDeadline(input.deadline_ms),
    run_id: input.run_id,
    agent_id: input.agent_id,
    task_description: input.task_description,
    owner_id: input.owner_id,
    input: input.input,
    priority: input.priority ?? 'normal',
    steps: 0,
    partial: null,
    own_partials: 0,
    heartbeat: null,
    losses: 0,
    retry_at: null,
    attempts: 0,
    hooks: [],
    outcome: null,
    parked: null,
    tokens_used: 0,
    cost_micro_usd: 0,
    observed: false,
  }
}
