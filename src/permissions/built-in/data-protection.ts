/** The built-in hook that denies every deletion of database records and files. */
import type { PermissionHook } from '../permission-hook.ts'

/**
 * Denies all that deletes from a database or a file system, whatever the role and the parameters; with `approval`
 * each is left to a person instead.
 */
export function dataProtectionHook(options: { readonly approval?: boolean } = {}): PermissionHook {
  const { approval = false } = options
  return {
    triggers: ['execute:database:delete', 'execute:file:delete'],
    validate: async () => ({
      allowed: false,
      reason: 'Destructive operations require human approval',
      ...(approval && { requires_approval: true }),
    }),
  }
}
