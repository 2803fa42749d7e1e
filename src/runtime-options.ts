/** What a runtime is made of: the options of `createRuntime`, and the check at the door. */
import type { AnyStateMachine } from 'xstate'
import { z } from 'zod'
import type { EventStore } from '../eventstore/event-store.ts'
import type { AnyAgentDefinition } from './agents/define-agent.ts'
import type { Tool } from './agents/define-tool.ts'
import type { QueueLimits } from './agents/run-queue.ts'
import { guardOptions, type GuardOptions } from './guards.ts'
import type { SealingOption } from './embedding/sealing.ts'
import type { InspectOption } from './embedding/inspect-runtime.ts'
import type { RateCard } from './billing/rate-card.ts'
import type { SessionEndEvent } from './billing/tracking-line.ts'
import { LOG_LEVELS, type LogLevel } from './embedding/log-level.ts'
import type { PermissionHookRegistry } from './permissions/hook-registry.ts'
import type { PermissionHook } from './permissions/permission-hook.ts'
import type { PortfolioProviders } from './portfolio/providers.ts'
import type { IfOpen } from './embedding/open-runtimes.ts'
import type { Clock, NewId } from './runtime/clock.ts'
import type { RuntimeLogger } from './runtime/event-logger.ts'
import { asRegistered, type MachineWithPolicies } from './runtime/policies.ts'
import type { RoleDefinition } from './sessions/roles.ts'
import type { KeeperTimes } from './sessions/session-keeper.ts'
import type { SpawnLimits } from './sessions/spawn-rules.ts'

export type RuntimeOptions = GuardOptions & {
  /** The project's folder, e.g. `.project`; the log lives in `log/` below it. Without it, everything is in memory. */
  readonly path?: string
  /**
   * What to do when this process has the folder open: refuse (`error`, the default), or `share` what is open, as under hot
   * reload. A shared runtime keeps the options and the code that it was opened with; it closes with the last who share it.
   */
  readonly ifOpen?: IfOpen
  /** How long another process that has the folder open is waited for, in ms of real time; default 3,000. */
  readonly lockTimeoutMs?: number
  /** A store of your own instead. */
  readonly store?: EventStore
  /**
   * Encrypts what belongs to a subject, such as a person, with a key of its own outside the log, so that the subject can be
   * erased; `{}` for the defaults. Without it nothing is sealed, and nothing can be erased.
   */
  readonly sealing?: SealingOption
  /** What actors are spawned of; `withPolicies` says what is owed and what is tried again. */
  readonly machines?: readonly (AnyStateMachine | MachineWithPolicies)[]
  readonly agents?: readonly AnyAgentDefinition[]
  /** The tools that handlers call; each has a name of its own. */
  readonly tools?: readonly Tool[]
  readonly hooks?: Readonly<Record<string, PermissionHook>> | PermissionHookRegistry
  /** Groups sessions; default the name of the folder that holds `path`. */
  readonly project?: string
  /** Whether `agentctl` may attach while this process has the log open; default true for a log in a folder. */
  readonly attach?: boolean
  /** Workagents at work at once, in all (default 8), in one project, in one role; the others are queued. */
  readonly maxConcurrent?: number | Partial<QueueLimits>
  /** Shows what happens in Stately's Inspector (its address goes to the logger), or to an observer as XState takes it. */
  readonly inspect?: InspectOption
  /** What roles may do, and the code that works for their sessions; what is left out is as by default. */
  readonly roles?: readonly RoleDefinition[]
  /** How deep and how wide sessions and agents may start others. */
  readonly limits?: Partial<SpawnLimits>
  /** Refuses handoffs that leave out what their kind has to say; default false. */
  readonly strictHandoffs?: boolean
  /** When sessions at work are reminded and paused. */
  readonly keeper?: Partial<KeeperTimes>
  /** USD per hour by role, for billable hours; default those of the article. */
  readonly rates?: RateCard
  /** How long after its end a session is archived by itself, in ms; default 60,000. Only in a folder. */
  readonly archiveAfterMs?: number
  /** What takes the place of the defaults for the backlog, for cutting and checking work, and for telling people. */
  readonly providers?: PortfolioProviders
  /** Is called at each end of a session in this process, also when the watchdog ends one. */
  readonly onSessionEnd?: (event: SessionEndEvent) => Promise<void> | void
  /** What one hook may take, in ms; default 10,000. */
  readonly hookTimeoutMs?: number
  /** How many actors without work stay in memory, children not counted; default 10,000. The others wake when needed. */
  readonly maxResident?: number
  /** A snapshot of an actor is saved beside the log after that many of its events; default 100. */
  readonly snapshotEvery?: number
  readonly clock?: Clock
  readonly newId?: NewId
  /** A new `event_id`, unlike all before; default a UUIDv7. */
  readonly newEventId?: () => string
  /** Draws from 0 to 1, for the delays of what is tried again; default `Math.random`. */
  readonly random?: () => number
  /** How many events from outside may wait for one actor; default 10,000. */
  readonly mailboxLimit?: number
  /** How long `close` waits for actions that are being run, in ms of real time; default 2,000. */
  readonly graceMs?: number
  /** How much the default logger tells; default what AGENTCTL_LOG_LEVEL says in the environment, else `warn`. */
  readonly logLevel?: LogLevel
  /** Structured logs, e.g. of pino: trouble, and at level `debug` every event; default: lines of JSON on stderr. */
  readonly logger?: RuntimeLogger
  /** Trouble that no caller awaits; default: an error for the logger. */
  readonly onError?: (error: unknown) => void
}

export const optionsSchema = z.looseObject({
  path: z.string().min(1).optional(),
  maxConcurrent: z
    .union([
      z.number().int().positive(),
      z.strictObject({
        total: z.number().int().positive().optional(),
        perProject: z.number().int().positive().optional(),
        perRole: z
          .partialRecord(z.enum(['orchestrator', 'supervisor', 'workagent']), z.number().int().positive())
          .optional(),
      }),
    ])
    .optional(),
  hookTimeoutMs: z.number().positive().optional(),
  attach: z.boolean().optional(),
  ifOpen: z.enum(['error', 'share']).optional(),
  lockTimeoutMs: z.number().nonnegative().optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  snapshotEvery: z.number().int().positive().optional(),
  maxResident: z.number().int().positive().optional(),
  graceMs: z.number().nonnegative().optional(),
  mailboxLimit: z.number().int().positive().optional(),
  archiveAfterMs: z.number().nonnegative().optional(),
  project: z.string().min(1).optional(),
  sealing: z.looseObject({ subjectOf: z.function().optional() }).optional(),
  ...guardOptions,
})

/** The code that a runtime is opened with, in words. */
export function codeOf({ agents = [], tools = [], machines = [] }: RuntimeOptions): string[] {
  return [
    ...agents.map(({ id }) => `the agent "${id}"`),
    ...tools.map(({ name }) => `the tool "${name}"`),
    ...machines.map((one) => `the machine "${asRegistered(one).machine.id}"`),
  ]
}
