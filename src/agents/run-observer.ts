/** Puts on the record, once, that somebody looks at a run which a session started: so that fire and forget shows. */
import type { AgentContext } from '../../machines/agent.machine.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'

/** `timed`: whether the look has an end, as a wait with a timeout does. */
export async function observeRun(engine: Engine, context: AgentContext, timed: boolean): Promise<void> {
  const { run_id, observed, parent_id, owner_id } = context
  if (observed || parent_id === null || owner_id !== run_id) return
  await engine.sendOutcome(run_id, { type: 'agent.observed', timed, at: isoTime(engine.clock) } as never)
}
