/** The article's own hooks compile as printed (one cast, see below) and decide as printed. */
import { describe, expect, it, vi } from 'vitest'
import { runAftermath } from '../../src/permissions/aftermath.ts'
import { getRoleLimit } from '../../src/permissions/built-in/cost-control.ts'
import { PermissionHookRegistry } from '../../src/permissions/hook-registry.ts'
import { judge, type Judgement } from '../../src/permissions/judge.ts'
import type { PermissionHook } from '../../src/permissions/permission-hook.ts'

const logger = { info: vi.fn<(message: string, fields: object) => void>() }
const notifySlack = vi.fn<(message: object) => Promise<void>>(async () => {})
const estimateOperationCost = (tool_name: string, parameters: Record<string, unknown>): number =>
  tool_name === 'execute:api' ? Number(parameters['calls']) : 0

const costControlHook: PermissionHook = {
  triggers: ['execute:api', 'execute:compute'],
  validate: async (context) => {
    const { tool_name, parameters, agent_role } = context
    const estimatedCost = estimateOperationCost(tool_name, parameters)
    // The edit: strict TypeScript does not index an object literal by any string.
    const thresholds: Record<string, number> = {
      workagent: 5.0,
      supervisor: 25.0,
      orchestrator: 100.0,
    }
    const threshold = thresholds[agent_role] || 0
    if (estimatedCost > threshold) {
      return {
        allowed: false,
        reason: `Operation costs $${estimatedCost.toFixed(2)}, exceeds $${threshold.toFixed(2)} limit for ${agent_role}`,
        alternatives: ['Split operation into smaller subtasks'],
      }
    }
    return { allowed: true }
  },
  onSuccess: async (context) => {
    logger.info('Cost-controlled operation executed', {
      tool: context.tool_name,
      cost: context.estimated_cost,
      agent: context.agent_role,
    })
  },
}

const destructiveOperationHook: PermissionHook = {
  triggers: ['execute:database:delete', 'execute:file:delete', 'execute:git:force-push'],
  validate: async (context) => {
    const { parameters } = context
    if (parameters['force'] || parameters['cascade']) {
      return { allowed: false, reason: 'Destructive operations require human approval' }
    }
    return { allowed: true }
  },
  onFailure: async (context) => {
    await notifySlack({
      channel: '#security',
      message: `Destructive operation blocked in ${context.project}`,
      details: { tool: context.tool_name, agent_role: context.agent_role, parameters: context.parameters },
    })
  },
}

const granularCostHook: PermissionHook = {
  triggers: ['execute:api', 'execute:compute'],
  validate: async (context) => {
    const cost = estimateOperationCost(context.tool_name, context.parameters)
    const limit = getRoleLimit(context.agent_role)
    return {
      allowed: cost <= limit,
      reason: cost > limit ? `Exceeds $${limit} limit` : undefined,
    }
  },
}

const permissiveHook: PermissionHook = {
  triggers: ['execute:*'],
  validate: async () => ({ allowed: true }),
}

const judged = (hook: PermissionHook, tool_name: string, parameters: object = {}): Promise<Judgement> =>
  judge(PermissionHookRegistry.from({ hook }), {
    tool_name,
    parameters: { ...parameters },
    agent_role: 'workagent',
    project: 'shop',
    estimated_cost: 5,
  })

describe('O-132 the hooks of the article', () => {
  it('O-144 costControlHook: $5 passes and is logged, $6 is denied', async () => {
    const { verdict, hooks, context } = await judged(costControlHook, 'execute:api', { calls: 5 })
    expect(verdict.allowed).toBe(true)
    await runAftermath(hooks, context, { outcome: { kind: 'succeeded', result: null } })
    expect(logger.info).toHaveBeenCalledWith('Cost-controlled operation executed', {
      tool: 'execute:api',
      cost: 5,
      agent: 'workagent',
    })
    expect((await judged(costControlHook, 'execute:api', { calls: 6 })).verdict.reason).toBe(
      'Operation costs $6.00, exceeds $5.00 limit for workagent',
    )
  })

  it('O-150 O-152 destructiveOperationHook: a forced deletion is denied and reported', async () => {
    expect((await judged(destructiveOperationHook, 'execute:file:delete')).verdict.allowed).toBe(true)
    const { verdict, hooks, context } = await judged(destructiveOperationHook, 'execute:file:delete', {
      force: true,
    })
    expect(verdict.allowed).toBe(false)
    await runAftermath(hooks, context, { outcome: { kind: 'denied', reason: verdict.reason } })
    expect(notifySlack).toHaveBeenCalledWith(
      expect.objectContaining({ message: 'Destructive operation blocked in shop' }),
    )
  })

  it('O-163 the granular cost hook', async () => {
    expect((await judged(granularCostHook, 'execute:api', { calls: 5 })).verdict.allowed).toBe(true)
    expect((await judged(granularCostHook, 'execute:api', { calls: 6 })).verdict.reason).toBe(
      'Exceeds $5 limit',
    )
  })

  it('O-134 O-162 the permissive hook is asked for everything below execute', async () => {
    expect((await judged(permissiveHook, 'execute:file:delete')).testimony).toHaveLength(1)
    expect((await judged(permissiveHook, 'session:pause')).testimony).toHaveLength(0)
  })
})
