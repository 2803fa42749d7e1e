/** Lets a queued run begin: waits for a place, asks the hooks of `agent:start`, and offers the start with their testimony. */
import type { AgentContext, ErrorRecord } from '../../machines/agent.machine.ts'
import { PermissionDeniedError } from '../permissions/permission-denied-error.ts'
import { refusalBy, type LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { setAlarm } from '../runtime/alarm.ts'
import { isoTime, type Clock } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { errorRecord } from './recorded-error.ts'
import type { RunQueue } from './run-queue.ts'

export type AdmissionHost = {
  readonly engine: Engine
  readonly gate: LifecycleGate
  readonly queue: RunQueue
}

/** Resolves when the run's start, or its refusal, is on disk; rejects when the signal aborts before its turn. */
export async function admitRun(host: AdmissionHost, runId: string, signal: AbortSignal): Promise<void> {
  const { engine, queue } = host
  const found = await engine.find(runId)
  if (found === undefined) return
  const { context } = found.actor.getSnapshot() as unknown as { context: AgentContext }
  const { role, project, priority, at: since } = context
  if (context.retry_at !== null) await until(engine.clock, Date.parse(context.retry_at), signal)
  const pass = await queue.acquire({ id: runId, role, project, priority, since, signal })
  let end: Awaited<ReturnType<typeof offerStart>> = 'stopped'
  try {
    end = await offerStart(host, context, signal)
  } finally {
    // Once it has started, the handler has adopted the place, and gives it back.
    if (end !== 'started') pass.release()
  }
  if (typeof end === 'string') return
  await engine.sendOutcome(runId, { type: 'agent.failed', error: end, at: isoTime(engine.clock) } as never)
}

/** How it went; an error if it was refused or could not be asked. */
async function offerStart(
  { engine, gate }: AdmissionHost,
  context: AgentContext,
  signal: AbortSignal,
): Promise<'started' | 'stopped' | ErrorRecord> {
  const { run_id, agent_id, task_description } = context
  try {
    const { testimony, verdict } = await gate({
      name: 'agent:start',
      parameters: { run_id, agent_id, task_description },
      role: context.role,
      project: context.project,
      session_id: context.owner_id,
      agent_id,
      run_id,
    })
    if (signal.aborted) return 'stopped'
    const refusal = refusalBy(verdict)
    const fact = { type: 'agent.started', testimony, at: isoTime(engine.clock) }
    const receipt = await engine.sendOutcome(run_id, fact, {
      source: context.parent_id ?? run_id,
      ...(refusal && { ifRefused: refusal }),
    })
    if (receipt.accepted) return 'started'
    if (signal.aborted) return 'stopped'
    return errorRecord(
      new PermissionDeniedError(verdict.reason, [...verdict.alternatives], {
        hook: verdict.by,
        tool_name: 'agent:start',
      }),
    )
  } catch (error) {
    return signal.aborted ? 'stopped' : errorRecord(error)
  }
}

/** Resolves at this moment; rejects when the signal aborts. */
function until(clock: Clock, moment: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const leave = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = setAlarm(clock, moment, () => {
      signal.removeEventListener('abort', leave)
      resolve()
    })
    signal.addEventListener('abort', leave, { once: true })
  })
}
