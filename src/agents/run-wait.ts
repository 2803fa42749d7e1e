/** Waits for the end of a run: how long at most, and until what. */
import { z } from 'zod'
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { Engine } from '../runtime/engine.ts'
import { watchChanges } from '../sessions/change-watch.ts'
import { unknownRun } from './run-errors.ts'
import { isTerminal, runState } from './run-result.ts'

/** How long a wait without a timeout takes at most: a wait never hangs for ever. */
export const DEFAULT_WAIT_MS = 10 * 60 * 1000

export const waitSchema = z.object({
  timeout: z.number().nonnegative().optional(),
  pollInterval: z.number().nonnegative().optional(),
  onTimeout: z.enum(['detach', 'cancel']).optional(),
})

export type WaitOptions = {
  /** ms from the call; default 10 minutes. */
  readonly timeout?: number
  /** Accepted for the article's sake: completion is pushed, nothing is polled. */
  readonly pollInterval?: number
  /** What to do with the run when the wait times out; default `detach`, which lets it go on. */
  readonly onTimeout?: 'detach' | 'cancel'
  readonly signal?: AbortSignal
  /** Where to look for the latest run of an agent id; default everywhere. */
  readonly within?: ReadonlySet<string>
  /** The run that waits; it needs no place of its own meanwhile. */
  readonly waiter?: string
}

/** True when the run has ended, false at the deadline; rejects when a signal aborts. */
export async function untilEnded(
  engine: Engine,
  runId: string,
  until: { readonly deadline: number; readonly signals: readonly (AbortSignal | undefined)[] },
): Promise<boolean> {
  const found = await engine.find(runId)
  if (found === undefined) throw unknownRun(runId)
  const { actor } = found
  const ended = (): boolean => {
    const { value, context } = actor.getSnapshot() as unknown as { value: unknown; context: AgentContext }
    return isTerminal(runState(value, context))
  }
  const listen = (onChange: () => void): (() => void) => {
    const subscription = actor.subscribe(onChange)
    return () => subscription.unsubscribe()
  }
  const changes = watchChanges([listen], { clock: engine.clock, signals: until.signals })
  try {
    while (!ended()) {
      if (!(await changes.next(until.deadline)) && engine.clock.now() >= until.deadline) return ended()
    }
    return true
  } finally {
    changes.stop()
  }
}
