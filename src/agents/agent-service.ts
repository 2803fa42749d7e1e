/** Background agents with explicit ids: started, waited for, looked at, listed, cancelled; each run a machine of its own. */
import { z } from 'zod'
import { agentMachine, type AgentContext } from '../../machines/agent.machine.ts'
import type { LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { refusalBy } from '../permissions/lifecycle-gate.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { copyAsJson } from '../../eventstore/payload.ts'
import type { Role } from '../../machines/session-record.ts'
import { watchChanges } from '../sessions/change-watch.ts'
import { unknownSession } from '../sessions/session-service.ts'
import { runBudgetSchema, type RunBudget } from './budget-accounts.ts'
import { webhookSchema } from './webhooks.ts'
import { PRIORITIES, type RunQueue } from './run-queue.ts'
import { agentBusy, ambiguousRun, notCancelled, unknownRun } from './run-errors.ts'
import { observeRun } from './run-observer.ts'
import { settleCall, type CallAnswer } from './settle-call.ts'
import type { AssertMayStart } from '../sessions/spawn-rules.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { idSchema, projectSchema, sessionNameSchema, tagsSchema } from '../sessions/session-input.ts'
import type { SessionDirectory, SessionRow } from '../sessions/directory.ts'
import type { AgentDefinition, AnyAgentDefinition } from './define-agent.ts'
import { listenBeforeTools, type BeforeToolListener } from './before-tool.ts'
import { listenForEnd, type CompletionListener } from './completion-listener.ts'
import { unknownAgent } from './handler-runner.ts'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import { isTerminal, runLogs, runResult, runState, type BackgroundAgentResult } from './run-result.ts'

/** How long a wait without a timeout takes at most: a wait never hangs for ever. */
const DEFAULT_WAIT_MS = 10 * 60 * 1000

export const startAgentSchema = z.object({
  agent_id: idSchema.max(200),
  task_description: z.string().default(''),
  input: z.unknown().optional(),
  role: z.enum(['orchestrator', 'supervisor', 'workagent']).optional(),
  project: projectSchema.optional(),
  /** The session that starts it. */
  parent_id: z.string().min(1).nullable().optional(),
  /** The session it works for; it ends with the run. Default: the run is its own session. */
  session_id: z.string().min(1).optional(),
  name: sessionNameSchema.optional(),
  tags: tagsSchema.optional(),
  run_id: idSchema.optional(),
  /** What to do when the agent has a run at work in this project: start another (default), return it, or throw. */
  on_conflict: z.enum(['parallel', 'reuse', 'error']).default('parallel'),
  /** Ends a longer run as `timed_out`; ms of time at work. Default: the agent's own. */
  deadline_ms: z.number().int().positive().optional(),
  /** Who comes first when all places are taken; default `normal`. */
  priority: z.enum(PRIORITIES).default('normal'),
  /** What it and all that it starts may spend: USD, tokens. */
  budget: runBudgetSchema.optional(),
  /** Told over HTTP when it has ended. */
  webhook: webhookSchema.optional(),
})
export type StartAgent = z.input<typeof startAgentSchema>

const filterSchema = z.object({
  status_filter: z.enum(['running', 'completed', 'failed', 'timeout', 'all']).optional(),
  project: z.string().optional(),
  agent_id: z.string().optional(),
})
export type ListAgents = z.input<typeof filterSchema>

const waitSchema = z.object({
  timeout: z.number().nonnegative().optional(),
  pollInterval: z.number().nonnegative().optional(),
  onTimeout: z.enum(['detach', 'cancel']).optional(),
})

export type WaitOptions = {
  /** ms from the call; default 10 minutes. */
  readonly timeout?: number
  /** Accepted for the article's sake: completion is pushed, nothing is polled. */
  readonly pollInterval?: number
  /** What to do with the run when the wait times out; default `detach`, which lets it go on. */
  readonly onTimeout?: 'detach' | 'cancel'
  readonly signal?: AbortSignal
  /** Where to look for the latest run of an agent id; default everywhere. */
  readonly within?: ReadonlySet<string>
  /** The run that waits; it needs no place of its own meanwhile. */
  readonly waiter?: string
}

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

export type AgentServiceOptions = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly gate: LifecycleGate
  readonly newId: NewId
  readonly defaultProject: string
  readonly queue: RunQueue
  readonly registry: PermissionHookRegistry
  /** Aborts when the runtime closes. */
  readonly closing: AbortSignal
  readonly assertMayStart: AssertMayStart
  definition(agentId: string): AnyAgentDefinition | undefined
  /** Whether a call of this run waits for a person. */
  isAsking(runId: string): Promise<boolean>
  /** Limits what a run and all that it starts may spend. */
  limitTree(runId: string, budget: RunBudget): Promise<void>
  armWebhook(runId: string, url: string): Promise<void>
}

