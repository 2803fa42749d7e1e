/** Runs one piece of work until it ends, its time is up, or its signal aborts. */
import { setAlarm } from './alarm.ts'
import type { Clock } from './clock.ts'

/**
 * Calls `work` at once and resolves with what it returns. When `controller` aborts, by whoever, it rejects with the
 * signal's reason and waits for the work no longer.
 */
export async function withinTime<T>(
  work: () => T | Promise<T>,
  controller: AbortController,
  limit?: { readonly clock: Clock; readonly ms: number; readonly error: () => Error },
): Promise<T> {
  const { signal } = controller
  let stopWaiting = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    const give = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', give, { once: true })
    stopWaiting = () => signal.removeEventListener('abort', give)
  })
  // Nobody may be listening when it comes.
  aborted.catch(() => {})
  const cancel =
    limit && setAlarm(limit.clock, limit.clock.now() + limit.ms, () => controller.abort(limit.error()))
  try {
    return await Promise.race([work(), aborted])
  } finally {
    cancel?.()
    stopWaiting()
  }
}
