/** The built-in hook that denies every deletion of database records and files. */
import type { PermissionHook } from '../permission-hook.ts'

/** Denies all that deletes from a database or a file system, whatever the role and the parameters. */
export function dataProtectionHook(): PermissionHook {
  return {
    triggers: ['execute:database:delete', 'execute:file:delete'],
    validate: async () => ({
      allowed: false,
      reason: 'Destructive operations require human approval',
    }),
  }
}
