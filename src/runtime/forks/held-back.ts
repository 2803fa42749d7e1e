/** What a paused fork holds back, as a person reads it before letting it go. */
import type { Entry, EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import { effectUnknown } from '../effects/effect-errors.ts'
import { effectEntry, effectEvent, readOwedEffects } from '../effects/owed-effect.ts'
import { waitingMail } from '../delivery/outbox.ts'
import { owedWork, type OwedWork } from '../recovery/owed.ts'
import { heldStore } from './fork-hold.ts'

/** An action that a fork is to run under a key of its own. */
export type HeldEffect = {
  readonly key: string
  readonly stream_id: string
  readonly action: string
  /** The key under which the original owed it; `null` if the fork itself decided on it. */
  readonly original_key: string | null
}

/** What a fork does when it is let go. */
export type HeldBack = {
  readonly effects: readonly HeldEffect[]
  /** Promises, callbacks and observables that are started. */
  readonly leaves: readonly OwedWork[]
  /** Those that were due meanwhile fire at once. */
  readonly timers: readonly OwedWork[]
  readonly mail: readonly { readonly to: string; readonly from: string; readonly type: string }[]
}

/** All that a fork and its descendants hold back; nothing if it is not paused. */
export async function readHeldBack(store: EventStore, id: string): Promise<HeldBack> {
  const held = heldStore(store, id)
  const effects = (await readOwedEffects(held)).map(
    ({ key, stream_id, action, original_key = null }): HeldEffect => ({
      key,
      stream_id,
      action,
      original_key,
    }),
  )
  const [leaves, timers]: [OwedWork[], OwedWork[]] = [[], []]
  for await (const work of owedWork(held)) (work.kind === 'timer' ? timers : leaves).push(work)
  const mail: HeldBack['mail'][number][] = []
  for await (const { to, from, event } of waitingMail(held)) mail.push({ to, from, type: event.type })
  return { effects, leaves, timers, mail }
}

/**
 * What takes actions of a paused fork off what it owes: nobody wants them.
 *
 * @throws RuntimeError `EFFECT_UNKNOWN` for a key that it does not hold
 */
export async function abandoned(
  store: EventStore,
  id: string,
  { keys, by, at }: { readonly keys: readonly string[]; readonly by: string; readonly at: string },
): Promise<{ readonly appends: StreamAppend[]; readonly entries: Entry[] }> {
  const held = new Map((await readOwedEffects(heldStore(store, id))).map((owed) => [owed.key, owed]))
  const effects = keys.map((key) => {
    const owed = held.get(key)
    if (owed === undefined) throw effectUnknown(key)
    return owed
  })
  return {
    appends: effects.map((owed) => effectEvent(owed, 'abandoned', { at, by })),
    entries: effects.map((owed) => effectEntry(owed, undefined)),
  }
}
