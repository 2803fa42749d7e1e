/** The registry keeps hooks in order and finds those that a name triggers. */
import { describe, expect, it, vi } from 'vitest'
import { createHookContext } from '../../src/permissions/hook-context.ts'
import { PermissionHookRegistry } from '../../src/permissions/hook-registry.ts'
import { PermissionDeniedError } from '../../src/permissions/permission-denied-error.ts'
import type { HookContext, PermissionHook } from '../../src/permissions/permission-hook.ts'

const hook = (...triggers: string[]): PermissionHook => ({
  triggers,
  validate: async () => ({ allowed: true }),
})
const context = createHookContext({ tool_name: 't', parameters: {}, agent_role: 'workagent', project: 'p' })

describe('registration', () => {
  it('O-153 O-154 keeps the order of registration', () => {
    const registry = new PermissionHookRegistry()
    expect(registry.register('cost-control', hook('execute:api'))).toBe('registered')
    registry.register('destructive-ops', hook('execute:database:delete'))
    registry.register('security-audit', hook('*'))
    expect(registry.names()).toEqual(['cost-control', 'destructive-ops', 'security-audit'])
  })

  it('O-154 replaces a hook of the same name, in its place', async () => {
    const registry = PermissionHookRegistry.from({ first: hook('*'), second: hook('*') })
    const said = registry.register('first', {
      triggers: ['*'],
      validate: () => ({ allowed: false, reason: 'new' }),
    })
    expect(said).toBe('replaced')
    expect(registry.names()).toEqual(['first', 'second'])
    expect(await registry.getTriggeredHooks('x')[0]?.validate(context)).toEqual({
      allowed: false,
      reason: 'new',
    })
  })

  it('O-154 unregisters by name', () => {
    const registry = PermissionHookRegistry.from({ a: hook('*') })
    expect(registry.unregister('a')).toBe(true)
    expect(registry.unregister('a')).toBe(false)
    expect(registry.getTriggeredHooks('x')).toEqual([])
  })

  it('runs what was registered, whatever is done to the hook afterwards', async () => {
    const mine = { triggers: ['execute'], validate: () => ({ allowed: false }) }
    const registry = PermissionHookRegistry.from({ mine })
    mine.triggers.pop()
    mine.validate = () => ({ allowed: true })
    const [found] = registry.getTriggeredHooks('execute:api')
    expect(await found?.validate(context)).toEqual({ allowed: false })
    expect(Object.isFrozen(found)).toBe(true)
  })

  it('accepts an instance of a class', async () => {
    class Budget implements PermissionHook {
      readonly triggers = ['execute']
      readonly #left = 3
      async validate({ estimated_cost }: HookContext) {
        return { allowed: (estimated_cost ?? Infinity) <= this.#left }
      }
    }
    const [found] = PermissionHookRegistry.from({ budget: new Budget() }).getTriggeredHooks('execute')
    expect(await found?.validate({ ...context, estimated_cost: 3 })).toEqual({ allowed: true })
  })

  it.each([
    { name: '', bad: hook('*'), code: 'PM_INVALID_HOOK', path: 'hooks' },
    { name: 'two words', bad: hook('*'), code: 'PM_INVALID_HOOK', path: 'hooks' },
    { name: 'x', bad: null, code: 'PM_INVALID_HOOK', path: 'hooks.x' },
    { name: 'x', bad: {}, code: 'PM_INVALID_HOOK', path: 'hooks.x.validate' },
    { name: 'x', bad: hook(), code: 'PM_INVALID_HOOK', path: 'hooks.x.triggers' },
    { name: 'x', bad: { ...hook('*'), triggers: '*' }, code: 'PM_INVALID_HOOK', path: 'hooks.x.triggers' },
    { name: 'x', bad: { ...hook('*'), onSuccess: 1 }, code: 'PM_INVALID_HOOK', path: 'hooks.x.onSuccess' },
    { name: 'x', bad: { ...hook('*'), onFailure: 'no' }, code: 'PM_INVALID_HOOK', path: 'hooks.x.onFailure' },
    { name: 'x', bad: hook('ok', 'not ok'), code: 'PM_INVALID_TRIGGER', path: 'hooks.x.triggers[1]' },
  ])('refuses $bad named "$name" with $code at $path, and changes nothing', ({ name, bad, code, path }) => {
    const registry = PermissionHookRegistry.from({ x: hook('kept') })
    expect(() => registry.register(name, bad as PermissionHook)).toThrow(
      expect.objectContaining({ code, path }),
    )
    expect(registry.getTriggeredHooks('kept')).toHaveLength(1)
    expect(registry.names()).toEqual(['x'])
  })
})

describe('O-156 getTriggeredHooks', () => {
  const registry = PermissionHookRegistry.from({
    all: hook('*'),
    database: hook('execute:database', 'execute:database:delete'),
    files: hook('execute:file'),
    bash: hook('Bash'),
  })
  const names = (tool: string, capabilities?: string[]) =>
    registry.getTriggeredHooks(tool, capabilities).map((hook) => hook.name)

  it('returns the triggered hooks with their names, in order, each once', () => {
    expect(names('execute:database:delete')).toEqual(['all', 'database'])
    expect(names('execute:api')).toEqual(['all'])
  })

  it('O-137 triggers by the tool name or by any of its capabilities', () => {
    expect(names('Bash', ['execute:file:delete', 'execute:database'])).toEqual([
      'all',
      'database',
      'files',
      'bash',
    ])
  })

  it.each([
    ['execute::database', undefined, 'tool_name'],
    ['Bash', ['execute:file '], 'capabilities[0]'],
  ])('refuses %j %j, which would slip past the triggers', (tool, capabilities, path) => {
    expect(() => names(tool, capabilities)).toThrow(
      expect.objectContaining({ code: 'PM_INVALID_CAPABILITY', path }),
    )
  })
})

it('O-157 O-158 O-160 the composition of the article: the first denial throws', async () => {
  const permissionSystem = new PermissionHookRegistry()
  const logger = { warn: vi.fn<(message: string, fields: object) => void>() }
  const later = vi.fn<PermissionHook['validate']>(async () => ({ allowed: true }))
  permissionSystem.register('destructive-ops', {
    triggers: ['execute:database:delete'],
    validate: async () => ({ allowed: false, reason: 'no', alternatives: ['archive it'] }),
  })
  permissionSystem.register('later', { triggers: ['*'], validate: later })
  const beforeToolExecute = async (context: HookContext): Promise<void> => {
    const hooks = permissionSystem.getTriggeredHooks(context.tool_name)
    for (const hook of hooks) {
      const result = await hook.validate(context)
      if (!result.allowed) {
        logger.warn('Tool execution blocked by permission hook', {
          hook: hook.name,
          tool: context.tool_name,
          reason: result.reason,
        })
        throw new PermissionDeniedError(result.reason, result.alternatives)
      }
    }
  }
  await expect(beforeToolExecute({ ...context, tool_name: 'execute:database:delete' })).rejects.toMatchObject(
    {
      code: 'PM_DENIED',
      reason: 'no',
      alternatives: ['archive it'],
    },
  )
  expect(logger.warn.mock.calls).toEqual([
    [
      'Tool execution blocked by permission hook',
      { hook: 'destructive-ops', tool: 'execute:database:delete', reason: 'no' },
    ],
  ])
  expect(later).not.toHaveBeenCalled()
})
