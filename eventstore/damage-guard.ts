/**
 * What a log does once damage was found in it: stops taking appends, for all streams or for the damaged ones.
 *
 * Owns the policy, the first damage found, and which streams are in quarantine. Never looks for damage.
 *
 * I1  What was refused once stays refused until the store is opened again: damage does not go away.
 */
import { corruptError, type Damage } from './damage.ts'
import { EventStoreError, isEventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'

/**
 * `'fail-stop'`: a damaged store does not open; damage found later ends all appends. `'read-only'`: it opens
 * as a copy, for reading what verifies. `'quarantine'`: it opens with what verifies, the damaged streams are
 * closed, and the others go on; reads of the whole log pass over what is damaged.
 */
export type DamagePolicy = 'fail-stop' | 'read-only' | 'quarantine'

/** A stream in quarantine and the last version before its damage. */
export type Quarantined = { readonly stream_id: string; readonly soundUntil: number }

export class DamageGuard {
  readonly #policy: DamagePolicy
  readonly #quarantined = new Map<string, number>()
  #found: unknown

  constructor(policy: DamagePolicy, quarantined: readonly Quarantined[]) {
    this.#policy = policy
    for (const { stream_id, soundUntil } of quarantined) this.#quarantined.set(stream_id, soundUntil)
  }

  /** Whether reads of the whole log go on past damage. */
  get passesOver(): boolean {
    return this.#policy === 'quarantine'
  }

  quarantined(): Quarantined[] {
    return Array.from(this.#quarantined, ([stream_id, soundUntil]) => ({ stream_id, soundUntil }))
  }

  /** Takes note of what a read threw. */
  caught(error: unknown): void {
    if (!isEventStoreError(error, 'ES_CORRUPT')) return
    const { stream_id = '', version = 1 } = error
    if (this.#policy !== 'quarantine') this.#found ??= error
    // Damage without a stream shows in a stream as well: as a version that is missing.
    else if (stream_id !== '') this.#close(stream_id, version - 1)
  }

  /** Takes note of damage that was reported. */
  reported(problem: Damage): void {
    this.caught(corruptError(problem))
  }

  /** Whether an event may be handed to a reader of the whole log. */
  lets({ stream_id, version }: RecordedEvent): boolean {
    const soundUntil = this.#quarantined.get(stream_id)
    return soundUntil === undefined || version <= soundUntil
  }

  /** @throws {EventStoreError} `ES_QUARANTINED`, `ES_READ_ONLY`. */
  assertMayAppend(appends: readonly { readonly stream_id: string }[]): void {
    if (this.#found !== undefined) throw readOnlyError(this.#found)
    if (this.#quarantined.size === 0) return
    for (const { stream_id } of appends) {
      if (this.#quarantined.has(stream_id)) throw quarantinedError(stream_id)
    }
  }

  #close(stream_id: string, soundUntil: number): void {
    const known = this.#quarantined.get(stream_id) ?? Number.POSITIVE_INFINITY
    this.#quarantined.set(stream_id, Math.max(0, Math.min(known, soundUntil)))
  }
}

/** Why nothing is appended to a log in which damage was found. */
export const readOnlyError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_READ_ONLY', {
    happened: `The log is damaged, so nothing is appended to it (${cause instanceof Error ? cause.message : String(cause)})`,
    expected: 'Expected a log that verifies',
    remedy:
      'Run verify() to see all of the damage; restore a backup, or copy what verifies into a new folder with salvage()',
    cause,
  })

const quarantinedError = (stream_id: string): EventStoreError =>
  new EventStoreError('ES_QUARANTINED', {
    happened: `Stream '${stream_id}' is damaged and closed`,
    expected: 'Expected a stream that verifies',
    remedy: 'Restore a backup, or go on in a new stream; the other streams are not affected',
    details: { stream_id },
  })
