/** The article's functions for background agents, over the ambient scope; inside a handler each writing one is a durable call. */
import type { NewId } from '../runtime/clock.ts'
import { addSlot } from '../sessions/ambient.ts'
import { durably, inPassing, requireScope, type Scope } from '../sessions/scope.ts'
import type { SessionService } from '../sessions/session-service.ts'
import type { PermissionExplanation } from '../permissions/explain-permission.ts'
import type { PermissionQuestion } from './permission-question.ts'
import type { AgentService, ListAgents } from './agent-service.ts'
import type { WaitOptions } from './run-wait.ts'
import type { StartAgent } from './start-run.ts'
import type { CompletionListener } from './completion-listener.ts'
import type { BackgroundAgentResult } from './run-result.ts'

type AmbientRuntime = {
  readonly agents: AgentService
  readonly sessions: SessionService
  readonly newId: NewId
  explainPermission(question: PermissionQuestion): Promise<PermissionExplanation>
}

const inScope = (caller: string): Scope<AmbientRuntime> => requireScope<AmbientRuntime>(caller)

/**
 * Starts a background agent as a child of the scope's session; resolves with its run id once the start is on disk.
 *
 * @throws RuntimeError `AGENT_UNKNOWN`, `INPUT_INVALID`, `NO_AMBIENT_SESSION`
 */
export function startBackgroundAgent(input: Omit<StartAgent, 'run_id'>): Promise<string> {
  const scope = inScope('startBackgroundAgent')
  const { agents, newId } = scope.runtime
  const project = input.project ?? scope.owner?.project
  const started = durably(scope, {
    kind: 'startBackgroundAgent',
    name: input.agent_id,
    prepare: () => ({ run_id: newId('run') }),
    execute: async ({ run_id }) => {
      const parent_id = input.parent_id ?? scope.owner?.id ?? null
      const run = await agents.startById({
        ...input,
        run_id,
        parent_id,
        ...(project !== undefined && { project }),
      })
      return run.run_id
    },
  })
  // A run that works for a session of its own takes that session's place.
  if (input.session_id === undefined) {
    const role = input.role ?? agents.roleOf(input.agent_id) ?? 'workagent'
    addSlot(scope, { id: started, role })
  }
  return inPassing(started)
}

/**
 * Waits for a run to end. Resolves with its result, or with status `timeout` at the deadline (`timeout` ms from this
 * call, default 10 minutes); it never throws for a timeout.
 */
export function waitForBackgroundAgent(
  id: string | Promise<string>,
  options: Omit<WaitOptions, 'signal' | 'within' | 'waiter'> = {},
): Promise<BackgroundAgentResult> {
  return inPassing(waitInScope(id, options))
}

async function waitInScope(
  id: string | Promise<string>,
  options: Omit<WaitOptions, 'signal' | 'within' | 'waiter'>,
): Promise<BackgroundAgentResult> {
  const scope = inScope('waitForBackgroundAgent')
  const { agents } = scope.runtime
  const runId = await id
  const waited = await durably(scope, {
    kind: 'wait',
    name: runId,
    waits: true,
    prepare: () => ({ timed: options.timeout !== undefined }),
    execute: async () => {
      const within = await treeOf(scope)
      const result = await agents.wait(runId, {
        ...options,
        ...(scope.signal && { signal: scope.signal }),
        ...(scope.runId !== null && { waiter: scope.runId }),
        ...(within && { within }),
      })
      // A run that has ended never changes again: its id is all that has to be remembered.
      return result.end_time === undefined || result.status === 'timeout'
        ? { unfinished: result }
        : { ended: result.run_id }
    },
  })
  if (waited.ended === undefined) return waited.unfinished
  return agents.result({
    agent_id: waited.ended,
    include_output: true,
    ...(scope.runId !== null && { waiter: scope.runId }),
  })
}

/** The runs among which an agent id is looked up; everywhere if the scope has no session. */
async function treeOf({ runtime, owner }: Scope<AmbientRuntime>): Promise<Set<string> | undefined> {
  if (owner === null) return undefined
  return new Set((await runtime.sessions.descendants(owner.id)).map((row) => row.id))
}

/**
 * Calls back once when a run ends, in this process; returns how to stop. After a restart it has to be called again:
 * what must not be missed is waited for.
 */
export async function onBackgroundAgent(
  id: string | Promise<string>,
  listener: CompletionListener,
): Promise<() => void> {
  const { agents } = inScope('onBackgroundAgent').runtime
  return agents.onEnd(await id, listener)
}

/** The latest result of an agent in this session's tree, or of a run, at any time. @throws RuntimeError `RUN_UNKNOWN`, `RUN_AMBIGUOUS` */
export async function getBackgroundAgentResult(input: {
  agent_id: string
  include_output?: boolean
}): Promise<BackgroundAgentResult> {
  const scope = inScope('getBackgroundAgentResult')
  const within = await treeOf(scope)
  return scope.runtime.agents.result({ ...input, ...(within && { within }) })
}

/** The project's background agents, by status. */
export async function listBackgroundAgents(filter: ListAgents = {}): Promise<BackgroundAgentResult[]> {
  const { runtime, owner } = inScope('listBackgroundAgents')
  const project = filter.project ?? owner?.project
  return runtime.agents.list({ ...filter, ...(project !== undefined && { project }) })
}

/**
 * Says whether the hooks would allow something to the scope's session, and why not. Nothing is done or recorded, so
 * it is no durable call: in a handler, decide on what `ctx.tool` answers.
 *
 * @throws RuntimeError `INPUT_INVALID`, `NO_AMBIENT_SESSION`
 */
export async function explainPermission(question: PermissionQuestion): Promise<PermissionExplanation> {
  const { runtime, owner, runId } = inScope('explainPermission')
  const asker = question.session_id ?? runId ?? owner?.id
  return runtime.explainPermission({ ...question, ...(asker !== undefined && { session_id: asker }) })
}
