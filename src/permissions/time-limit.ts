/** Runs foreign code for at most a given time, and turns however it ends into a value. */
import { type Clock, systemClock } from '../runtime/clock.ts'
import { PermissionError } from './permission-error.ts'

/** Milliseconds that a hook's function has, unless told otherwise. */
export const DEFAULT_TIMEOUT_MS = 10_000

/** A longer delay would overflow Node's timer and fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

export type Ending<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timed_out' }
  | { readonly kind: 'aborted' }

export type TimeLimitOptions = {
  /** Milliseconds, more than 0; `Infinity` is as long as a timer can wait (24 days). */
  readonly timeoutMs: number
  /** The caller's way to give up. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/**
 * Calls `work` with a signal of its own, which is aborted when time is up or the caller gives up.
 * Never rejects. What `work` does after its end is ignored, its late rejection included.
 * Code that never yields cannot be interrupted. Throws `PM_INVALID_OPTION` for a bad `timeoutMs`.
 */
export function withinTimeLimit<T>(
  work: (signal: AbortSignal) => PromiseLike<T> | T,
  options: TimeLimitOptions,
): Promise<Ending<T>> {
  const { signal, clock = systemClock } = options
  const timeoutMs = checkedTimeout(options.timeoutMs)
  const own = new AbortController()
  return new Promise((resolve) => {
    const end = (ending: Ending<T>): void => {
      clock.clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      // Only the first call has an effect: a promise settles once.
      resolve(ending)
    }
    const onAbort = (): void => {
      end({ kind: 'aborted' })
      own.abort(signal?.reason)
    }
    const timer = clock.setTimeout(() => {
      end({ kind: 'timed_out' })
      own.abort(new DOMException(`No answer within ${timeoutMs} ms`, 'TimeoutError'))
    }, timeoutMs)
    if (signal?.aborted === true) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const running = (async () => work(own.signal))()
    running.then(
      (value) => end({ kind: 'answered', value }),
      (error: unknown) => end({ kind: 'threw', error }),
    )
  })
}

/** The time limit as a timer can keep it. Throws `PM_INVALID_OPTION`. */
export function checkedTimeout(timeoutMs: number): number {
  if (typeof timeoutMs === 'number' && timeoutMs > 0) return Math.min(timeoutMs, LONGEST_DELAY_MS)
  throw new PermissionError('PM_INVALID_OPTION', {
    happened: `timeoutMs is ${String(timeoutMs)}.`,
    expected: 'Expected a number of milliseconds above 0.',
    todo: `Leave it out for ${DEFAULT_TIMEOUT_MS}, or give a positive number.`,
    path: 'timeoutMs',
  })
}
