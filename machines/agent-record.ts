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
}

export type AgentOutcome =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'timed_out'; readonly deadline_ms: number }

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
    attempts: 0,
    hooks: [],
    outcome: null,
    parked: null,
    tokens_used: 0,
    cost_micro_usd: 0,
    observed: false,
  }
}
