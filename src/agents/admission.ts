/** Lets a queued run begin: waits for a place, asks the hooks of `agent:start`, and offers the start with their testimony. */
import type { AgentContext } from '../../machines/agent.machine.ts'
import { PermissionDeniedError } from '../permissions/permission-denied-error.ts'
import { refusalBy, type LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { errorRecord } from './recorded-error.ts'
import type { RunQueue } from './run-queue.ts'

export type AdmissionHost = {
  readonly engine: Engine
  readonly gate: LifecycleGate
  readonly queue: RunQueue
}

/** Resolves when the run's start, or its refusal, is on disk. */
export async function admitRun(host: AdmissionHost, runId: string, signal: AbortSignal): Promise<void> {
  const { engine, gate, queue } = host
  const found = await engine.find(runId)
  if (found === undefined) return
  const { context } = found.actor.getSnapshot() as unknown as { context: AgentContext }
  await queue.acquire({ id: runId, role: context.role, signal })
  const { testimony, verdict } = await gate({
    name: 'agent:start',
    parameters: { run_id: runId, agent_id: context.agent_id, task_description: context.task_description },
    role: context.role,
    project: context.project,
    session_id: context.owner_id,
    agent_id: context.agent_id,
  })
  if (signal.aborted) return queue.release(runId)
  const at = isoTime(engine.clock)
  const refusal = refusalBy(verdict)
  const receipt = await engine.sendOutcome(runId, { type: 'agent.started', testimony, at } as never, {
    source: context.parent_id ?? runId,
    ...(refusal && { ifRefused: refusal }),
  })
  if (receipt.accepted) return undefined
  queue.release(runId)
  const denial = new PermissionDeniedError(verdict.reason, [...verdict.alternatives], {
    hook: verdict.by,
    tool_name: 'agent:start',
  })
  await engine.sendOutcome(runId, { type: 'agent.failed', error: errorRecord(denial), at } as never)
  return undefined
}
