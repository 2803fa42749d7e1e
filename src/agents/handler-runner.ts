/** Runs a run's handler from its top, over its journal, and says on the record how it ended. */
import type { AgentContext, ErrorRecord } from '../../machines/agent.machine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { isoTime } from '../runtime/clock.ts'
import { delayAfter, triesAgain } from '../runtime/effects/retry-policy.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { runInScope, type Scope } from '../sessions/scope.ts'
import type { Attempt, RunnerHost } from './attempt.ts'
import { handlerContext } from './attempt-context.ts'
import { createHeartbeat } from './heartbeat.ts'
import { Journal } from './journal.ts'
import { interrupted } from './journal-errors.ts'
import { readJournal } from './journal-records.ts'
import { LoopWatch } from './loop-watch.ts'
import { createLogLines } from './log-lines.ts'
import { errorRecord, RecordedError } from './recorded-error.ts'

type End =
  | { readonly type: 'agent.succeeded'; readonly output: unknown }
  | { readonly type: 'agent.failed' | 'agent.parked'; readonly error: ErrorRecord }

/** How long a resumed run waits for what its stopped attempt still has under way, before it runs that again. */
const LEFTOVER_WAIT_MS = 5_000

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
    await attempt.heartbeat.stop()
    await say(end)
  } catch (error) {
    if (signal.aborted) return
    // Nobody else would look: a run without a handler must not count as running.
    await say({ type: 'agent.parked', error: errorRecord(error) })
    engine.onError(error)
  } finally {
    attempt?.journal.stop()
    await attempt?.heartbeat.stop()
    if (host.heartbeats.get(runId) === attempt?.heartbeat) host.heartbeats.delete(runId)
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

  const record = async (fact: { readonly type: string }): Promise<boolean> => (await send(fact)).accepted
  const records = await readJournal(engine.store, runId)
  const heartbeat = createHeartbeat({
    clock,
    timeoutMs: host.definition(before.agent_id)?.heartbeatTimeoutMs,
    record: (details) => send({ type: 'agent.heartbeat', details, attempt, at: isoTime(clock) }),
    onSilent: (timeoutMs) => giveUp(host, before, { attempt, timeoutMs }),
    onError: (error) => engine.onError(error),
  })
  const journal = new Journal(records, {
    runId,
    attempt,
    clock,
    loops: new LoopWatch(host.loopLimits),
    heartbeat,
    record: send,
  })
  const logs = createLogLines(clock, {
    onLine: () => heartbeat.alive(),
    ownRecorded: records.ownLines,
    record: async (batch) => void (await send({ type: 'agent.logged', ...batch, at: isoTime(clock) })),
  })
  const stop = (): void => {
    journal.stop()
    heartbeat.stop().catch((error: unknown) => engine.onError(error))
    const settled = journal.idle().then(() => logs.flush())
    const done = settled
      .catch(() => {})
      .finally(() => leftovers.get(runId) === done && leftovers.delete(runId))
    leftovers.set(runId, done)
    logs.flush().catch(() => {})
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  host.heartbeats.set(runId, heartbeat)
  return { host, context: { ...before, attempts: attempt, hooks }, journal, logs, heartbeat, signal, record }
}

/** A handler that gives no sign of life is given up: it runs again from its top, or the run fails, by the agent's policy. */
async function giveUp(
  { engine, random, ...host }: RunnerHost,
  { run_id, agent_id, losses }: AgentContext,
  { attempt, timeoutMs }: { readonly attempt: number; readonly timeoutMs: number },
): Promise<void> {
  const { clock } = engine
  const error = errorRecord(silent(run_id, timeoutMs))
  const retry = host.definition(agent_id)?.retry ?? {}
  const failed = losses + 1
  const fact = triesAgain(retry, failed, error)
    ? {
        type: 'agent.lost',
        attempt,
        error,
        retry_at: new Date(clock.now() + delayAfter(retry, failed, random)).toISOString(),
      }
    : { type: 'agent.failed', error }
  await engine.sendOutcome(run_id, { ...fact, at: isoTime(clock) } as never, { source: run_id })
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

function silent(runId: string, timeoutMs: number): RuntimeError {
  return new RuntimeError('HEARTBEAT_LOST', {
    happened: `The handler of run "${runId}" gave no sign of life for ${timeoutMs} ms.`,
    expected: 'A beat, a durable call or a log line within the heartbeatTimeoutMs of its agent.',
    todo: "Call ctx.heartbeat() in long work, or allow more time; it runs again by the agent's `retry`.",
    details: { run_id: runId, heartbeat_timeout_ms: timeoutMs },
  })
}
