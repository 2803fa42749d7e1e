/** Finds the actions that an actor owed at a moment of its past, and makes them those of its fork, under keys of its own. */
import type { EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import {
  effectEvent,
  owedEffect,
  readOwedEffects,
  effectStream,
  type OwedEffect,
} from '../effects/owed-effect.ts'
import type { Effect } from '../fold/cell-state.ts'
import { rootOf } from '../fold/child-address.ts'
import type { ForkNames } from './fork-names.ts'

type Source = Pick<EventStore, 'entries' | 'head' | 'readStream'>

/** What an actor is told to have been called, before and in the fork. */
type Twins = { readonly to: string; readonly machine: { readonly name: string } }

/** The types of events after which an effect is owed no more. */
const ENDS = new Set(['effect.done', 'effect.abandoned', 'effect.given_up'])

/**
 * The actions that one actor owes at a position of the log, as they come to light while its events are folded.
 *
 * An action whose event is at the position is told of right behind it, in the same batch: so all that were ever owed
 * are known here, and only those count whose event is folded.
 */
export class InheritedEffects {
  readonly #open: ReadonlySet<string>
  readonly #found = new Map<string, OwedEffect>()

  private constructor(open: ReadonlySet<string>) {
    this.#open = open
  }

  static async read(from: Source, address: string, position: number): Promise<InheritedEffects> {
    const open = new Set<string>()
    const stream = effectStream(address)
    if ((await from.head(stream)) === undefined) return new InheritedEffects(open)
    for await (const event of from.readStream(stream)) {
      const { key } = event.payload as { key: string }
      if (event.event_type === 'effect.owed') open.add(key)
      else if (event.position > position) continue
      else if (event.event_type === 'effect.revived') open.add(key)
      else if (ENDS.has(event.event_type)) open.delete(key)
    }
    return new InheritedEffects(open)
  }

  /** One event, folded under its old names and under its new ones. */
  take(
    {
      before,
      after,
      event,
    }: {
      readonly before: readonly Effect[]
      readonly after: readonly Effect[]
      readonly event: RecordedEvent
    },
    { to, machine }: Twins,
  ): void {
    if (this.#open.size === 0) return
    for (const [n, effect] of before.entries()) {
      const twin = after[n]
      if (effect.kind !== 'action' || twin?.kind !== 'action' || !this.#open.has(effect.key)) continue
      const { event_id: cause, correlation_id: correlationId } = event
      const owed = owedEffect(
        { key: twin.key, streamId: to, machine: machine.name, correlationId, cause },
        twin.action,
      )
      this.#found.set(effect.key, { ...owed, original_key: effect.key })
    }
  }

  /** Those that were intended before a migration no fold of today's machine leads to; they are taken from the disk. */
  async all(
    from: Source,
    { address, names }: { readonly address: string; readonly names: ForkNames },
  ): Promise<OwedEffect[]> {
    const missing = [...this.#open].filter((key) => !this.#found.has(key))
    if (missing.length === 0) return [...this.#found.values()]
    const onDisk = await readOwedEffects(from, rootOf(address))
    const older = onDisk.filter(
      ({ key, stream_id, cause }) => stream_id === address && missing.includes(key) && names.has(cause),
    )
    const anew = older.map(({ retry_at: _at, reason: _reason, ...owed }): OwedEffect => ({
      ...owed,
      key: names.own(owed.key),
      stream_id: names.own(owed.stream_id),
      correlation_id: names.own(owed.correlation_id),
      cause: names.eventId(owed.cause),
      phase: 'owed',
      failed: 0,
      original_key: owed.key,
    }))
    return [...anew, ...this.#found.values()]
  }
}

/** What a fork's own record says of an action that it inherits. */
export function inheritedEvent(owed: OwedEffect, at: string): StreamAppend {
  const { params, original_key } = owed
  return effectEvent(owed, 'owed', { at, ...(params !== undefined && { params }), original_key })
}
