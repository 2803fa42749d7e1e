/** Hooks are told how it went, and cannot change it. */
import { describe, expect, it, vi } from 'vitest'
import { runAftermath } from '../../src/permissions/aftermath.ts'
import { createHookContext } from '../../src/permissions/hook-context.ts'
import { PermissionHookRegistry } from '../../src/permissions/hook-registry.ts'
import type {
  FailureContext,
  NamedHook,
  PermissionHook,
  SuccessContext,
} from '../../src/permissions/permission-hook.ts'
import { ManualClock, settled } from './manual-clock.ts'

const context = createHookContext({
  tool_name: 'execute:api',
  parameters: { rows: 1 },
  agent_role: 'workagent',
  project: 'p',
  estimated_cost: 2,
})
const hooksOf = (hooks: Record<string, Partial<PermissionHook>>): NamedHook[] =>
  PermissionHookRegistry.from(
    Object.fromEntries(
      Object.entries(hooks).map(([name, hook]) => [
        name,
        { triggers: ['*'], validate: () => ({ allowed: true }), ...hook },
      ]),
    ),
  ).getTriggeredHooks('x')

describe('O-142 onSuccess', () => {
  it('gets estimated cost, actual cost and a frozen copy of the result', async () => {
    const onSuccess = vi.fn<(context: SuccessContext) => void>()
    const onFailure = vi.fn<(context: FailureContext) => void>()
    const result = { rows: [1] }
    await runAftermath(hooksOf({ a: { onSuccess, onFailure }, silent: {} }), context, {
      outcome: { kind: 'succeeded', result, actual_cost: 1.5 },
    })
    expect(onFailure).not.toHaveBeenCalled()
    expect(onSuccess).toHaveBeenCalledOnce()
    const told = onSuccess.mock.calls[0]?.[0]
    expect(told).toMatchObject({
      tool_name: 'execute:api',
      estimated_cost: 2,
      actual_cost: 1.5,
      result: { rows: [1] },
    })
    expect(told?.result).not.toBe(result)
    expect(Object.isFrozen(told) && Object.isFrozen(told?.result)).toBe(true)
  })

  it('is told also of a result that is no data', async () => {
    const onSuccess = vi.fn<(context: SuccessContext) => void>()
    await runAftermath(hooksOf({ a: { onSuccess } }), context, {
      outcome: { kind: 'succeeded', result: new Map() },
    })
    expect(onSuccess.mock.calls[0]?.[0].result).toBeUndefined()
  })
})

describe('O-143 onFailure', () => {
  it('after a denial has the phase "denied" with reason and alternatives', async () => {
    const onFailure = vi.fn<(context: FailureContext) => void>()
    await runAftermath(hooksOf({ a: { onFailure } }), context, {
      outcome: { kind: 'denied', reason: 'r', alternatives: ['x'] },
    })
    expect(onFailure.mock.calls[0]?.[0]).toMatchObject({
      phase: 'denied',
      reason: 'r',
      alternatives: ['x'],
      error: undefined,
      estimated_cost: 2,
    })
  })

  it('after an error of the tool has the phase "error" with the error', async () => {
    const onFailure = vi.fn<(context: FailureContext) => void>()
    const error = new Error('disk')
    await runAftermath(hooksOf({ a: { onFailure } }), context, {
      outcome: { kind: 'failed', error, actual_cost: 1 },
    })
    expect(onFailure.mock.calls[0]?.[0]).toMatchObject({
      phase: 'error',
      error,
      reason: undefined,
      alternatives: [],
      actual_cost: 1,
    })
  })

  it('errors inside go to onError, and the other hooks are told all the same', async () => {
    const onError = vi.fn<(error: unknown, hook: string) => void>()
    const last = vi.fn<() => void>()
    const hooks = hooksOf({
      sync: {
        onFailure: () => {
          throw new Error('one')
        },
      },
      async: { onFailure: () => Promise.reject(new Error('two')) },
      last: { onFailure: last },
    })
    await runAftermath(hooks, context, { outcome: { kind: 'denied' }, onError })
    expect(onError.mock.calls.map(([error, hook]) => [(error as Error).message, hook])).toEqual([
      ['one', 'sync'],
      ['two', 'async'],
    ])
    expect(last).toHaveBeenCalledOnce()
  })

  it('an onError that throws changes nothing', async () => {
    const hooks = hooksOf({ bad: { onFailure: () => Promise.reject(new Error('x')) } })
    const onError = (): void => {
      throw new Error('reporter broke')
    }
    await expect(
      runAftermath(hooks, context, { outcome: { kind: 'denied' }, onError }),
    ).resolves.toBeUndefined()
    await expect(runAftermath(hooks, context, { outcome: { kind: 'denied' } })).resolves.toBeUndefined()
  })

  it('a hook that hangs is left behind after its time', async () => {
    const clock = new ManualClock()
    const onError = vi.fn<(error: unknown, hook: string) => void>()
    const hooks = hooksOf({ hang: { onFailure: () => new Promise(() => {}) } })
    const told = runAftermath(hooks, context, { outcome: { kind: 'denied' }, onError, clock, timeoutMs: 50 })
    await settled()
    clock.advance(50)
    await told
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ message: 'No end within 50 ms' }), 'hang')
  })

  it('hooks hear of a cancelled operation too, with a live signal', async () => {
    const cancelled = { ...context, signal: AbortSignal.abort() }
    const onFailure = vi.fn<(context: FailureContext) => void>()
    await runAftermath(hooksOf({ a: { onFailure } }), cancelled, {
      outcome: { kind: 'failed', error: 'cancelled' },
    })
    expect(onFailure.mock.calls[0]?.[0].signal.aborted).toBe(false)
  })
})
