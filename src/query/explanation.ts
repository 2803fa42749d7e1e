/** The shapes of an answer to "why": plain JSON, one kind for each thing that can be asked about. */
import type { EventBrief } from './events.ts'
import type { RefusalFact } from './refusals.ts'
import type { TreeNodeState } from './tree.ts'

/** One actor on the way up to the root: who asked for whom. */
export type Ancestor = {
  readonly id: string
  readonly kind: 'run' | 'session'
  readonly role: string
  readonly agent_id: string | null
  readonly name: string | null
  readonly state: TreeNodeState
}

/** What one hook said, as recorded. */
export type Word = {
  readonly hook: string
  readonly allowed: boolean
  readonly reason: string | null
  readonly alternatives: readonly string[]
  readonly duration_ms: number
  readonly trouble: string | null
}

export type Told = { readonly name: string; readonly message: string; readonly code: string | null }

/** What every explanation has. */
type Explained = {
  /** The event that was asked about, if it was one. */
  readonly event: EventBrief | null
  /** Events that caused it, nearest first, by `causation_id`. */
  readonly causes: readonly EventBrief[]
  /** Whom it belongs to, nearest first, up to the root. */
  readonly ancestors: readonly Ancestor[]
  readonly correlation_id: string
}

export type ToolCallExplained = Explained & {
  readonly kind: 'tool_call'
  readonly call_id: string
  readonly tool: string
  readonly asked_by: {
    readonly run_id: string
    readonly agent_id: string | null
    readonly session_id: string
    readonly role: string
    readonly project: string
  }
  readonly asked_at: string
  /** The durable step of the run that made the call. */
  readonly step: { readonly key: string; readonly version: number } | null
  readonly capabilities: readonly string[]
  /** Without what looks like a secret. */
  readonly parameters: unknown
  /** USD; `null` if nothing could estimate it. */
  readonly estimated_cost: number | null
  readonly testimony: readonly Word[]
  /** `pending` until the hooks have testified. */
  readonly verdict: 'allowed' | 'denied' | 'pending'
  readonly by: string | null
  readonly reason: string | null
  readonly alternatives: readonly string[]
  readonly outcome: 'denied' | 'failed' | 'in_doubt' | 'open' | 'succeeded'
  readonly error: Told | null
  readonly attempts: number
  readonly events: readonly EventBrief[]
}

export type RefusalExplained = Explained & {
  readonly kind: 'refusal'
  readonly refusal: RefusalFact
  /** The same refusal of the same actor in the whole log. */
  readonly total: number
  /** Version and state of the actor when it was refused. */
  readonly version: number
  readonly state: unknown
}

export type StepTold = {
  readonly key: string
  readonly version: number
  readonly at: string
  readonly state: 'completed' | 'failed' | 'open'
  readonly error: string | null
  readonly call_id: string | null
}

export type RunExplained = Explained & {
  readonly kind: 'run'
  readonly run_id: string
  readonly agent_id: string
  readonly role: string
  readonly project: string
  readonly task_description: string
  readonly state: TreeNodeState
  readonly error: Told | null
  /** Why it waits for a person. */
  readonly parked: Told | null
  readonly pause_reason: string | null
  readonly attempts: number
  readonly steps_done: number
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly duration_ms: number | null
  readonly last_steps: readonly StepTold[]
  readonly last_logs: readonly string[]
  readonly refusals: readonly RefusalFact[]
  readonly last_event: EventBrief
}

export type SessionExplained = Explained & {
  readonly kind: 'session'
  readonly session_id: string
  readonly name: string | null
  readonly role: string
  readonly project: string
  readonly tags: readonly string[]
  readonly state: TreeNodeState
  readonly pause_reason: string | null
  readonly end_reason: string | null
  readonly phase: string | null
  readonly percent: number | null
  readonly handoffs: { readonly sent: number; readonly received: number; readonly unclaimed: number }
  readonly children: readonly Ancestor[]
  /** Its own, and those of everything below it. */
  readonly refusals: readonly RefusalFact[]
  readonly last_event: EventBrief
}

/** Any other event, or any other actor: what the log itself says. */
export type FactExplained = Explained & {
  readonly kind: 'fact'
  readonly stream_id: string
  readonly machine: string
  readonly state: unknown
  /** Of the event that was asked about, or of the stream's last one; without what looks like a secret. */
  readonly payload: unknown
  readonly testimony: readonly Word[]
  /** Events that name this one as their cause. */
  readonly effects: readonly EventBrief[]
  readonly refusals: readonly RefusalFact[]
  readonly last_event: EventBrief
}

export type Explanation =
  | FactExplained
  | RefusalExplained
  | RunExplained
  | SessionExplained
  | ToolCallExplained
