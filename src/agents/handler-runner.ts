/** Runs a run's handler from its top, over its journal, and says on the record how it ended. */
import type { AgentContext, ErrorRecord } from '../../machines/agent.machine.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { checkedInput } from '../sessions/input.ts'
import { runInScope, type Scope } from '../sessions/scope.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { microUsdOf } from '../billing/micro-usd.ts'
import type { AnyAgentDefinition } from './define-agent.ts'
import type { HandlerContext } from './handler-context.ts'
import { isInterruption, Journal, readJournal } from './journal.ts'
import { createLogLines, type LogLines } from './log-lines.ts'
import { errorRecord } from './recorded-error.ts'
import { runCommandStep, type CommandPort } from './command-step.ts'
import { callTool, type ToolCaller, type ToolCallHost } from './tool-call.ts'

export type RunnerHost = ToolCallHost & {
  readonly newId: NewId
  readonly sessions: SessionService
  readonly commands: CommandPort
  /** The runtime, as ambient functions find it in the scope. */
  readonly runtime: () => unknown
  definition(agentId: string): AnyAgentDefinition | undefined
}

/** What is at hand while one handler runs. */
type Attempt = {
  readonly host: RunnerHost
  readonly context: AgentContext
  readonly journal: Journal
  readonly logs: LogLines
  readonly signal: AbortSignal
}

/** Runs the handler; resolves when its end is on disk, or when it was stopped from outside. */
export async function runHandler(host: RunnerHost, runId: string, signal: AbortSignal): Promise<void> {
  const context = await agentContext(host.engine, runId)
  const attempt = await begin(host, context, signal)
  const stop = (): void => attempt.journal.stop()
  signal.addEventListener('abort', stop)
  try {
    const end = await ending(attempt)
    if (end === undefined || signal.aborted) return
    await attempt.logs.flush()
    await host.engine.sendOutcome(runId, { ...end, at: isoTime(host.engine.clock) } as never, {
      source: runId,
    })
  } finally {
    signal.removeEventListener('abort', stop)
    attempt.journal.stop()
  }
}

async function begin(host: RunnerHost, context: AgentContext, signal: AbortSignal): Promise<Attempt> {
  const { engine } = host
  const { clock } = engine
  const runId = context.run_id
  const at = (): string => isoTime(clock)
  await engine.sendOutcome(runId, { type: 'agent.began', attempt: context.attempts + 1, at: at() } as never)
  const journal = new Journal(await readJournal(engine.store, runId), {
    runId,
    clock,
    record: (event) => engine.sendOutcome(runId, event, { source: runId }),
  })
  const logs = createLogLines(clock, async (lines) => {
    await engine.sendOutcome(runId, { type: 'agent.logged', lines, at: at() } as never, { source: runId })
  })
  return { host, context: { ...context, attempts: context.attempts + 1 }, journal, logs, signal }
}

type End =
  | { readonly type: 'agent.succeeded'; readonly output: unknown }
  | { readonly type: 'agent.failed' | 'agent.parked'; readonly error: ErrorRecord }

/** Runs the handler's code; `undefined` when it was stopped and goes on another time. */
async function ending(attempt: Attempt): Promise<End | undefined> {
  const { host, context, journal, signal } = attempt
  const definition = host.definition(context.agent_id)
  if (definition === undefined)
    return { type: 'agent.parked', error: errorRecord(unknownAgent(context.agent_id)) }
  const scope: Scope = {
    runtime: host.runtime(),
    owner: { id: context.owner_id, role: context.role, project: context.project },
    runId: context.run_id,
    durable: journal,
    signal,
    current: context.owner_id,
    children: [],
  }
  try {
    const input =
      definition.schema === undefined
        ? context.input
        : checkedInput(definition.schema, context.input, `Agent "${context.agent_id}"`)
    const ctx = handlerContext(attempt)
    const output = await runInScope(scope, () => definition.run(ctx, input as never))
    if (signal.aborted) return undefined
    if (journal.diverged !== undefined) return { type: 'agent.parked', error: errorRecord(journal.diverged) }
    await endOwner(attempt, 'completed')
    return { type: 'agent.succeeded', output }
  } catch (error) {
    if (signal.aborted || isInterruption(error)) return undefined
    const blocking = journal.diverged ?? (isParking(error) ? error : undefined)
    if (blocking !== undefined) return { type: 'agent.parked', error: errorRecord(blocking) }
    await endOwner(attempt, 'interrupted')
    return { type: 'agent.failed', error: errorRecord(error) }
  }
}

