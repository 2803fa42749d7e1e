/**
 * Waits for the next change of something, without missing one that comes between a look and the wait for it.
 *
 * Owns: its subscriptions, its listeners on the signals, one timer.
 * Never: outlives `stop`.
 *
 * I1. A change after the last `next` ends the following `next` at once.
 */
import type { Clock } from '../runtime/clock.ts'
import { setAlarm } from '../runtime/alarm.ts'

export type ChangeWatch = {
  /** Resolves at a change (`true`) or at the deadline (`false`; ms since the epoch); rejects when a signal aborts. */
  next(deadline: number): Promise<boolean>
  stop(): void
}

export type Subscribe = (onChange: () => void) => () => void

export function watchChanges(
  sources: readonly Subscribe[],
  options: { readonly clock: Clock; readonly signals: readonly (AbortSignal | undefined)[] },
): ChangeWatch {
  const signals = options.signals.filter((signal) => signal !== undefined)
  let changed = false
  let wake: (() => void) | undefined
  const onChange = (): void => {
    changed = true
    wake?.()
  }
  const unsubscribe = sources.map((subscribe) => subscribe(onChange))
  for (const signal of signals) signal.addEventListener('abort', onChange)

  return {
    async next(deadline) {
      if (!changed && options.clock.now() < deadline) {
        await new Promise<void>((resolve) => {
          const cancel = setAlarm(options.clock, deadline, resolve)
          wake = () => {
            cancel()
            resolve()
          }
          if (signals.some((signal) => signal.aborted)) wake()
        })
      }
      wake = undefined
      for (const signal of signals) signal.throwIfAborted()
      const result = changed
      changed = false
      return result
    },
    stop() {
      for (const end of unsubscribe) end()
      for (const signal of signals) signal.removeEventListener('abort', onChange)
    },
  }
}
