/** A run as its machine has it now. */
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { Engine } from '../runtime/engine.ts'
import { unknownRun } from './run-errors.ts'

export type RunSnapshot = { readonly value: unknown; readonly context: AgentContext }

/** @throws RuntimeError `RUN_UNKNOWN` */
export async function runSnapshot(engine: Engine, runId: string): Promise<RunSnapshot> {
  const found = await engine.find(runId)
  if (found?.machine !== 'agent') throw unknownRun(runId)
  return found.actor.getSnapshot()
}