/** When a handler settles, the session it worked for ends with it; sessions it delegated live on. */
async function endOwner(
  { context, host, journal }: Attempt,
  reason: 'completed' | 'interrupted',
): Promise<void> {
  if (context.owner_id === context.run_id) return
  await journal.call({
    kind: 'session',
    name: `end:${reason}`,
    execute: async () => {
      const { status } = await host.sessions.get(context.owner_id)
      if (status === 'active' || (status === 'paused' && reason === 'completed')) {
        await host.sessions.end(context.owner_id, { reason })
      }
    },
  })
}

function handlerContext(attempt: Attempt): HandlerContext {
  const { host, context, journal, logs, signal } = attempt
  const { engine } = host
  const spend: HandlerContext['spend'] = async (cost) => {
    const fact = {
      type: 'agent.spent',
      tokens: cost.tokens ?? 0,
      cost_micro_usd: microUsdOf(cost.usd, 'spend.usd'),
      what: cost.what ?? '',
      at: isoTime(engine.clock),
    }
    await engine.sendOutcome(context.run_id, fact as never, { source: context.run_id })
  }
  const caller: ToolCaller = {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    role: context.role,
    project: context.project,
    signal,
    log: (line) => logs.add(line),
    spend,
  }
  return {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    parent_id: context.parent_id,
    role: context.role,
    project: context.project,
    task_description: context.task_description,
    started_at: context.started_at ?? context.at,
    attempt: context.attempts,
    signal,
    log: (line) => logs.add(line),
    spend: (cost) => journal.call({ kind: 'spend', name: cost.what ?? 'cost', execute: () => spend(cost) }),
    step: (name, fn) =>
      journal.call({
        kind: 'step',
        name,
        prepare: () => ({ idempotency_key: host.newId('step') }),
        execute: async (data) => fn({ idempotency_key: data.idempotency_key, signal }),
      }),
    tool: (tool, input) =>
      journal.call({
        kind: 'tool',
        name: tool.name,
        prepare: () => ({ call_id: host.newId('call') }),
        execute: async (data) =>
          (await callTool(host, caller, { callId: data.call_id, tool: tool as never, input })) as never,
      }),
    command: (name, spec) => runCommandStep({ ...attempt, caller }, name, spec),
    patch: (id) => journal.patch(id),
    progress: (input) =>
      journal.call({
        kind: 'progress',
        name: input.phase ?? 'progress',
        execute: () => host.sessions.progress(context.owner_id, input),
      }),
  }
}

async function agentContext(engine: Engine, runId: string): Promise<AgentContext> {
  const found = await engine.find(runId)
  return (found?.actor.getSnapshot() as unknown as { context: AgentContext }).context
}

/** Errors that wait for a person instead of failing the run. */
function isParking(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'TOOL_IN_DOUBT' || code === 'HANDLER_DIVERGED'
}

export function unknownAgent(agentId: string): RuntimeError {
  return new RuntimeError('AGENT_UNKNOWN', {
    happened: `No code is bound to agent "${agentId}".`,
    expected: 'An agent that was given to createRuntime({ agents }), by its id or a pattern.',
    todo: `Add defineAgent({ id: "${agentId}", … }) to the runtime's agents and start it again.`,
    details: { agent_id: agentId },
  })
}
