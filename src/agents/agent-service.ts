/** Background agents with explicit ids: started, waited for, looked at, listed, cancelled; each run a machine of its own. */
import { z } from 'zod'
import type { Role } from '../../machines/session-record.ts'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { SessionRow } from '../sessions/directory.ts'
import { listenBeforeTools, type BeforeToolListener } from './before-tool.ts'
import { cancelRun } from './cancel-run.ts'
import { listenForEnd, type CompletionListener } from './completion-listener.ts'
import type { AgentDefinition } from './define-agent.ts'
import { ambiguousRun, unknownRun } from './run-errors.ts'
import { observeRun } from './run-observer.ts'
import type { RunQueue } from './run-queue.ts'
import { runLogs, runResult, type BackgroundAgentResult } from './run-result.ts'
import { runSnapshot } from './run-snapshot.ts'
import { DEFAULT_WAIT_MS, untilEnded, waitSchema, type WaitOptions } from './run-wait.ts'
import { settleCall, type CallAnswer } from './settle-call.ts'
import { startRun, type StartAgent, type StartHost } from './start-run.ts'

const filterSchema = z.object({
  status_filter: z.enum(['running', 'completed', 'failed', 'timeout', 'all']).optional(),
  project: z.string().optional(),
  agent_id: z.string().optional(),
})
export type ListAgents = z.input<typeof filterSchema>

/** A started run. */
export interface AgentRun<TOutput = unknown> {
  readonly run_id: string
  readonly agent_id: string
  result(options?: {
    readonly timeoutMs?: number
  }): Promise<BackgroundAgentResult & { output: { value?: TOutput } }>
  cancel(reason?: string): Promise<void>
}

export interface AgentService {
  /** Starts a run; resolves once its start is on disk. @throws RuntimeError `AGENT_UNKNOWN`, `INPUT_INVALID` */
  start<TInput, TOutput>(
    agent: AgentDefinition<TInput, TOutput>,
    options: Omit<StartAgent, 'agent_id' | 'input'> & { readonly input: TInput },
  ): Promise<AgentRun<TOutput>>
  startById(input: StartAgent): Promise<AgentRun>
  /** Resolves when the run has ended, or with status `timeout`; never throws for a timeout. */
  wait(id: string, options?: WaitOptions): Promise<BackgroundAgentResult>
  result(input: {
    agent_id: string
    include_output?: boolean
    within?: ReadonlySet<string>
    /** The run whose handler asks, and has it on its own record. */
    waiter?: string
  }): Promise<BackgroundAgentResult>
  list(filter?: ListAgents): Promise<BackgroundAgentResult[]>
  /** Ends a run for good; what it has recorded is kept. @throws RuntimeError `SESSION_REFUSED` when a hook says no */
  cancel(id: string, reason?: string): Promise<void>
  /**
   * Says what became of a tool call whose outcome is in doubt. Then resume its run with `sessions.resume(run_id)`.
   * @throws RuntimeError `TOOL_UNKNOWN`, `SESSION_REFUSED` when the call is not in doubt
   */
  settleCall(callId: string, answer: CallAnswer): Promise<void>
  /** Is awaited before each tool call, and blocks it by throwing; returns how to stop. */
  on(event: 'beforeToolExecute', listener: BeforeToolListener): () => void
  /** Calls back once when the run ends, in this process; returns how to stop. */
  onEnd(runId: string, listener: CompletionListener): () => void
  /** The role that an agent's runs have unless told otherwise; `undefined` if there is no such agent. */
  roleOf(agentId: string): Role | undefined
  /** The run with this id, or the latest of this agent. @throws RuntimeError `RUN_UNKNOWN`, `RUN_AMBIGUOUS` */
  resolveRun(id: string, within?: ReadonlySet<string>): Promise<string>
}

export type AgentServiceOptions = StartHost & {
  readonly gate: LifecycleGate
  readonly queue: RunQueue
  readonly registry: PermissionHookRegistry
  /** Aborts when the runtime closes. */
  readonly closing: AbortSignal
  /** Whether a call of this run waits for a person. */
  isAsking(runId: string): Promise<boolean>
}

