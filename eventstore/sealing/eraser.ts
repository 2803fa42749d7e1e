/**
 * Erases subjects: first the record of it, then the key, then what lies beside.
 *
 * Owns the erasures that are under way. Never touches an event.
 *
 * I1  That a subject was erased is in the log before its key is destroyed; what a death in between leaves undone is
 *     done at the next opening.
 * I2  From the moment an erasure begins nothing of the subject is opened.
 */
import type { NewEvent, RecordedEvent } from '../event.ts'
import type { Entry, EventStore } from '../event-store.ts'
import type { KeyRing } from './key-ring.ts'
import { isSealedValue, type Owner } from './sealed-value.ts'
import { erasingEntry, ERASURES, SUBJECT_ERASED, type Erasure, type Subjects } from './subjects.ts'

export type EraseOptions = {
  /** Who does it. */
  readonly by: string
  /** Why; it stays in the log, so it must not say anything of the subject that is to be forgotten. */
  readonly reason: string
  /** Milliseconds since 1970; default the store's clock. */
  readonly at?: number
}

/** A key that is destroyed, and the streams that it sealed; those beside and below them are not named. */
export type Erased = Owner & { readonly streams: readonly string[] }

export type EraserOptions = {
  readonly stored: EventStore
  readonly subjects: Subjects
  readonly keys: KeyRing
  readonly onErased: (erased: Erased) => Promise<void>
}

/** How many entries are removed at once. */
const AT_ONCE = 500

export class Eraser {
  readonly #options: EraserOptions
  readonly #underWay = new Map<string, Promise<readonly RecordedEvent[]>>()

  constructor(options: EraserOptions) {
    this.#options = options
  }

  /** Resolves with what was recorded, when it is done; with nothing if there was nothing to erase. */
  async erase(subject_id: string, options: EraseOptions): Promise<readonly RecordedEvent[]> {
    const underWay = this.#underWay.get(subject_id)
    if (underWay !== undefined) return underWay
    const key_ids = this.#options.subjects.keysOf(subject_id)
    if (key_ids.length === 0) return []
    const erasing = this.#erase({ subject_id, key_ids }, options)
    this.#underWay.set(subject_id, erasing)
    return erasing.finally(() => this.#underWay.delete(subject_id))
  }

  recorded(): AsyncIterable<RecordedEvent> {
    return this.#options.stored.readStream(ERASURES)
  }

  /** Destroys what is left of subjects that were erased, and keys of theirs that a backup brought back. */
  async completeAll(): Promise<void> {
    const { keys, subjects } = this.#options
    for await (const { event_type, payload } of this.recorded())
      if (event_type === SUBJECT_ERASED) await keys.destroy((payload as Erasure).key_id)
    for (const owner of subjects.unfinished) await this.#complete(owner)
  }

  async #erase(
    { subject_id, key_ids }: { readonly subject_id: string; readonly key_ids: readonly string[] },
    { by, reason, at }: EraseOptions,
  ): Promise<readonly RecordedEvent[]> {
    const { stored, subjects } = this.#options
    subjects.erase(key_ids)
    const events = key_ids.map((key_id): NewEvent => {
      const payload: Erasure = { subject_id, key_id, by, reason }
      const timestamp = at === undefined ? {} : { timestamp: new Date(at).toISOString() }
      return { event_type: SUBJECT_ERASED, source_agent: by, payload, ...timestamp }
    })
    const entries = key_ids.map((key_id) => erasingEntry({ subject_id, key_id }, true))
    const recorded = await stored
      .appendBatch({ appends: [{ stream_id: ERASURES, events }], entries })
      .catch((error: unknown) => {
        subjects.restore(subject_id, key_ids)
        throw error
      })
    for (const entry of entries) subjects.learn(entry)
    for (const key_id of key_ids) await this.#complete({ subject_id, key_id })
    return recorded.events
  }

  async #complete({ subject_id, key_id }: Owner): Promise<void> {
    const { stored, subjects, keys, onErased } = this.#options
    await keys.destroy(key_id)
    await this.#removeEntries(key_id)
    await onErased({ subject_id, key_id, streams: subjects.streamsOf(key_id) })
    await stored.appendBatch({ appends: [], entries: [erasingEntry({ subject_id, key_id }, false)] })
    subjects.finish(key_id)
  }

  /** What is owed and waits beside the events: it would be waited for in vain. */
  async #removeEntries(key_id: string): Promise<void> {
    const { stored } = this.#options
    let doomed: Entry[] = []
    const flush = async (): Promise<void> => {
      if (doomed.length > 0) await stored.appendBatch({ appends: [], entries: doomed })
      doomed = []
    }
    for await (const { key, value } of stored.entries('')) {
      if (!isSealedValue(value) || value.key_id !== key_id) continue
      doomed.push({ key, value: undefined })
      if (doomed.length >= AT_ONCE) await flush()
    }
    await flush()
  }
}
