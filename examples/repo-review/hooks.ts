/** Who may do what in a review: spend, delete, run foreign scripts. */
import { costControlHook, destructiveOperationHook, type PermissionHook } from '@agent-orchestration/core'

/** USD that a role may spend in one operation of a review. */
const THRESHOLDS = { workagent: 0.15, supervisor: 1, orchestrator: 5 }

/**
 * Scripts of a repository run with your rights: only in folders that you named on the command line. The trust is
 * yours, given to the hook; an agent cannot claim it.
 */
function trustedScriptsHook(trusted: readonly string[]): PermissionHook {
  return {
    triggers: ['execute:command'],
    validate: async ({ parameters }) => {
      if (trusted.includes(String(parameters['cwd']))) return { allowed: true }
      return {
        allowed: false,
        reason: 'Scripts of a foreign repository run with your rights',
        alternatives: ['Read its package.json, then review it again with --run-scripts'],
      }
    },
  }
}

export function reviewHooks(trusted: readonly string[]): Record<string, PermissionHook> {
  return {
    'cost-control': costControlHook({ thresholds: THRESHOLDS }),
    'destructive-ops': destructiveOperationHook(),
    'trusted-scripts': trustedScriptsHook(trusted),
  }
}
