/** A run's result in the article's shape, folded from the run's own stream. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { Role } from '../../machines/session-record.ts'

export type RunState =
  | 'queued'
  | 'running'
  | 'awaiting_approval'
  | 'paused'
  | 'parked'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'timed_out'

export type CodeChange = { readonly file: string; readonly [key: string]: unknown }

/** The article's `BackgroundAgentResult`, and more. */
export interface BackgroundAgentResult {
  readonly run_id: string
  readonly agent_id: string
  readonly status: 'running' | 'completed' | 'failed' | 'timeout'
  /** More exact than `status`: `running` with status `timeout` means that only the wait ended. */
  readonly state: RunState
  readonly start_time: string
  readonly end_time?: string
  readonly duration_ms?: number
  /** Of that the time at work: not queued, paused, parked or waiting for a person. */
  readonly active_ms?: number
  /** The last sign of life that the handler gave by itself, as far as it is recorded. */
  readonly heartbeat?: { readonly at: string; readonly details: unknown }
  readonly output: {
    readonly logs: string[]
    readonly errors?: string[]
    // The article reads numbers and booleans off metrics without narrowing.
    // oxlint-disable-next-line typescript/no-explicit-any
    readonly metrics: Record<string, any>
    readonly code_changes?: CodeChange[]
    /** What the handler returned. */
    readonly value?: unknown
    /** What it had so far, as it last said with `ctx.partial`; not of a run that has succeeded. */
    readonly partial?: unknown
  }
  readonly billing: {
    readonly tokens_used: number
    /** USD. */
    readonly estimated_cost: number
    readonly role: Role
  }
}

const STATUS: Readonly<Record<RunState, BackgroundAgentResult['status']>> = {
  queued: 'running',
  running: 'running',
  awaiting_approval: 'running',
  paused: 'running',
  parked: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'failed',
  timed_out: 'timeout',
}

export function isTerminal(state: RunState): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'timed_out'
}

export function runState(value: unknown, context: AgentContext): RunState {
  if (context.outcome !== null)
    return context.outcome.kind === 'succeeded' ? 'completed' : context.outcome.kind
  if (context.parked !== null) return 'parked'
  if (value === 'paused') return 'paused'
  return value === 'active' ? 'running' : 'queued'
}

/** Builds the result from the machine's context; `waitEnded` when a wait timed out before the run ended. */
export function runResult(
  snapshot: { readonly value: unknown; readonly context: AgentContext },
  options: {
    readonly logs: readonly string[]
    readonly waitEnded?: boolean
    /** A call of it waits for a person. */
    readonly asking?: boolean
  },
): BackgroundAgentResult {
  const { context } = snapshot
  const recorded = runState(snapshot.value, context)
  const state = recorded === 'running' && options.asking === true ? 'awaiting_approval' : recorded
  const start = context.started_at ?? context.at
  const ended = context.completed_at
  const value = context.outcome?.kind === 'succeeded' ? context.outcome.output : undefined
  const errors = errorsOf(context)
  const fields = (typeof value === 'object' && value !== null ? value : {}) as {
    metrics?: Record<string, unknown>
    code_changes?: CodeChange[]
  }
  return {
    run_id: context.run_id,
    agent_id: context.agent_id,
    // Cancelled because the wait had ended is a timeout to who waited.
    status:
      options.waitEnded === true && (!isTerminal(state) || state === 'cancelled') ? 'timeout' : STATUS[state],
    state,
    start_time: start,
    ...(ended !== null && {
      end_time: ended,
      duration_ms: Date.parse(ended) - Date.parse(start),
      active_ms: context.deadline_ms - context.deadline_left_ms,
    }),
    ...(context.heartbeat !== null && { heartbeat: context.heartbeat }),
    output: {
      logs: [...options.logs],
      ...(errors.length > 0 && { errors }),
      metrics: fields.metrics ?? {},
      ...(fields.code_changes !== undefined && { code_changes: fields.code_changes }),
      ...(value !== undefined && { value }),
      ...(context.partial !== null && state !== 'completed' && { partial: context.partial.value }),
    },
    billing: {
      tokens_used: context.tokens_used,
      estimated_cost: context.cost_micro_usd / 1e6,
      role: context.role,
    },
  }
}

/** The lines that a run has logged, in order. */
export async function runLogs(store: EventStore, runId: string): Promise<string[]> {
  const logs: string[] = []
  for await (const event of store.readStream(runId)) {
    if (event.event_type !== 'agent.logged') continue
    for (const line of (event.payload as { lines: string[] }).lines) logs.push(line)
  }
  return logs
}

function errorsOf(context: AgentContext): string[] {
  const { outcome, parked } = context
  if (parked !== null) return [parked.message]
  if (outcome?.kind === 'failed') return [outcome.error.message]
  if (outcome?.kind === 'cancelled') return [`cancelled: ${outcome.reason}`]
  if (outcome?.kind === 'timed_out') return [`no end within ${outcome.deadline_ms} ms`]
  return []
}
