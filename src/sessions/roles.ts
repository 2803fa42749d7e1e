/** What a role may do: its scope, its authority, whom it may start, and the code that works for its sessions. */
import { z } from 'zod'
import type { Role } from '../../machines/session-record.ts'
import { checkedInput } from '../runtime/checked-input.ts'

export type RoleDefinition = {
  readonly name: Role
  /** What it answers for: the project, a feature, a task. */
  readonly scope: string
  readonly responsibilities: readonly string[]
  /** Capability names in which it decides by itself; for people and prompts, hooks are what enforces. */
  readonly authority: readonly string[]
  /** The roles of sessions and agents that it may start. */
  readonly mayStart: readonly Role[]
  readonly sessionPolicy: { readonly mustBeNamed: boolean; readonly longRunning: boolean }
  /** Works for each session of this role that another one starts; the session ends with it. */
  readonly run?: () => Promise<unknown>
}

const ROLE_NAMES = ['orchestrator', 'supervisor', 'workagent'] as const

const DEFAULT_ROLES: Readonly<Record<Role, RoleDefinition>> = {
  orchestrator: {
    name: 'orchestrator',
    scope: 'project',
    responsibilities: ['strategic planning', 'feature prioritization', 'cross-team coordination'],
    authority: ['session:*', 'agent:*'],
    mayStart: ['supervisor', 'workagent'],
    sessionPolicy: { mustBeNamed: true, longRunning: true },
  },
  supervisor: {
    name: 'supervisor',
    scope: 'feature',
    responsibilities: [
      'implementation coordination',
      'task breakdown',
      'quality review',
      'handoff management',
    ],
    authority: ['agent:*'],
    mayStart: ['workagent'],
    sessionPolicy: { mustBeNamed: true, longRunning: false },
  },
  workagent: {
    name: 'workagent',
    scope: 'task',
    responsibilities: ['focused implementation', 'testing', 'reporting'],
    authority: [],
    mayStart: [],
    sessionPolicy: { mustBeNamed: false, longRunning: false },
  },
}

const roleSchema = z.strictObject({
  name: z.enum(ROLE_NAMES),
  scope: z.string().min(1).optional(),
  responsibilities: z.array(z.string()).readonly().optional(),
  authority: z.array(z.string()).readonly().optional(),
  mayStart: z.array(z.enum(ROLE_NAMES)).readonly().optional(),
  sessionPolicy: z.object({ mustBeNamed: z.boolean(), longRunning: z.boolean() }).optional(),
  run: z
    .custom<() => Promise<unknown>>((value) => typeof value === 'function', 'expected a function')
    .optional(),
})

/**
 * Defines a role: what is left out stays as it is by default. With a function, that works for every session of the
 * role that another session starts: `defineRole('supervisor', runSupervisorSession)`.
 *
 * @throws RuntimeError `INPUT_INVALID` for an unknown role or field
 */
export function defineRole(
  role: Role | z.input<typeof roleSchema>,
  run?: () => Promise<unknown>,
): RoleDefinition {
  const given = typeof role === 'string' ? { name: role, ...(run && { run }) } : role
  const checked = checkedInput(roleSchema, given, 'defineRole')
  const changes = Object.fromEntries(Object.entries(checked).filter(([, value]) => value !== undefined))
  return { ...DEFAULT_ROLES[checked.name], ...changes }
}

/** The roles of a runtime: the default ones, and those given in their place. */
export function roleTable(given: readonly RoleDefinition[]): Readonly<Record<Role, RoleDefinition>> {
  return { ...DEFAULT_ROLES, ...Object.fromEntries(given.map((role) => [role.name, role])) }
}
