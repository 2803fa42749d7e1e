/** An effect that is owed, as it is shown; and what a person says of one. */
import type { OwedEffect } from './owed-effect.ts'

/** An effect that is owed. */
export type ListedEffect = {
  readonly key: string
  readonly stream_id: string
  readonly action: string
  /**
   * - `running`: an attempt, or the question whether one happened, is under way or about to be.
   * - `waiting`: for its next attempt, at `retry_at`.
   * - `asked`: a person has to say what became of it; `reason` says why.
   * - `unregistered`: its action is not there any more, or has no policy.
   */
  readonly state: 'running' | 'waiting' | 'asked' | 'unregistered'
  /** Attempts that have failed. */
  readonly failed: number
  /** ISO 8601, UTC. */
  readonly retry_at: string | null
  readonly reason: string | null
  /** In a fork: the key under which the original owed it. */
  readonly original_key: string | null
}

/** What a person says of an effect: it is done, it is to be run (again), or nobody wants it any more. */
export type EffectSettlement =
  | { readonly answer: 'done'; readonly output?: unknown; readonly by?: string }
  | { readonly answer: 'retry' | 'abandon'; readonly by?: string }

/** What is known of it in this process beside what is on disk. */
type Standing = { readonly owed: OwedEffect; readonly busy: boolean; readonly missing: boolean }

export function stateOf({ owed, busy, missing }: Standing): ListedEffect['state'] {
  if (busy) return 'running'
  if (missing) return 'unregistered'
  if (owed.phase === 'asked') return 'asked'
  return owed.retry_at === undefined ? 'running' : 'waiting'
}
