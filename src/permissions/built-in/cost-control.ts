/** The built-in hook that denies an operation whose estimated cost is above the limit of the agent's role. */
import { PermissionError } from '../permission-error.ts'
import type { HookAnswer, HookContext, PermissionHook } from '../permission-hook.ts'

/** USD that one operation may cost, by role. */
const ROLE_LIMITS: Readonly<Record<string, number>> = { workagent: 5, supervisor: 25, orchestrator: 100 }

const TOO_EXPENSIVE = [
  'Split operation into smaller subtasks',
  'Request approval via escalation',
  'Optimize parameters to reduce cost',
]

const WITHOUT_ESTIMATE = [
  'Declare an estimate on the tool (`estimate: () => 0` for a free one)',
  'Request approval via escalation',
]

export type CostControlOptions = {
  /** USD per operation, by role; roles that are left out keep their default. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined
  /** USD for these parameters, or `undefined` to fall back to what the tool declared. */
  readonly estimate?:
    | ((
        tool_name: string,
        parameters: Readonly<Record<string, unknown>>,
      ) => Promise<number | undefined> | number | undefined)
    | undefined
  /** Default: `execute:api`, `execute:compute`. */
  readonly triggers?: readonly string[] | undefined
  /** Too expensive: leave it to a person instead of denying it. Default false. */
  readonly approval?: boolean | undefined
  /** Told of each operation that was let pass and succeeded. */
  readonly logger?: { info(message: string, fields: Readonly<Record<string, unknown>>): void } | undefined
}

/** USD that one operation may cost for a role; 0 for a role that is not known. */
export function getRoleLimit(role: string): number {
  return limitIn(ROLE_LIMITS, role)
}

/**
 * Denies what costs more than the role's limit (a cost equal to it passes), and what has no estimate.
 * Throws `PM_INVALID_OPTION` for a threshold that is not a number of USD.
 */
export function costControlHook(options: CostControlOptions = {}): PermissionHook {
  const { estimate, logger, approval = false, triggers = ['execute:api', 'execute:compute'] } = options
  const limits = { ...ROLE_LIMITS, ...checkedThresholds(options.thresholds ?? {}) }

  const costOf = async (context: HookContext): Promise<number | undefined> => {
    const cost = (await estimate?.(context.tool_name, context.parameters)) ?? context.estimated_cost
    // NaN is above no limit and a negative cost is below every one: neither is an estimate.
    return Number.isFinite(cost) && (cost ?? -1) >= 0 ? cost : undefined
  }

  return {
    triggers: [...triggers],
    validate: async (context): Promise<HookAnswer> => {
      const role = context.agent_role
      const limit = limitIn(limits, role)
      const cost = await costOf(context)
      if (cost === undefined) {
        return {
          allowed: false,
          reason: `Operation has no cost estimate, so it cannot be held to the $${limit.toFixed(2)} limit for ${role}`,
          alternatives: WITHOUT_ESTIMATE,
        }
      }
      if (cost > limit) {
        return {
          allowed: false,
          reason: `Operation costs $${cost.toFixed(2)}, exceeds $${limit.toFixed(2)} limit for ${role}`,
          alternatives: TOO_EXPENSIVE,
          ...(approval && { requires_approval: true }),
        }
      }
      return { allowed: true }
    },
    onSuccess: async (context) => {
      if (logger === undefined) return
      logger.info('Cost-controlled operation executed', {
        tool: context.tool_name,
        cost: await costOf(context),
        agent: context.agent_role,
      })
    },
  }
}

/** Own properties only: a role named like a method of every object is an unknown role. */
function limitIn(limits: Readonly<Record<string, number>>, role: string): number {
  return Object.hasOwn(limits, role) ? (limits[role] ?? 0) : 0
}

function checkedThresholds(thresholds: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  for (const [role, limit] of Object.entries(thresholds)) {
    if (typeof limit === 'number' && limit >= 0) continue
    throw new PermissionError('PM_INVALID_OPTION', {
      happened: `The threshold for the role "${role}" is ${String(limit)}.`,
      expected: 'Expected a number of USD, 0 or more.',
      todo: 'Correct the threshold, or leave the role out to keep its default.',
      path: `thresholds.${role}`,
    })
  }
  return thresholds
}
