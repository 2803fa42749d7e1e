/** What waits for something only a person can give, as it is shown. */
import type { ListedEffect } from './effects/listed-effect.ts'

/** An actor that waits for something only a person can give. */
export type Parked = { readonly id: string; readonly reason: string; readonly code: string }

/** An effect that waits for a person, or for code. */
export function parkedEffect({ stream_id: id, state, reason }: ListedEffect): Parked[] {
  if (state !== 'asked' && state !== 'unregistered') return []
  const code = state === 'asked' ? 'EFFECT_IN_DOUBT' : 'EFFECT_UNREGISTERED'
  return [{ id, code, reason: reason ?? '' }]
}
