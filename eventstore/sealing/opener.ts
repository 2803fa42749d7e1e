/** Opens what is sealed, and seals what is kept beside the log: all that is done with a key that exists. */
import { corruptError, damage } from '../damage.ts'
import { EventStoreError } from '../errors.ts'
import type { JsonValue, RecordedEvent } from '../event.ts'
import type { Entry } from '../event-store.ts'
import type { KeyRing } from './key-ring.ts'
import { placeOfEntry, placeOfEvent } from './seal-batch.ts'
import { isSealedValue, openValue, sealValue, unopened, type Owner, type Place } from './sealed-value.ts'
import type { Subjects } from './subjects.ts'

/** What is kept beside the log: of which stream, and what it is. */
export type Beside = { readonly stream_id: string; readonly what: readonly string[] }

export class Opener {
  readonly #subjects: Subjects
  readonly #keys: KeyRing
  readonly #passOver: boolean

  /** `passOver`: entries whose keys are not here are as if they were not there. */
  constructor(subjects: Subjects, keys: KeyRing, passOver: boolean) {
    this.#subjects = subjects
    this.#keys = keys
    this.#passOver = passOver
  }

  /** @throws {EventStoreError} `ES_KEY_MISSING`, `ES_KEY_UNREADABLE` */
  keyOf({ subject_id, key_id }: Owner): Uint8Array {
    const key = this.#keys.find(key_id)
    if (key === undefined) throw missingError(subject_id, key_id)
    return key
  }

  /** The event as it was appended; with an `Unopened` for a payload if its key is destroyed or not here. */
  readonly event = (event: RecordedEvent): RecordedEvent => {
    const { payload: sealed, key_id, subject_id } = event
    if (key_id === '' || !isSealedValue(sealed)) return event
    if (this.#subjects.isErased(key_id)) return { ...event, payload: unopened('erased', event) }
    const key = this.#keys.find(key_id)
    if (key === undefined) return { ...event, payload: unopened('locked', event) }
    const content = openValue(key, { ...sealed, subject_id, key_id }, placeOfEvent(event))
    if (content === undefined)
      throw corruptError(damage('sealed', 'its payload does not open with its own key', event))
    const [payload, normalized] = content.value as [JsonValue, readonly string[] | null]
    return { ...event, payload, ...(normalized !== null && { normalized }) }
  }

  /** The entry as it was written; `undefined` if its subject was erased. */
  entry({ key, value }: Entry): Entry | undefined {
    if (!isSealedValue(value)) return { key, value }
    if (this.#subjects.isErased(value.key_id)) return undefined
    if (this.#passOver && this.#keys.find(value.key_id) === undefined) return undefined
    const opened = openValue(this.keyOf(value), value, placeOfEntry(key))
    if (opened === undefined)
      throw corruptError(damage('sealed', `entry '${key}' does not open with its own key`, {}))
    return { key, value: opened.value }
  }

  seal({ stream_id, what }: Beside, value: JsonValue): JsonValue | undefined {
    const owner = this.#subjects.ownerOf(stream_id)
    if (owner === undefined) return value
    const { subject_id, key_id } = owner
    if (this.#subjects.isErased(key_id)) return undefined
    const place: Place = ['beside', stream_id, ...what]
    return sealValue(this.keyOf(owner), value, { subject_id, key_id, scope: 'value', place })
  }

  open({ stream_id, what }: Beside, value: JsonValue): JsonValue | undefined {
    if (!isSealedValue(value)) return value
    if (this.#subjects.isErased(value.key_id)) return undefined
    const key = this.#keys.find(value.key_id)
    return key && openValue(key, value, ['beside', stream_id, ...what])?.value
  }
}

const missingError = (subject_id: string, key_id: string): EventStoreError =>
  new EventStoreError('ES_KEY_MISSING', {
    happened: `The key '${key_id}' of subject '${subject_id}' is not here, and the log does not say that it was erased`,
    expected: 'Expected the key ring that the log was written with',
    remedy: 'Restore the folder of keys; or erase the subject, if what is sealed is not wanted any more',
  })
