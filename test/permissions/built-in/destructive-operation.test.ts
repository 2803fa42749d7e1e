/** Deletions and force-pushes wait for a person. */
import { describe, expect, it, vi } from 'vitest'
import { runAftermath } from '../../../src/permissions/aftermath.ts'
import { dataProtectionHook } from '../../../src/permissions/built-in/data-protection.ts'
import {
  destructiveOperationHook,
  type DestructiveOperationNotice,
  type DestructiveOperationOptions,
} from '../../../src/permissions/built-in/destructive-operation.ts'
import { PermissionHookRegistry } from '../../../src/permissions/hook-registry.ts'
import { judge, type Judgement } from '../../../src/permissions/judge.ts'
import type { PermissionHook } from '../../../src/permissions/permission-hook.ts'

const judged = (hook: PermissionHook, tool_name: string, parameters: object = {}): Promise<Judgement> =>
  judge(PermissionHookRegistry.from({ hook }), {
    tool_name,
    parameters: { ...parameters },
    agent_role: 'orchestrator',
    project: 'shop',
  })
const DESTRUCTIVE = ['execute:database:delete', 'execute:file:delete', 'execute:git:force-push']

describe('O-150 destructiveOperationHook', () => {
  it.each(DESTRUCTIVE)('denies %s by default, whatever the parameters', async (tool) => {
    expect((await judged(destructiveOperationHook(), tool)).verdict.allowed).toBe(false)
  })

  it.each(['execute:database:read', 'execute:file:write', 'execute:git:push'])(
    'is not asked for %s',
    async (tool) => {
      expect((await judged(destructiveOperationHook(), tool)).hooks).toEqual([])
    },
  )

  it.each([
    [{}, true],
    [{ force: false, cascade: 0 }, true],
    [{ force: true }, false],
    [{ cascade: 'yes' }, false],
  ])('in the mode of the article: %j → allowed %s', async (parameters, allowed) => {
    const hook = destructiveOperationHook({ mode: 'force-or-cascade' })
    expect((await judged(hook, 'execute:file:delete', parameters)).verdict.allowed).toBe(allowed)
  })

  it('refuses an unknown mode', () => {
    const options = { mode: 'some' } as unknown as DestructiveOperationOptions
    expect(() => destructiveOperationHook(options)).toThrow(
      expect.objectContaining({ code: 'PM_INVALID_OPTION', path: 'mode' }),
    )
  })

  it('O-151 says why and what to do instead', async () => {
    expect((await judged(destructiveOperationHook(), 'execute:file:delete')).verdict).toMatchObject({
      reason: 'Destructive operations require human approval',
      alternatives: [
        'Soft delete: mark records as archived',
        'Request manual review before deletion',
        'Create backup before proceeding',
      ],
    })
  })
})

describe('O-152 the notice', () => {
  const parameters = { path: 'dist', api_key: 'abc', nested: { url: 'postgres://me:pw@db/x' } }

  it('goes to #security without secrets', async () => {
    const notify = vi.fn<(notice: DestructiveOperationNotice) => void>()
    const { hooks, context } = await judged(
      destructiveOperationHook({ notify }),
      'execute:file:delete',
      parameters,
    )
    await runAftermath(hooks, context, { outcome: { kind: 'denied' } })
    expect(notify.mock.calls).toEqual([
      [
        {
          channel: '#security',
          message: 'Destructive operation blocked in shop',
          details: {
            tool: 'execute:file:delete',
            agent_role: 'orchestrator',
            parameters: {
              path: 'dist',
              api_key: '[redacted]',
              nested: { url: 'postgres://[redacted]@db/x' },
            },
          },
        },
      ],
    ])
  })

  it('is not sent for an operation that ran and failed', async () => {
    const notify = vi.fn<(notice: DestructiveOperationNotice) => void>()
    const { hooks, context } = await judged(destructiveOperationHook({ notify }), 'execute:file:delete')
    await runAftermath(hooks, context, { outcome: { kind: 'failed', error: 'x' } })
    expect(notify).not.toHaveBeenCalled()
  })
})

describe('O-164 dataProtectionHook', () => {
  it.each(['execute:database:delete', 'execute:file:delete'])('denies %s', async (tool) => {
    expect((await judged(dataProtectionHook(), tool)).verdict).toMatchObject({
      allowed: false,
      reason: 'Destructive operations require human approval',
    })
  })

  it('is not asked for a force-push', async () => {
    expect((await judged(dataProtectionHook(), 'execute:git:force-push')).hooks).toEqual([])
  })
})
