/** What becomes of an effect, by its policy, after an attempt or a question to the world: decided here, done elsewhere. */
import { doubt } from './effect-errors.ts'
import type { OwedEffect } from './owed-effect.ts'
import type { EffectAnswer, EffectPolicy } from '../policies.ts'
import { delayAfter, triesAgain } from './retry-policy.ts'
import { textOf } from '../runtime-error.ts'

export type Decision =
  | { readonly kind: 'done'; readonly output: unknown; readonly by?: string }
  /** Not before `owed.retry_at`. */
  | { readonly kind: 'wait'; readonly owed: OwedEffect }
  /** It did not happen: it is run again at once. */
  | { readonly kind: 'cleared'; readonly owed: OwedEffect }
  /** By a person. */
  | { readonly kind: 'ask'; readonly owed: OwedEffect }
  | { readonly kind: 'give_up'; readonly owed: OwedEffect; readonly error: unknown }

type Failure = {
  readonly error: unknown
  /** ms since the epoch. */
  readonly now: number
  readonly random: () => number
}

type Verified = Extract<EffectPolicy, { policy: 'verify' }>

/** Whether a started effect without an outcome may have happened, for all that is known. */
export function isDoubtful({ policy = 'retry' }: EffectPolicy, { phase }: OwedEffect): boolean {
  return phase === 'started' && policy !== 'retry'
}

/** An attempt threw, or its time was up. */
export function afterFailure(policy: EffectPolicy, owed: OwedEffect, failure: Failure): Decision {
  if (policy.policy === 'ask') return asked(owed, textOf(failure.error))
  const { retries = {} } = policy
  const failed = owed.failed + 1
  const again = triesAgain(retries, failed, failure.error)
  if (again) return waiting({ ...owed, failed }, policy, failure)
  if (policy.policy !== 'verify') return { kind: 'give_up', owed: { ...owed, failed }, error: failure.error }
  // The last failure is verified as well: it may have happened all the same.
  return waiting({ ...owed, failed: Math.max(failed, retries.attempts ?? failed) }, policy, failure)
}

/** The world has said whether it happened. */
export function afterAnswer({ retries = {} }: Verified, owed: OwedEffect, answer: EffectAnswer): Decision {
  if (answer.happened === true) return { kind: 'done', output: answer.output, by: 'verify' }
  if (answer.happened !== false) return asked(owed, 'it cannot be verified')
  const { failed, reason = 'it did not happen' } = owed
  if (failed > 0 && !triesAgain(retries, failed, undefined)) {
    return { kind: 'give_up', owed, error: new Error(reason) }
  }
  const { retry_at: _at, ...rest } = owed
  return { kind: 'cleared', owed: { ...rest, phase: 'owed' } }
}

/** The world could not be asked. */
export function afterSilence(policy: Verified, owed: OwedEffect, failure: Failure): Decision {
  const failed = owed.failed + 1
  if (triesAgain(policy.retries ?? {}, failed, failure.error)) {
    return waiting({ ...owed, failed }, policy, failure)
  }
  return asked(owed, `verify failed: ${textOf(failure.error)}`)
}

/** Nobody but a person can say. */
export function asked(owed: OwedEffect, why: string): Decision {
  const { retry_at: _at, ...rest } = owed
  return { kind: 'ask', owed: { ...rest, phase: 'asked', reason: doubt(owed, why) } }
}

function waiting(
  owed: OwedEffect,
  { retries = {} }: Exclude<EffectPolicy, { policy: 'ask' }>,
  { error, now, random }: Failure,
): Decision {
  const retry_at = new Date(now + delayAfter(retries, owed.failed, random)).toISOString()
  return { kind: 'wait', owed: { ...owed, retry_at, reason: textOf(error) } }
}
