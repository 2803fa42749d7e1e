/** Runs the code of a role for the sessions that another session starts: one run for each. */
import type { Role } from '../../machines/session-record.ts'
import type { RoleDefinition } from '../sessions/roles.ts'
import { sessionId, type SessionLike } from '../sessions/session.ts'
import type { SessionService } from '../sessions/session-service.ts'
import type { AgentService } from './agent-service.ts'
import { defineAgent, type AnyAgentDefinition } from './define-agent.ts'

/** The code of roles, as agents that runs can be started of. */
export function roleAgents(roles: readonly RoleDefinition[]): AnyAgentDefinition[] {
  return roles.flatMap(({ name, run }) =>
    run === undefined ? [] : [defineAgent({ id: agentIdOf(name), role: name, run: async () => run() })],
  )
}

/** Starts the run that works for a session; resolves with its id, or with nothing if its role has no code. */
export async function attendSession(
  parts: {
    readonly agents: AgentService
    readonly sessions: SessionService
    readonly roles: Readonly<Record<Role, RoleDefinition>>
  },
  session: SessionLike,
  options: { readonly run_id?: string } = {},
): Promise<string | undefined> {
  const { id, role, project } = await parts.sessions.get(sessionId(session))
  if (parts.roles[role].run === undefined) return undefined
  const run = await parts.agents.startById({
    agent_id: agentIdOf(role),
    task_description: `works for the ${role} session ${id}`,
    session_id: id,
    project,
    ...options,
  })
  return run.run_id
}

function agentIdOf(role: Role): string {
  return `role:${role}`
}
