/** One door: from a request to a verdict that a guard will repeat. */
import { describe, expect, it, vi } from 'vitest'
import { verdictOf } from '../../machines/testimony.ts'
import { costControlHook } from '../../src/permissions/built-in/cost-control.ts'
import { dataProtectionHook } from '../../src/permissions/built-in/data-protection.ts'
import { destructiveOperationHook } from '../../src/permissions/built-in/destructive-operation.ts'
import { PermissionHookRegistry } from '../../src/permissions/hook-registry.ts'
import { judge, type JudgeRequest } from '../../src/permissions/judge.ts'
import type { PermissionHook } from '../../src/permissions/permission-hook.ts'
import { ManualClock, settled } from './manual-clock.ts'

const request = (more: Partial<JudgeRequest> = {}): JudgeRequest => ({
  tool_name: 'execute:api',
  parameters: {},
  agent_role: 'workagent',
  project: 'p',
  ...more,
})
const saying = (answer: unknown, trigger = '*'): PermissionHook => ({
  triggers: [trigger],
  validate: (async () => answer) as PermissionHook['validate'],
})

describe('O-131 the verdict waits for every hook', () => {
  it('is not given before the last hook has answered', async () => {
    let answer: (value: { allowed: boolean }) => void = () => {}
    const slow: PermissionHook = {
      triggers: ['*'],
      validate: () => new Promise((resolve) => (answer = resolve)),
    }
    const done = vi.fn<() => void>()
    const judged = judge(PermissionHookRegistry.from({ slow }), request()).finally(done)
    await settled()
    expect(done).not.toHaveBeenCalled()
    answer({ allowed: true })
    expect((await judged).verdict.allowed).toBe(true)
  })

  it('allows what triggers no hook', async () => {
    const { testimony, verdict, hooks } = await judge(new PermissionHookRegistry(), request())
    expect({ testimony, hooks }).toEqual({ testimony: [], hooks: [] })
    expect(verdict).toEqual({ allowed: true, alternatives: [], bypassed: [] })
  })

  it('O-158 the first denial wins, with hook, reason and alternatives', async () => {
    const registry = PermissionHookRegistry.from({
      fine: saying({ allowed: true }),
      no: saying({ allowed: false, reason: 'r', alternatives: ['x'] }),
      other: saying({ allowed: false, reason: 'other' }),
    })
    const { verdict, testimony, hooks } = await judge(registry, request(), { evaluateAll: true })
    expect(verdict).toEqual({ allowed: false, by: 'no', reason: 'r', alternatives: ['x'], bypassed: [] })
    expect(testimony).toHaveLength(3)
    expect(hooks.map((hook) => hook.name)).toEqual(['fine', 'no', 'other'])
  })

  it('the recorded testimony gives the same verdict again', async () => {
    const { verdict, testimony } = await judge(
      PermissionHookRegistry.from({ bad: saying(undefined) }),
      request(),
    )
    const recorded = JSON.parse(JSON.stringify(testimony)) as typeof testimony
    expect(verdictOf(recorded, { stopping: false })).toEqual(verdict)
  })

  it('gives up with the caller', async () => {
    const registry = PermissionHookRegistry.from({ fine: saying({ allowed: true }) })
    await expect(judge(registry, request(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'PM_ABORTED',
    })
  })

  it('a mistyped capability is refused, not let pass', async () => {
    const registry = PermissionHookRegistry.from({ 'data-protection': dataProtectionHook() })
    const asked = judge(registry, request({ capabilities: ['execute:file::delete'] }))
    await expect(asked).rejects.toMatchObject({ code: 'PM_INVALID_CAPABILITY', path: 'capabilities[0]' })
  })
})

describe('ruling 14: stopping is never blocked by a hook in trouble', () => {
  const stop = request({ tool_name: 'session:pause', stopping: true })

  it.each([
    ['throws', { triggers: ['session:*'], validate: () => Promise.reject(new Error('x')) }],
    ['answers undefined', saying(undefined)],
    ['answers { allowed: "yes" }', saying({ allowed: 'yes' })],
  ])('a hook that %s is passed over and noted', async (_, bad) => {
    const registry = PermissionHookRegistry.from({ bad })
    expect((await judge(registry, stop)).verdict).toEqual({
      allowed: true,
      alternatives: [],
      bypassed: ['bad'],
    })
    expect((await judge(registry, { ...stop, stopping: false })).verdict).toMatchObject({
      allowed: false,
      by: 'bad',
    })
  })

  it('a hook that hangs is passed over after its time', async () => {
    const clock = new ManualClock()
    const registry = PermissionHookRegistry.from({
      hang: { triggers: ['*'], validate: () => new Promise(() => {}) },
    })
    const judged = judge(registry, stop, { clock, timeoutMs: 100 })
    await settled()
    clock.advance(100)
    expect((await judged).verdict).toEqual({ allowed: true, alternatives: [], bypassed: ['hang'] })
  })

  it('an explicit "no" still counts, also behind a hook in trouble', async () => {
    const registry = PermissionHookRegistry.from({
      bad: saying(undefined),
      no: saying({ allowed: false, reason: 'a deployment is under way' }),
    })
    expect((await judge(registry, stop)).verdict).toMatchObject({
      allowed: false,
      by: 'no',
      reason: 'a deployment is under way',
      bypassed: ['bad'],
    })
  })
})

describe('O-130 the agent that was told to optimise database queries', () => {
  const registry = PermissionHookRegistry.from({
    schema: saying({ allowed: false, reason: 'schema changes need a review' }, 'execute:database:schema'),
    'destructive-ops': destructiveOperationHook(),
    'cost-control': costControlHook(),
  })
  it.each([
    ['adds columns', 'execute:database:schema:add-column', 'schema'],
    ['runs DELETE', 'execute:database:delete', 'destructive-ops'],
    ['changes an index', 'execute:database:schema:index', 'schema'],
  ])('%s: denied', async (_, capability, by) => {
    const { verdict } = await judge(registry, request({ tool_name: 'sql', capabilities: [capability] }))
    expect(verdict).toMatchObject({ allowed: false, by })
  })

  it('reads: allowed', async () => {
    const { verdict } = await judge(
      registry,
      request({ tool_name: 'sql', capabilities: ['execute:database:read'] }),
    )
    expect(verdict.allowed).toBe(true)
  })
})

it('O-154 a replaced hook is asked, the old one is not', async () => {
  const old = vi.fn<PermissionHook['validate']>(() => ({ allowed: false }))
  const registry = PermissionHookRegistry.from({ gate: { triggers: ['*'], validate: old } })
  registry.register('gate', saying({ allowed: true }))
  expect((await judge(registry, request())).verdict.allowed).toBe(true)
  expect(old).not.toHaveBeenCalled()
})
