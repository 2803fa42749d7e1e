/** How often failed work is tried again, and after what delay. */

export type RetryPolicy = {
  /** Tries in all, the first one included; default 5. */
  readonly attempts?: number
  /** Before the second try, in ms; default 1,000. */
  readonly delayMs?: number
  /** By what each further delay is longer than the one before; default 2. */
  readonly factor?: number
  /** No delay is longer than that, in ms; default 60,000. */
  readonly maxDelayMs?: number
  /** How much of a delay is left to chance, 0 to 1; default 0.5: of 1,000 ms, 500 to 1,000 are waited. */
  readonly jitter?: number
  /** Whether it can help to try again after this error; default always. */
  readonly isRetryable?: (error: unknown) => boolean
}

const DEFAULTS = { attempts: 5, delayMs: 1_000, factor: 2, maxDelayMs: 60_000, jitter: 0.5 }

/** Whether work that has failed that many times, the last time with this error, is tried again. */
export function triesAgain(policy: RetryPolicy, failed: number, error: unknown): boolean {
  return failed < (policy.attempts ?? DEFAULTS.attempts) && (policy.isRetryable?.(error) ?? true)
}

/** How long to wait after the `failed`th failure, in whole ms. `random` draws from 0 to 1. */
export function delayAfter(policy: RetryPolicy, failed: number, random: () => number): number {
  const { delayMs, factor, maxDelayMs, jitter } = { ...DEFAULTS, ...policy }
  const full = Math.min(delayMs * factor ** Math.max(0, failed - 1), maxDelayMs)
  return Math.round(full * (1 - jitter * random()))
}
