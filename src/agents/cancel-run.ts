/** Ends a run for good: the hooks of `agent:cancel` are asked, and a run that has ended meanwhile stays as it ended. */
import type { LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { refusalBy } from '../permissions/lifecycle-gate.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { notCancelled } from './run-errors.ts'
import { isTerminal, runState } from './run-result.ts'
import { runSnapshot } from './run-snapshot.ts'

export type CancelReason = {
  readonly reason: string
  /** The parent whose end is the reason, if it is. */
  readonly endedParent?: string
}

/** @throws RuntimeError `RUN_UNKNOWN`, `SESSION_REFUSED` when a hook says no */
export async function cancelRun(
  { engine, gate }: { readonly engine: Engine; readonly gate: LifecycleGate },
  runId: string,
  { reason, endedParent }: CancelReason,
): Promise<void> {
  const { context, value } = await runSnapshot(engine, runId)
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
  const fact = {
    type: 'agent.cancelled',
    reason,
    ...(endedParent !== undefined && { ended_parent: endedParent }),
    testimony,
    at: isoTime(engine.clock),
  }
  const receipt = await engine.send(runId, fact, { source: runId, ...(refusal && { ifRefused: refusal }) })
  if (receipt.accepted) return
  const now = await runSnapshot(engine, runId)
  // It ended by itself while the hooks were asked.
  if (isTerminal(runState(now.value, now.context))) return
  throw notCancelled(runId, receipt.reason ?? '')
}