export function createAgentService(options: AgentServiceOptions): AgentService {
  const { engine, directory, gate } = options
  const { clock, store } = engine

  const resultOf = async (
    runId: string,
    waitEnded = false,
    withLogs = true,
  ): Promise<BackgroundAgentResult> =>
    runResult(await runSnapshot(engine, runId), {
      logs: withLogs ? await runLogs(store, runId) : [],
      waitEnded,
      asking: await options.isAsking(runId),
    })

  const runOf = <TOutput>(run_id: string, agent_id: string): AgentRun<TOutput> => ({
    run_id,
    agent_id,
    result: async ({ timeoutMs } = {}) =>
      (await service.wait(run_id, timeoutMs === undefined ? {} : { timeout: timeoutMs })) as never,
    cancel: (reason) => service.cancel(run_id, reason),
  })

  const observe = async (runId: string, timed: boolean): Promise<void> =>
    observeRun(engine, (await runSnapshot(engine, runId)).context, timed)

  /** A wait never throws for a timeout: a hook that keeps the run alive is on the record. */
  const cancelIfAllowed = async (runId: string): Promise<void> => {
    try {
      await service.cancel(runId, 'the wait for it timed out')
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'SESSION_REFUSED') throw error
    }
  }

  const service: AgentService = {
    on: (_event, listener) => listenBeforeTools(options.registry, listener),
    onEnd: (runId, listener) => {
      observe(runId, true).catch((error: unknown) => engine.onError(error))
      return listenForEnd(runId, listener, {
        directory,
        result: (id) => resultOf(id),
        onError: (error) => engine.onError(error),
      })
    },
    roleOf: (agentId) => options.definition(agentId)?.role,
    settleCall: (callId, answer) => settleCall(engine, callId, answer),
    async start(agent, start) {
      return runOf((await service.startById({ ...start, agent_id: agent.id })).run_id, agent.id)
    },
    async startById(raw) {
      const { run_id, agent_id } = await startRun(options, raw)
      return runOf(run_id, agent_id)
    },
    async wait(id, wait = {}) {
      const { timeout = DEFAULT_WAIT_MS } = checkedInput(waitSchema, wait, 'waitForBackgroundAgent')
      const runId = await service.resolveRun(id, wait.within)
      const until = { deadline: clock.now() + timeout, signals: [wait.signal, options.closing] }
      const waiting = (): Promise<boolean> => untilEnded(engine, runId, until)
      const ended = await (wait.waiter === undefined
        ? waiting()
        : options.queue.stepAside(wait.waiter, waiting))
      // A handler's own waits are steps on its record.
      if (wait.waiter === undefined) await observe(runId, wait.timeout !== undefined)
      if (!ended && wait.onTimeout === 'cancel') await cancelIfAllowed(runId)
      return resultOf(runId, !ended)
    },
    async result({ agent_id, include_output, within, waiter }) {
      const runId = await service.resolveRun(agent_id, within)
      if (waiter === undefined) await observe(runId, true)
      return resultOf(runId, false, include_output === true)
    },
    async list(raw = {}) {
      const filter = checkedInput(filterSchema, raw, 'listBackgroundAgents')
      const rows = (await directory.rows()).filter(
        (row) =>
          row.machine === 'agent' &&
          (filter.project === undefined || row.project === filter.project) &&
          (filter.agent_id === undefined || row.agent_id === filter.agent_id),
      )
      const results = await Promise.all(rows.map((row) => resultOf(row.id, false, false)))
      const { status_filter } = filter
      return results.filter(
        (result) => status_filter === undefined || status_filter === 'all' || result.status === status_filter,
      )
    },
    async cancel(id, reason = 'cancelled by request') {
      await cancelRun({ engine, gate }, await service.resolveRun(id), { reason })
    },
    async resolveRun(id, within) {
      const isRun = (row: SessionRow): boolean => row.machine === 'agent'
      const exact = await directory.row(id)
      if (exact !== undefined && isRun(exact)) return id
      const runs = (await directory.rows()).filter(
        (row) => isRun(row) && row.agent_id === id && (within?.has(row.id) ?? true),
      )
      const running = runs.filter((row) => row.outcome === null)
      if (running.length > 1) throw ambiguousRun(id, running)
      const latest = runs.at(-1)
      if (latest === undefined) throw unknownRun(id)
      return latest.id
    },
  }
  return service
}
