/** A run that waits for a person: it gives its place up meanwhile, and its deadline stands still, on the record, and its silence means nothing. */
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { Heartbeats } from './heartbeat.ts'
import type { RunQueue } from './run-queue.ts'

export type PersonWait = {
  readonly run_id: string
  /** The approval that a person is asked for. */
  readonly approval_id: string
  /** Aborts when the run is stopped. */
  readonly signal: AbortSignal
}

/** Does `work`, which waits for a person, on account of a run. */
export type WaitForPerson = <T>(wait: PersonWait, work: () => Promise<T>) => Promise<T>

export function createPersonWait({
  engine,
  queue,
  heartbeats,
}: {
  readonly engine: Engine
  readonly queue: RunQueue
  readonly heartbeats: Heartbeats
}): WaitForPerson {
  return async ({ run_id, approval_id, signal }, work) => {
    const say = async (type: 'agent.waiting' | 'agent.went_on'): Promise<void> => {
      const fact = { type, approval_id, at: isoTime(engine.clock) }
      await engine.sendOutcome(run_id, fact, { source: run_id })
    }
    signal.throwIfAborted()
    await say('agent.waiting')
    const goOn = heartbeats.get(run_id)?.hold()
    const done = await queue.stepAside(run_id, work).finally(goOn)
    // One that was stopped meanwhile waits for nobody any more.
    if (!signal.aborted) await say('agent.went_on')
    return done
  }
}
