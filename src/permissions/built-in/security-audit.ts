/** The built-in hook that allows everything and writes down who asked for what, and how it went. */
import type { HookContext, PermissionHook } from '../permission-hook.ts'
import { redactSecrets } from '../redaction.ts'

/** One line of the audit; JSON-safe. It carries no time: whoever records it knows the time. */
export type SecurityAuditEntry = {
  readonly phase: 'requested' | 'succeeded' | 'denied' | 'error'
  readonly tool_name: string
  readonly capabilities: readonly string[]
  readonly agent_role: string
  readonly project: string
  readonly session_id?: string
  readonly agent_id?: string
  readonly run_id?: string
  readonly call_id?: string
  /** Without what looks like a secret. */
  readonly parameters: unknown
  /** USD. */
  readonly estimated_cost?: number
  /** USD. */
  readonly actual_cost?: number
  readonly reason?: string
}

export type SecurityAuditOptions = {
  readonly record: (entry: SecurityAuditEntry) => Promise<void> | void
  /** Default: `*`, everything. */
  readonly triggers?: readonly string[] | undefined
}

/**
 * Records `requested` before the tool and `succeeded`, `denied` or `error` after it.
 * If `record` fails before the tool, the operation is denied like by any failing hook: nothing runs unaudited.
 */
export function securityAuditHook(options: SecurityAuditOptions): PermissionHook {
  const { record, triggers = ['*'] } = options
  return {
    triggers: [...triggers],
    validate: async (context) => {
      // A question is no operation.
      if (!context.dry_run) await record(entryOf(context, { phase: 'requested' }))
      return { allowed: true }
    },
    onSuccess: async (context) => {
      await record(entryOf(context, { phase: 'succeeded', actual_cost: context.actual_cost }))
    },
    onFailure: async (context) => {
      const { phase, reason, actual_cost } = context
      await record(entryOf(context, { phase, reason, actual_cost }))
    },
  }
}

function entryOf(
  context: HookContext,
  end: {
    readonly phase: SecurityAuditEntry['phase']
    readonly reason?: string | undefined
    readonly actual_cost?: number | undefined
  },
): SecurityAuditEntry {
  const { session_id, agent_id, run_id, call_id, estimated_cost } = context
  const { phase, reason, actual_cost } = end
  return {
    phase,
    tool_name: context.tool_name,
    capabilities: [...context.capabilities],
    agent_role: context.agent_role,
    project: context.project,
    ...(session_id !== undefined && { session_id }),
    ...(agent_id !== undefined && { agent_id }),
    ...(run_id !== undefined && { run_id }),
    ...(call_id !== undefined && { call_id }),
    parameters: redactSecrets(context.parameters),
    ...(estimated_cost !== undefined && { estimated_cost }),
    ...(actual_cost !== undefined && { actual_cost }),
    ...(reason !== undefined && { reason }),
  }
}
