/** Runs that wait for what only a person can give: which they are, and which can go on because it is there again. */
import type { Parked } from '../runtime/parked.ts'
import type { SessionDirectory, SessionRow } from '../sessions/directory.ts'
import type { SessionService } from '../sessions/session-service.ts'
import type { AgentService } from './agent-service.ts'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'

/** A parked run with its reason; nothing for any other row. */
export function parkedRun(row: SessionRow): Parked[] {
  const { id, parked_error: error } = row
  if (!row.parked || error === null) return []
  return [{ id, code: error.code ?? 'ACTOR_FAILED', reason: error.message }]
}

/** What was parked because code or a hook was missing goes on when that is there again. */
export async function resumeWhatCameBack(
  runtime: {
    readonly permissions: PermissionHookRegistry
    readonly agents: AgentService
    readonly sessions: SessionService
  },
  directory: SessionDirectory,
  onError: (error: unknown) => void,
): Promise<void> {
  const hooks = runtime.permissions.names()
  for (const row of directory.current()) {
    if (!row.parked || row.parked_error === null) continue
    const { code, details = {} } = row.parked_error
    const needed = (details['hooks'] ?? []) as readonly string[]
    const isBack =
      (code === 'AGENT_UNKNOWN' && runtime.agents.roleOf(row.agent_id ?? '') !== undefined) ||
      (code === 'HOOK_MISSING' && needed.every((name) => hooks.includes(name)))
    if (isBack) await runtime.sessions.resume(row.id).catch(onError)
  }
}
