/** Runs a run's handler from its top, over its journal, and says on the record how it ended. */
import type { AgentContext, ErrorRecord } from '../../machines/agent.machine.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { inboxOf } from '../sessions/inbox.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { runInScope, type Scope } from '../sessions/scope.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { microUsdOf } from '../billing/micro-usd.ts'
import type { Attempts } from './attempts.ts'
import type { AnyAgentDefinition } from './define-agent.ts'
import type { HandlerContext } from './handler-context.ts'
import { Journal } from './journal.ts'
import { interrupted } from './journal-errors.ts'
import { readJournal } from './journal-records.ts'
import { watchData, type LoopLimits } from './loop-guard.ts'
import { LoopWatch } from './loop-watch.ts'
import { createLogLines, type LogLines } from './log-lines.ts'
import { errorRecord, RecordedError } from './recorded-error.ts'
import { runCommandStep, type CommandPort } from './command-step.ts'
import { callTool, type ToolCaller, type ToolCallHost } from './tool-call.ts'

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

type End =
  | { readonly type: 'agent.succeeded'; readonly output: unknown }
  | { readonly type: 'agent.failed' | 'agent.parked'; readonly error: ErrorRecord }

/** How long a resumed run waits for what its stopped attempt still has under way, before it runs that again. */
const LEFTOVER_WAIT_MS = 5_000

/** Attempts that were stopped with work under way, by run id. */
export type Leftovers = Map<string, Promise<void>>

/** Runs the handler; resolves when its end is on disk, or when it was stopped from outside. */
export async function runHandler(host: RunnerHost, runId: string, signal: AbortSignal): Promise<void> {
  const { engine } = host
  const say = (end: End): Promise<unknown> =>
    engine.sendOutcome(runId, { ...end, at: isoTime(engine.clock) } as never, { source: runId })
  let attempt: Attempt | undefined
  try {
    await leftover(host, runId)
    if (signal.aborted) return
    const begun = await begin(host, runId, signal)
    if ('type' in begun) return void (await say(begun))
    attempt = begun
    const { journal } = attempt
    host.attempts.set(runId, {
      number: attempt.context.attempts,
      since: isoTime(engine.clock),
      underWay: () => journal.underWay,
    })
    const end = await ending(attempt)
    if (end === undefined) return
    await attempt.logs.flush()
    await say(end)
  } catch (error) {
    if (signal.aborted) return
    // Nobody else would look: a run without a handler must not count as running.
    await say({ type: 'agent.parked', error: errorRecord(error) })
    engine.onError(error)
  } finally {
    attempt?.journal.stop()
    // A later attempt may have begun while this one was being stopped.
    if (host.attempts.get(runId)?.number === attempt?.context.attempts) host.attempts.delete(runId)
  }
}

async function leftover({ engine, leftovers }: RunnerHost, runId: string): Promise<void> {
  const before = leftovers.get(runId)
  if (before === undefined) return
  const { clock } = engine
  let timer: unknown
  const enough = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, LEFTOVER_WAIT_MS)))
  await Promise.race([before, enough])
  clock.clearTimeout(timer)
}

/** Records that an attempt begins, and reads what the earlier ones did. A missing hook parks the run instead. */
async function begin(host: RunnerHost, runId: string, signal: AbortSignal): Promise<Attempt | End> {
  const { engine, registry, leftovers } = host
  const { clock } = engine
  const before = await agentContext(engine, runId)
  const attempt = before.attempts + 1
  const hooks = registry.names()
  const send = (event: object): Promise<{ accepted: boolean }> =>
    engine.sendOutcome(runId, event as never, { source: runId })
  await send({ type: 'agent.began', attempt, hooks, at: isoTime(clock) })
  const missing = before.hooks.filter((name) => !hooks.includes(name))
  if (missing.length > 0) return { type: 'agent.parked', error: missingHooks(runId, missing) }

  const records = await readJournal(engine.store, runId)
  const journal = new Journal(records, {
    runId,
    attempt,
    clock,
    loops: new LoopWatch(host.loopLimits),
    record: send,
  })
  const logs = createLogLines(clock, {
    ownRecorded: records.ownLines,
    record: async (batch) => void (await send({ type: 'agent.logged', ...batch, at: isoTime(clock) })),
  })
  const stop = (): void => {
    journal.stop()
    const settled = journal.idle().then(() => logs.flush())
    const done = settled
      .catch(() => {})
      .finally(() => leftovers.get(runId) === done && leftovers.delete(runId))
    leftovers.set(runId, done)
    logs.flush().catch(() => {})
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return { host, context: { ...before, attempts: attempt, hooks }, journal, logs, signal }
}

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
    adoptable: true,
    claimed: new Set(),
  }
  const run = async (): Promise<unknown> => {
    const input =
      definition.schema === undefined
        ? context.input
        : checkedInput(definition.schema, context.input, `Agent "${context.agent_id}"`)
    return runInScope(scope, () => definition.run(handlerContext(attempt), input as never))
  }
  try {
    // Whatever the handler makes of a doubt or a divergence: nothing it goes on to do can be trusted.
    const blocked = journal.blocked.then((error) => ({ kind: 'blocked', error }) as const)
    const outcome = await Promise.race([blocked, settle(run)])
    if (signal.aborted) return undefined
    if (outcome.kind === 'blocked') return endBlocked(attempt, outcome.error)
    await endOwner(attempt, outcome.kind === 'failed' ? 'interrupted' : 'completed')
    if (outcome.kind === 'failed') return { type: 'agent.failed', error: errorRecord(outcome.error) }
    return { type: 'agent.succeeded', output: outcome.output }
  } catch (error) {
    if (signal.aborted) return undefined
    return { type: 'agent.parked', error: errorRecord(error) }
  }
}

