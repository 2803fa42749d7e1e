/** Seals the events and entries of one batch: what becomes of it is worked out before anything is written. */
import { EventStoreError } from '../errors.ts'
import type { JsonValue, NewEvent, RecordedEvent } from '../event.ts'
import type { AtomicBatch, Entry } from '../event-store.ts'
import { captureBatch } from '../plan.ts'
import {
  isSealedValue,
  looksSealed,
  sealValue,
  type Owner,
  type Place,
  type SealedValue,
} from './sealed-value.ts'
import { SEALING, streamEntry, type Subjects } from './subjects.ts'

/** An event as `subjectOf` is shown it. */
export type UnsealedEvent = NewEvent & { readonly stream_id: string }

export type SubjectOf = (
  event: UnsealedEvent,
  known: (stream_id: string) => string | undefined,
) => string | undefined

export type Attributing = {
  readonly subjects: Subjects
  /**
   * Whose data an event is, of a stream that is nobody's; all that comes to the stream after it is that subject's.
   * `known` says whose another stream is.
   */
  readonly subjectOf: SubjectOf
  /** The streams that a value beside the events is about, the most telling first. */
  readonly aboutOf: (value: unknown) => readonly string[]
}

/** Whose an event is, before it is known with which key it is sealed. */
type Attribution = {
  readonly subject_id: string
  readonly scope: SealedValue['scope']
  /** The key of its stream, if the stream is its subject's already. */
  readonly key_id?: string
  /** The stream that becomes the subject's with it. */
  readonly takes?: string
}

/** Whose the events of a batch are, in the order of `appends`; `null` for one that is sealed already. */
export type AttributedBatch = {
  readonly batch: AtomicBatch
  readonly events: readonly (readonly (Attribution | undefined | null)[])[]
  readonly entries: readonly (Attribution | undefined)[]
  readonly isSealed: boolean
}

/** @throws {EventStoreError} `ES_SUBJECT_ERASED` for an append to a stream whose subject was erased. */
export const attribute = (batch: AtomicBatch, how: Attributing): AttributedBatch => {
  const taken = new Map<string, Attribution>()
  let first: Attribution | undefined
  const events = batch.appends.map(({ stream_id, expectedVersion, events: own }) => {
    const isNew = expectedVersion === 'no_stream' || expectedVersion === 0
    return own.map((event) => {
      if (isSealedAlready(event, how.subjects)) return null
      const owner = attributeEvent(event, { stream_id, how, taken, isNew })
      first ??= owner
      return owner
    })
  })
  if (first === undefined && batch.entries === undefined)
    return { batch, events, entries: [], isSealed: false }
  // What goes to a stream beside or below another was said by one that is the subject's.
  const among = events.map((own, index) => {
    const stream_id = batch.appends[index]?.stream_id ?? ''
    if (first === undefined || how.subjects.familyOf(stream_id) === stream_id) return own
    return own.map((owner) => (owner === undefined ? withoutStream(first as Attribution) : owner))
  })
  const entries = (batch.entries ?? []).map(({ key, value }) => {
    if (value === undefined || key.startsWith(SEALING)) return undefined
    const owners = how.aboutOf(value).map((stream_id) => ownerOf(stream_id, how.subjects, taken))
    // Who writes about one that was erased is not to be held up by it.
    const owner = owners.find((one) => one !== undefined && !isErased(one, how.subjects)) ?? first
    return owner && withoutStream(owner)
  })
  const isSealed = first !== undefined || entries.some((owner) => owner !== undefined)
  return { batch, events: among, entries, isSealed }
}

/** Here or elsewhere: what was copied out of a log, and goes into one again. */
const isSealedAlready = ({ key_id = '', payload }: NewEvent, subjects: Subjects): boolean =>
  key_id !== '' && (isSealedValue(payload) || subjects.subjectOf(key_id) === undefined)

type Appended = {
  readonly stream_id: string
  readonly how: Attributing
  readonly taken: Map<string, Attribution>
  readonly isNew: boolean
}

const attributeEvent = (
  event: NewEvent,
  { stream_id, how, taken, isNew }: Appended,
): Attribution | undefined => {
  const { subject_id = '' } = event
  const { subjects } = how
  const owner = ownerOf(stream_id, subjects, taken)
  if (owner !== undefined && isErased(owner, subjects)) throw erasedError(stream_id, owner)
  // Who names a subject with the first event of a stream means all that comes to it.
  const isOfItsOwn = subject_id !== '' && subject_id !== owner?.subject_id
  if (isOfItsOwn && (owner !== undefined || !isNew)) return { subject_id, scope: 'value' }
  if (owner !== undefined) return owner
  const known = (other: string): string | undefined => ownerOf(other, subjects, taken)?.subject_id
  const subject = isOfItsOwn ? subject_id : how.subjectOf({ ...event, stream_id }, known)
  if (subject === undefined || subject === '') return undefined
  const takes = subjects.familyOf(stream_id)
  const found: Attribution = { subject_id: subject, scope: 'stream', takes }
  taken.set(takes, found)
  return found
}

const ownerOf = (
  stream_id: string,
  subjects: Subjects,
  taken: ReadonlyMap<string, Attribution>,
): Attribution | undefined => {
  const known = subjects.ownerOf(stream_id)
  if (known === undefined) return taken.get(subjects.familyOf(stream_id))
  return { subject_id: known.subject_id, key_id: known.key_id, scope: 'stream' }
}

const isErased = ({ key_id }: Attribution, subjects: Subjects): boolean =>
  key_id !== undefined && subjects.isErased(key_id)

