/** The cost hook holds an operation to the limit of the agent's role. */
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { runAftermath } from '../../../src/permissions/aftermath.ts'
import {
  costControlHook,
  type CostControlOptions,
  getRoleLimit,
} from '../../../src/permissions/built-in/cost-control.ts'
import { PermissionHookRegistry } from '../../../src/permissions/hook-registry.ts'
import { judge, type Judgement } from '../../../src/permissions/judge.ts'

const judged = (agent_role: string, cost?: number, options: CostControlOptions = {}): Promise<Judgement> =>
  judge(PermissionHookRegistry.from({ 'cost-control': costControlHook(options) }), {
    tool_name: 'execute:api',
    parameters: { rows: 10 },
    agent_role,
    project: 'p',
    estimated_cost: cost,
  })
const allows = async (role: string, cost?: number, options?: CostControlOptions): Promise<boolean> =>
  (await judged(role, cost, options)).verdict.allowed

describe('O-144 O-146 the limit of a role', () => {
  it.each([
    ['workagent', 5],
    ['supervisor', 25],
    ['orchestrator', 100],
  ])('%s: $%d passes, a cent more is denied', async (role, limit) => {
    expect(getRoleLimit(role)).toBe(limit)
    expect(await allows(role, limit)).toBe(true)
    expect(await allows(role, limit + 0.01)).toBe(false)
  })

  it('denies exactly what is above the limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('workagent', 'supervisor', 'orchestrator', 'stranger'),
        fc.double({ min: 0, max: 200, noNaN: true }),
        async (role, cost) => {
          expect(await allows(role, cost)).toBe(cost <= getRoleLimit(role))
        },
      ),
    )
  })

  it.each(['stranger', 'constructor', 'toString', '__proto__'])(
    'O-147 the unknown role %s has 0',
    async (role) => {
      expect(getRoleLimit(role)).toBe(0)
      expect(await allows(role, 0.01)).toBe(false)
      expect(await allows(role, 0)).toBe(true)
    },
  )

  it('can be set per role, the others keep theirs', async () => {
    const thresholds = { workagent: 1, reviewer: 7 }
    expect(await allows('workagent', 2, { thresholds })).toBe(false)
    expect(await allows('reviewer', 7, { thresholds })).toBe(true)
    expect(await allows('supervisor', 25, { thresholds })).toBe(true)
  })

  it.each([-1, Number.NaN, '5'])('refuses the threshold %j', (limit) => {
    expect(() => costControlHook({ thresholds: { workagent: limit as number } })).toThrow(
      expect.objectContaining({ code: 'PM_INVALID_OPTION', path: 'thresholds.workagent' }),
    )
  })
})

it('O-148 says what it costs, what the limit is and what to do instead', async () => {
  const { verdict } = await judged('workagent', 7.5)
  expect(verdict).toMatchObject({
    reason: 'Operation costs $7.50, exceeds $5.00 limit for workagent',
    alternatives: [
      'Split operation into smaller subtasks',
      'Request approval via escalation',
      'Optimize parameters to reduce cost',
    ],
  })
})

describe('O-145 ruling 8: the estimate', () => {
  it('that is not known is denied, with the advice to declare one', async () => {
    const { verdict, testimony } = await judged('orchestrator')
    expect(verdict.allowed).toBe(false)
    expect(verdict.reason).toContain('no cost estimate')
    expect(verdict.alternatives[0]).toContain('estimate: () => 0')
    expect(testimony[0]?.trouble).toBeUndefined()
  })

  it('of an estimator goes before what the tool declared', async () => {
    const estimate = vi.fn<NonNullable<CostControlOptions['estimate']>>(async () => 9)
    expect((await judged('workagent', 1, { estimate })).verdict.reason).toContain('$9.00')
    expect(estimate).toHaveBeenCalledWith('execute:api', { rows: 10 })
  })

  it('that the estimator does not know is what the tool declared', async () => {
    expect(await allows('workagent', 1, { estimate: () => undefined })).toBe(true)
  })

  it.each([Number.NaN, -1, Infinity])('%s is none', async (cost) => {
    const { verdict } = await judged('orchestrator', undefined, { estimate: () => cost })
    expect(verdict.reason).toContain('no cost estimate')
  })

  it('whose estimator throws denies', async () => {
    const estimate = (): number => {
      throw new Error('no prices')
    }
    expect((await judged('workagent', 1, { estimate })).testimony[0]).toMatchObject({
      allowed: false,
      trouble: 'threw',
    })
  })
})

it('O-144 is triggered by execute:api and execute:compute, or as told', () => {
  expect(costControlHook().triggers).toEqual(['execute:api', 'execute:compute'])
  expect(costControlHook({ triggers: ['llm'] }).triggers).toEqual(['llm'])
})

it('O-149 logs what was let pass', async () => {
  const info = vi.fn<(message: string, fields: object) => void>()
  const { hooks, context } = await judged('workagent', undefined, { estimate: () => 3, logger: { info } })
  await runAftermath(hooks, context, { outcome: { kind: 'succeeded', result: 1 } })
  expect(info.mock.calls).toEqual([
    ['Cost-controlled operation executed', { tool: 'execute:api', cost: 3, agent: 'workagent' }],
  ])
})
