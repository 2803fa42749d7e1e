/** The built-in hook that keeps deletions and force-pushes for a person to decide. */
import { PermissionError } from '../permission-error.ts'
import type { PermissionHook } from '../permission-hook.ts'
import { redactSecrets } from '../redaction.ts'

/** What goes to the people who watch when a destructive operation was blocked. */
export type DestructiveOperationNotice = {
  readonly channel: string
  readonly message: string
  readonly details: {
    readonly tool: string
    readonly agent_role: string
    /** Without what looks like a secret. */
    readonly parameters: unknown
  }
}

export type DestructiveOperationOptions = {
  /** `all` (default) denies every triggering operation; `force-or-cascade` only with `force` or `cascade` set. */
  readonly mode?: 'all' | 'force-or-cascade' | undefined
  /** Leave it to a person instead of denying it. Default false. */
  readonly approval?: boolean | undefined
  /** Told of each blocked operation, for example to post it to a chat. */
  readonly notify?: ((notice: DestructiveOperationNotice) => Promise<void> | void) | undefined
}

/** Denies destructive operations, whatever the role. Throws `PM_INVALID_OPTION` for an unknown mode. */
export function destructiveOperationHook(options: DestructiveOperationOptions = {}): PermissionHook {
  const { mode = 'all', notify, approval = false } = options
  if (mode !== 'all' && mode !== 'force-or-cascade') {
    throw new PermissionError('PM_INVALID_OPTION', {
      happened: `The mode is ${JSON.stringify(mode)}.`,
      expected: 'Expected "all" or "force-or-cascade".',
      todo: 'Correct it, or leave it out for "all".',
      path: 'mode',
    })
  }
  return {
    triggers: ['execute:database:delete', 'execute:file:delete', 'execute:git:force-push'],
    validate: async ({ parameters }) => {
      if (mode === 'all' || Boolean(parameters['force']) || Boolean(parameters['cascade'])) {
        return {
          allowed: false,
          reason: 'Destructive operations require human approval',
          alternatives: [
            'Soft delete: mark records as archived',
            'Request manual review before deletion',
            'Create backup before proceeding',
          ],
          ...(approval && { requires_approval: true }),
        }
      }
      return { allowed: true }
    },
    onFailure: async (context) => {
      // An operation that was let pass and then failed has not been blocked.
      if (context.phase !== 'denied') return
      await notify?.({
        channel: '#security',
        message: `Destructive operation blocked in ${context.project}`,
        details: {
          tool: context.tool_name,
          agent_role: context.agent_role,
          parameters: redactSecrets(context.parameters),
        },
      })
    },
  }
}