/** A doubt or a divergence waits for a person; a loop ends the run, as waiting would not help. */
async function endBlocked(attempt: Attempt, error: Error): Promise<End> {
  const record = errorRecord(error)
  if (record.code !== 'LOOP_DETECTED') return { type: 'agent.parked', error: record }
  attempt.logs.add(`stopped: ${record.message}`)
  await endSession(attempt, 'interrupted')
  return { type: 'agent.failed', error: record }
}

type Settled =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }

async function settle(run: () => Promise<unknown>): Promise<Settled> {
  try {
    return { kind: 'succeeded', output: await run() }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/**
 * When a handler settles, the session it worked for ends with it; sessions it delegated live on. The end is the last of
 * the run's calls: where it is on record already, it comes before the log is asked whether the handler left any out.
 */
async function endOwner(attempt: Attempt, reason: 'completed' | 'interrupted'): Promise<void> {
  const { context, journal } = attempt
  const execute = async (): Promise<{ ended: boolean }> => ({ ended: await endSession(attempt, reason) })
  const end = { kind: 'session', name: `end:${reason}`, execute } as const
  const isOver = journal.isRecorded(end)
  if (isOver) await journal.call(end)
  await journal.handlerEnded()
  if (!isOver && context.owner_id !== context.run_id) await journal.call(end)
}

async function endSession({ context, host }: Attempt, reason: 'completed' | 'interrupted'): Promise<boolean> {
  if (context.owner_id === context.run_id) return false
  const { status } = await host.sessions.get(context.owner_id)
  if (status !== 'active' && !(status === 'paused' && reason === 'completed')) return false
  try {
    await host.sessions.end(context.owner_id, { reason })
    return true
  } catch (error) {
    // A hook keeps the session open, on the record; the run has ended all the same.
    if ((error as { code?: unknown }).code !== 'SESSION_REFUSED') throw error
    return false
  }
}

function handlerContext(attempt: Attempt): HandlerContext {
  const { host, context, journal, logs, signal } = attempt
  const { engine } = host
  const spender = {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    role: context.role,
  }
  const book = async (cost: Cost, spend_id: string, call_id: string | null = null): Promise<void> => {
    const amount = { micro_usd: microUsdOf(cost.usd, 'spend.usd'), tokens: cost.tokens ?? 0 }
    // First: a booking that is repeated after a crash counts once there.
    await host.budgets.spent(spender, { spend_id, call_id, amount })
    const fact = {
      type: 'agent.spent',
      tokens: amount.tokens,
      cost_micro_usd: amount.micro_usd,
      what: cost.what ?? '',
      spend_id,
      at: isoTime(engine.clock),
    }
    await engine.sendOutcome(context.run_id, fact, { source: context.run_id })
  }
  const spendAtOnce = (cost: Cost): Promise<void> => book(cost, host.newId('spend'))
  const spendOnce = (cost: Cost): Promise<void> =>
    journal.call({
      kind: 'spend',
      name: cost.what ?? 'cost',
      prepare: () => ({ spend_id: host.newId('spend') }),
      execute: async ({ spend_id }) => {
        if (!journal.records.booked.has(spend_id)) await book(cost, spend_id)
      },
    })
  const progress = (input: { phase?: string; percent?: number }): Promise<void> =>
    host.sessions.progress(context.owner_id, input)
  const caller: ToolCaller = {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    role: context.role,
    project: context.project,
    signal,
    log: (line) => logs.add(line),
    spend: (cost, callId) => book(cost, host.newId('spend'), callId),
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
    inbox: inboxOf({ engine, closing: signal }, context.owner_id),
    log: (line) => logs.add(line, { own: !journal.inside }),
    // Inside of a step both belong to that step: what it costs, it costs again when it runs again.
    spend: (cost) => (journal.inside ? spendAtOnce(cost) : spendOnce(cost)),
    progress: (input) =>
      journal.inside
        ? progress(input)
        : journal.call({ kind: 'progress', name: input.phase ?? 'progress', execute: () => progress(input) }),
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
        prepare: () => ({ call_id: host.newId('call'), ...watchData(tool.name, input, tool.poll) }),
        execute: async (data) =>
          (await callTool(host, caller, { callId: data.call_id, tool: tool, input })) as never,
      }),
    command: (name, spec) => runCommandStep({ ...attempt, caller }, name, spec),
    patch: (id) => journal.patch(id),
  }
}

type Cost = Parameters<HandlerContext['spend']>[0]

async function agentContext(engine: Engine, runId: string): Promise<AgentContext> {
  const found = await engine.find(runId)
  if (found === undefined) throw interrupted(runId)
  return (found.actor.getSnapshot() as unknown as { context: AgentContext }).context
}

export function unknownAgent(agentId: string): RuntimeError {
  return new RuntimeError('AGENT_UNKNOWN', {
    happened: `No code is bound to agent "${agentId}".`,
    expected: 'An agent that was given to createRuntime({ agents }), by its id or a pattern.',
    todo: `Add defineAgent({ id: "${agentId}", … }) to the runtime's agents and start it again.`,
    details: { agent_id: agentId },
  })
}

/** What was begun under a hook's guard does not go on without it. */
function missingHooks(runId: string, missing: readonly string[]): ErrorRecord {
  const names = missing.map((name) => `"${name}"`).join(', ')
  return errorRecord(
    new RecordedError({
      name: 'RuntimeError',
      code: 'HOOK_MISSING',
      message: `Run "${runId}" was begun under the permission hook ${names}, which is not registered now. Expected every hook that guarded a run to guard it to its end. Register it and open the runtime again; or resume the run, if it may go on without.`,
      details: { run_id: runId, hooks: [...missing] },
    }),
  )
}
