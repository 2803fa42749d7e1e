/** Tells the triggered hooks how it went; nothing they do here changes the outcome. */
import type { Clock } from '../runtime/clock.ts'
import { frozenCopy } from './frozen-copy.ts'
import type { FailureContext, HookContext, NamedHook, SuccessContext } from './permission-hook.ts'
import { checkedTimeout, DEFAULT_TIMEOUT_MS, withinTimeLimit } from './time-limit.ts'

export type ToolOutcome =
  | { readonly kind: 'succeeded'; readonly result: unknown; readonly actual_cost?: number | undefined }
  | {
      readonly kind: 'denied'
      readonly reason?: string | undefined
      readonly alternatives?: readonly string[] | undefined
    }
  | { readonly kind: 'failed'; readonly error: unknown; readonly actual_cost?: number | undefined }

export type AftermathOptions = {
  readonly outcome: ToolOutcome
  /** Told of everything that goes wrong in a hook's `onSuccess` or `onFailure`; what it throws is dropped. */
  readonly onError?: ((error: unknown, hook: string) => void) | undefined
  /** Milliseconds that each hook has; default 10,000. */
  readonly timeoutMs?: number | undefined
  readonly clock?: Clock | undefined
}

/**
 * Calls `onSuccess` (outcome `succeeded`) or `onFailure` (`denied` with phase `denied`, `failed` with phase `error`)
 * of each hook that has it, in order. Rejects only with `PM_INVALID_OPTION` for a bad time limit, before any call.
 */
export async function runAftermath(
  hooks: readonly NamedHook[],
  context: HookContext,
  options: AftermathOptions,
): Promise<void> {
  const { outcome, clock } = options
  const timeoutMs = checkedTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const report = (error: unknown, hook: string): void => {
    try {
      options.onError?.(error, hook)
    } catch {
      // The reporter is the last resort: there is nobody left to tell.
    }
  }
  for (const hook of hooks) {
    const tell = outcome.kind === 'succeeded' ? hook.onSuccess : hook.onFailure
    if (tell === undefined) continue
    // The caller's signal is left out: hooks hear of a cancelled operation too.
    const ending = await withinTimeLimit<void>(
      (signal) =>
        outcome.kind === 'succeeded'
          ? hook.onSuccess?.(successContext({ ...context, signal }, outcome))
          : hook.onFailure?.(failureContext({ ...context, signal }, outcome)),
      { timeoutMs, ...(clock && { clock }) },
    )
    if (ending.kind === 'threw') report(ending.error, hook.name)
    if (ending.kind === 'timed_out') report(new Error(`No end within ${timeoutMs} ms`), hook.name)
  }
}

function successContext(
  context: HookContext,
  outcome: Extract<ToolOutcome, { kind: 'succeeded' }>,
): SuccessContext {
  return Object.freeze({ ...context, result: copiedResult(outcome.result), actual_cost: outcome.actual_cost })
}

/** A copy, so that a hook cannot change what the caller gets; a result that is no data is no reason not to tell. */
function copiedResult(result: unknown): unknown {
  try {
    return result === undefined ? undefined : frozenCopy(result, 'result')
  } catch {
    return undefined
  }
}

function failureContext(
  context: HookContext,
  outcome: Extract<ToolOutcome, { kind: 'denied' | 'failed' }>,
): FailureContext {
  const denied = outcome.kind === 'denied'
  return Object.freeze({
    ...context,
    phase: denied ? 'denied' : 'error',
    error: denied ? undefined : outcome.error,
    reason: denied ? outcome.reason : undefined,
    alternatives: Object.freeze(denied ? [...(outcome.alternatives ?? [])] : []),
    actual_cost: denied ? undefined : outcome.actual_cost,
  })
}
