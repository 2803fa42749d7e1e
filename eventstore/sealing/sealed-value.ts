/** How a sealed value stands in the log, and what a reader is given for one that cannot be opened. */
import type { JsonValue, RecordedEvent } from '../event.ts'
import { CIPHER, decrypt, encrypt } from './cipher.ts'

const FIELD = '$sealed'

/** Whose data it is, and the key that it is sealed with. */
export type Owner = { readonly subject_id: string; readonly key_id: string }

/** What is in the log instead of a value. */
export type SealedValue = Owner & {
  readonly $sealed: typeof CIPHER
  readonly data: string
  /** Whether all that comes to the stream is this subject's, or this value alone. */
  readonly scope: 'stream' | 'value'
}

/**
 * What a reader finds instead of a value that cannot be opened: `erased`, its key was destroyed with
 * `eraseSubject`; `locked`, its key is not here.
 */
export type Unopened = Owner & { readonly $sealed: 'erased' | 'locked' }

/** What a value belongs to; a value that is moved elsewhere does not open. */
export type Place = readonly string[]

export const sealValue = (
  key: Uint8Array,
  value: JsonValue,
  at: Owner & { readonly place: Place; readonly scope: SealedValue['scope'] },
): SealedValue => {
  const { subject_id, key_id, scope, place } = at
  const data = encrypt(key, JSON.stringify(value), identity({ subject_id, key_id, scope }, place))
  return { [FIELD]: CIPHER, subject_id, key_id, scope, data }
}

/** The value, or `undefined` if it was changed, or is not of this place. */
export const openValue = (
  key: Uint8Array,
  sealed: SealedValue,
  place: Place,
): { readonly value: JsonValue } | undefined => {
  const text = decrypt(key, sealed.data, identity(sealed, place))
  return text === undefined ? undefined : { value: JSON.parse(text) as JsonValue }
}

const identity = ({ subject_id, key_id, scope }: Owner & Pick<SealedValue, 'scope'>, place: Place): string =>
  JSON.stringify([CIPHER, subject_id, key_id, scope, ...place])

/** Whether this is what the log has of a sealed value. */
export const isSealedValue = (value: unknown): value is SealedValue =>
  markOf(value) === CIPHER && typeof (value as SealedValue).data === 'string'

export const unopened = ($sealed: Unopened['$sealed'], { subject_id, key_id }: Owner): Unopened => ({
  $sealed,
  subject_id,
  key_id,
})

/** Whether an object would be taken for a sealed value. */
export const looksSealed = (value: unknown): boolean => markOf(value) !== undefined

/**
 * Why the payload of an event that was read is not there: its subject was erased, or its key is not here (which
 * is also so for what is read past the sealing). `undefined`: it is there.
 */
export const unopenedIn = ({
  key_id,
  payload,
}: Pick<RecordedEvent, 'key_id' | 'payload'>): 'erased' | 'locked' | undefined => {
  if (key_id === '') return undefined
  const mark = markOf(payload)
  if (mark === undefined) return undefined
  return mark === 'erased' ? 'erased' : 'locked'
}

const markOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && FIELD in value ? value[FIELD] : undefined
