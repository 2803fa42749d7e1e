/** What is at hand while one attempt of a handler runs, and what the runtime gives to every one. */
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { NewId } from '../runtime/clock.ts'
import type { SessionService } from '../sessions/session-service.ts'
import type { Attempts } from './attempts.ts'
import type { CommandPort } from './command-step.ts'
import type { AnyAgentDefinition } from './define-agent.ts'
import type { Heartbeat, Heartbeats } from './heartbeat.ts'
import type { Journal } from './journal.ts'
import type { LogLines } from './log-lines.ts'
import type { LoopLimits } from './loop-guard.ts'
import type { ToolCallHost } from './tool-call.ts'

export type RunnerHost = ToolCallHost & {
  readonly newId: NewId
  readonly sessions: SessionService
  readonly commands: CommandPort
  /** The runtime, as ambient functions find it in the scope. */
  readonly runtime: () => unknown
  readonly leftovers: Leftovers
  /** Kept up to date, for those who look in. */
  readonly attempts: Attempts
  /** `undefined`: nobody watches for loops. */
  readonly loopLimits: LoopLimits | undefined
  readonly heartbeats: Heartbeats
  /** Draws from 0 to 1, for delays. */
  readonly random: () => number
  definition(agentId: string): AnyAgentDefinition | undefined
}

/** Attempts that were stopped with work under way, by run id. */
export type Leftovers = Map<string, Promise<void>>

export type Attempt = {
  readonly host: RunnerHost
  readonly context: AgentContext
  readonly journal: Journal
  readonly logs: LogLines
  readonly heartbeat: Heartbeat
  readonly signal: AbortSignal
  /** Puts a fact of this attempt on the run's record; says whether the run took it. */
  record(fact: { readonly type: string }): Promise<boolean>
}