export function createAgentService(options: AgentServiceOptions): AgentService {
  const { engine, directory, gate, newId } = options
  const { clock, store } = engine

  const snapshotOf = async (runId: string): Promise<{ value: unknown; context: AgentContext }> => {
    const found = await engine.find(runId)
    if (found?.machine !== 'agent') throw unknownRun(runId)
    return found.actor.getSnapshot()
  }
  const resultOf = async (
    runId: string,
    waitEnded = false,
    withLogs = true,
  ): Promise<BackgroundAgentResult> =>
    runResult(await snapshotOf(runId), {
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
    observeRun(engine, (await snapshotOf(runId)).context, timed)

  /** A wait never throws for a timeout: a hook that keeps the run alive is on the record. */
  const cancelIfAllowed = async (runId: string): Promise<void> => {
    try {
      await service.cancel(runId, 'the wait for it timed out')
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'SESSION_REFUSED') throw error
    }
  }

  /** The latest run of the agent that has not ended, if that matters; a retry of this very start does not. */
  const runAtWork = async (start: {
    readonly agent_id: string
    readonly project: string
    readonly run_id: string
    readonly on_conflict: 'parallel' | 'reuse' | 'error'
  }): Promise<SessionRow | undefined> => {
    if (start.on_conflict === 'parallel') return undefined
    return (await directory.rows()).findLast(
      (row) =>
        row.agent_id === start.agent_id &&
        row.project === start.project &&
        row.outcome === null &&
        row.id !== start.run_id,
    )
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
      const input = checkedInput(startAgentSchema, raw, 'startBackgroundAgent')
      const definition = options.definition(input.agent_id)
      if (definition === undefined) throw unknownAgent(input.agent_id)
      if (definition.schema !== undefined) {
        checkedInput(definition.schema, input.input, `Agent "${input.agent_id}"`)
      }
      copyAsJson(input.input, { root: () => 'input', outcome: false })
      const run_id = input.run_id ?? newId('run')
      const project = input.project ?? options.defaultProject
      const atWork = await runAtWork({ ...input, project, run_id })
      if (atWork !== undefined && input.on_conflict === 'reuse') return runOf(atWork.id, input.agent_id)
      if (atWork !== undefined) throw agentBusy(input.agent_id, atWork.id)
      const ownerId = input.session_id ?? run_id
      const parentId = input.parent_id ?? input.session_id ?? null
      const parent = parentId === null ? undefined : await engine.find(parentId)
      for (const id of [parentId, input.session_id]) {
        if (typeof id === 'string' && (await engine.find(id)) === undefined) throw unknownSession(id)
      }
      // A run that works for a session is its hands, not its child; a retry finds the run it had started.
      if (parentId !== null && parentId !== input.session_id && (await engine.find(run_id)) === undefined)
        await options.assertMayStart(parentId, { role: input.role ?? definition.role })
      // Before it begins, so that nothing is spent without it.
      if (input.budget !== undefined) await options.limitTree(run_id, input.budget)
      if (input.webhook !== undefined) await options.armWebhook(run_id, input.webhook.url)
      await engine.spawn(agentMachine, {
        id: run_id,
        createdAs: 'agent.created',
        correlationId: parent?.correlationId ?? run_id,
        source: parentId ?? '',
        input: {
          session_id: run_id,
          run_id,
          owner_id: ownerId,
          agent_id: input.agent_id,
          task_description: input.task_description,
          input: input.input ?? null,
          role: input.role ?? definition.role,
          project,
          kind: 'background',
          parent_id: parentId,
          name: input.name ?? null,
          tags: input.tags ?? [],
          deadline_ms: input.deadline_ms ?? definition.deadlineMs,
          priority: input.priority,
          at: isoTime(clock),
        },
      })
      return runOf(run_id, input.agent_id)
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
      const runId = await service.resolveRun(id)
      const { context, value } = await snapshotOf(runId)
      if (isTerminal(runState(value, context))) return
      const { testimony, verdict } = await gate({
        name: 'agent:cancel',
        parameters: { run_id: runId, reason },
        role: context.role,
        project: context.project,
        session_id: context.owner_id,
        agent_id: context.agent_id,
        run_id: runId,
      })
      const refusal = refusalBy(verdict)
      const fact = { type: 'agent.cancelled', reason, testimony, at: isoTime(clock) }
      const receipt = await engine.send(runId, fact, {
        source: runId,
        ...(refusal && { ifRefused: refusal }),
      })
      if (receipt.accepted) return
      const now = await snapshotOf(runId)
      // It ended by itself while the hooks were asked.
      if (isTerminal(runState(now.value, now.context))) return
      throw notCancelled(runId, receipt.reason ?? '')
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

/** True when the run has ended, false at the deadline; rejects when a signal aborts. */
async function untilEnded(
  engine: Engine,
  runId: string,
  until: { readonly deadline: number; readonly signals: readonly (AbortSignal | undefined)[] },
): Promise<boolean> {
  const found = await engine.find(runId)
  if (found === undefined) throw unknownRun(runId)
  const { actor } = found
  const ended = (): boolean => {
    const { value, context } = actor.getSnapshot() as unknown as { value: unknown; context: AgentContext }
    return isTerminal(runState(value, context))
  }
  const listen = (onChange: () => void): (() => void) => {
    const subscription = actor.subscribe(onChange)
    return () => subscription.unsubscribe()
  }
  const changes = watchChanges([listen], { clock: engine.clock, signals: until.signals })
  try {
    while (!ended()) {
      if (!(await changes.next(until.deadline)) && engine.clock.now() >= until.deadline) return ended()
    }
    return true
  } finally {
    changes.stop()
  }
}