const withoutStream = ({ takes: _takes, ...owner }: Attribution): Attribution => ({
  ...owner,
  scope: 'value',
})

/** The subjects of a batch that have no key yet. */
export const withoutKey = ({ events, entries }: AttributedBatch, subjects: Subjects): string[] => {
  const missing = new Set<string>()
  for (const owner of [...events.flat(), ...entries]) {
    if (owner === undefined || owner === null || owner.key_id !== undefined) continue
    if (subjects.currentKey(owner.subject_id) === undefined) missing.add(owner.subject_id)
  }
  return [...missing]
}

export type SealingBatch = {
  readonly subjects: Subjects
  /** @throws {EventStoreError} `ES_KEY_MISSING` */
  readonly keyOf: (owner: Owner) => Uint8Array
  readonly newId: () => string
}

export type SealedBatch = {
  /** To be stored. */
  readonly batch: AtomicBatch
  /** What its events were, in order; those that are stored as they are are `undefined`. */
  readonly opened: readonly (Content | undefined)[]
  /** What the log says of subjects with it. */
  readonly learned: readonly Entry[]
}

/** What of an event is sealed. */
export type Content = Pick<RecordedEvent, 'payload' | 'normalized'>

/** @throws {EventStoreError} `ES_NOT_SERIALISABLE`, `ES_INVALID_EVENT`, `ES_KEY_MISSING`. */
export const sealBatch = (
  { batch: given, events, entries }: AttributedBatch,
  how: SealingBatch,
): SealedBatch => {
  const batch = captureBatch(given) as AtomicBatch
  const learned = new Map<string, Entry>()
  const ownerOfKey = ({ subject_id, key_id }: Attribution): Owner => ({
    subject_id,
    key_id: key_id ?? how.subjects.currentKey(subject_id) ?? '',
  })
  const opened: (Content | undefined)[] = []
  const appends = batch.appends.map((append, index) => ({
    ...append,
    events: append.events.map((event, place) => {
      const attribution = events[index]?.[place]
      if (attribution === undefined || attribution === null) {
        opened.push(undefined)
        return event
      }
      const owner = ownerOfKey(attribution)
      if (attribution.takes !== undefined)
        how.subjects.expect(streamEntry({ stream_id: attribution.takes, ...owner }))
      for (const entry of how.subjects.pendingFor(owner, append.stream_id)) learned.set(entry.key, entry)
      opened.push(contentOf(event))
      return sealEvent(event, { stream_id: append.stream_id, how, owner, scope: attribution.scope })
    }),
  }))
  const sealedEntries = (batch.entries ?? []).map(({ key, value }, index): Entry => {
    const attribution = entries[index]
    if (attribution === undefined || value === undefined) return { key, value }
    const owner = ownerOfKey(attribution)
    for (const entry of how.subjects.pendingFor(owner, '')) learned.set(entry.key, entry)
    const at = { ...owner, scope: 'value', place: placeOfEntry(key) } as const
    return { key, value: sealValue(how.keyOf(owner), value as JsonValue, at) }
  })
  const all = [...sealedEntries, ...learned.values()]
  return { batch: { ...batch, appends, entries: all }, opened, learned: [...learned.values()] }
}

const sealEvent = (event: NewEvent, { stream_id, how, owner, scope }: Sealing): NewEvent => {
  const { payload, normalized, event_type, schema_version = 1, event_id = how.newId() } = event
  if (looksSealed(payload)) throw reservedError(event)
  const content = [(payload ?? null) as JsonValue, normalized ?? null]
  const { subject_id, key_id } = owner
  const place = placeOfEvent({ stream_id, event_id, event_type, schema_version })
  const sealed = sealValue(how.keyOf(owner), content, { subject_id, key_id, scope, place })
  const stored = { ...event, event_id, payload: sealed, subject_id, key_id }
  if (normalized === undefined) return stored
  const { normalized: _inside, ...rest } = stored
  return rest
}

type Sealing = {
  readonly stream_id: string
  readonly how: SealingBatch
  readonly owner: Owner
  readonly scope: SealedValue['scope']
}

const contentOf = ({ payload, normalized }: NewEvent): Content => ({
  payload: (payload ?? null) as JsonValue,
  ...(normalized !== undefined && { normalized }),
})

/** What of an event cannot be changed without its payload becoming unreadable, beside whose it is. */
export const placeOfEvent = ({
  event_id,
  event_type,
  stream_id,
  schema_version,
}: Pick<RecordedEvent, 'event_id' | 'event_type' | 'schema_version' | 'stream_id'>): Place => [
  'event',
  stream_id,
  event_id,
  event_type,
  String(schema_version),
]

export const placeOfEntry = (key: string): Place => ['entry', key]

const erasedError = (stream_id: string, { subject_id }: Attribution): EventStoreError =>
  new EventStoreError('ES_SUBJECT_ERASED', {
    happened: `Stream '${stream_id}' belongs to subject '${subject_id}', which was erased`,
    expected: 'Expected nothing to be added to what cannot be read any more',
    remedy: 'Begin a new stream; a subject that comes back gets a new key',
    details: { stream_id },
  })

const reservedError = ({ event_type }: NewEvent): EventStoreError =>
  new EventStoreError('ES_INVALID_EVENT', {
    happened: `The payload of a '${event_type}' has a field '$sealed'`,
    expected: 'Expected that name to be left to values that are sealed',
    remedy: 'Rename the field; nothing was written',
    details: { path: 'payload.$sealed' },
  })
