/** How starting, finding and cancelling runs go wrong, and what to do then. */
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { SessionRow } from '../sessions/directory.ts'

export function unknownRun(id: string): RuntimeError {
  return new RuntimeError('RUN_UNKNOWN', {
    happened: `There is no run or agent "${id}".`,
    expected: 'A run id that startBackgroundAgent returned, or the id of an agent that has been started.',
    todo: 'List the runs with listBackgroundAgents().',
    details: { id },
  })
}

export function agentBusy(agentId: string, runId: string): RuntimeError {
  return new RuntimeError('AGENT_BUSY', {
    happened: `Agent "${agentId}" has a run at work already: ${runId}.`,
    expected: "With on_conflict: 'error', an agent without a run at work in the project.",
    todo: "Wait for that run, or start with on_conflict 'reuse' or 'parallel'; nothing was written.",
    details: { agent_id: agentId, run_id: runId },
  })
}

export function ambiguousRun(agentId: string, rows: readonly SessionRow[]): RuntimeError {
  const runs = rows.map((row) => row.id)
  return new RuntimeError('RUN_AMBIGUOUS', {
    happened: `Agent "${agentId}" has ${runs.length} runs at work: ${runs.join(', ')}.`,
    expected: 'One running run of this agent, or an exact run id.',
    todo: 'Use the run id that startBackgroundAgent returned.',
    details: { agent_id: agentId, runs },
  })
}

export function notCancelled(runId: string, reason: string): RuntimeError {
  return new RuntimeError('SESSION_REFUSED', {
    happened: `Run "${runId}" was not cancelled: ${reason}.`,
    expected: 'A run that has not ended, and hooks that do not object.',
    todo: `Ask why: agentctl why ${runId}.`,
    details: { run_id: runId, reason },
  })
}
