/** Makes the body of one event out of what a caller handed in: copied, completed, with its place. */
import { pathOfEvent, pathOfField } from './admission.ts'
import type { EventBody, JsonValue, NewEvent } from './event.ts'
import type { ImportBatch } from './event-store.ts'
import { cloneJson, copyAsJson, copyIfPlain, NOT_PLAIN } from './payload.ts'

/** Where the event being copied stands in its call, and what it loses; one per call, moved on. */
export type Cursor = {
  readonly batch: ImportBatch
  readonly outcome: boolean
  /** Whether all values are JSON already. */
  readonly isSound: boolean
  append: number
  place: number
  /** Paths to what could not be carried as it was. */
  lost: string[] | undefined
}

export const cursorOver = (
  batch: ImportBatch,
  { isSound = false }: { readonly isSound?: boolean | undefined } = {},
): Cursor => ({
  batch,
  outcome: batch.outcome ?? false,
  isSound,
  append: 0,
  place: 0,
  lost: undefined,
})

/** What fills in what the caller left out. */
export type Defaults = { readonly now: () => string; readonly newId: () => string }

/** The place an event will have. */
export type EventPlace = {
  readonly stream_id: string
  readonly version: number
  readonly position: number
  readonly defaults: Defaults
}

/** The fields of a body in the order in which they are stored; the hash is not, until there is one. */
const BLANK: EventBody = {
  event_id: '',
  event_type: '',
  timestamp: '',
  source_agent: '',
  payload: null,
  correlation_id: '',
  causation_id: null,
  stream_id: '',
  version: 0,
  position: 0,
  schema_version: 1,
  machine: '',
  state: null,
  subject_id: '',
  key_id: '',
  hash: undefined,
}

/** @throws {EventStoreError} `ES_NOT_SERIALISABLE`, with the path to the value, unless it is an outcome. */
export const draftBody = (event: NewEvent, cursor: Cursor, place: EventPlace): EventBody => {
  const { defaults } = place
  cursor.lost = undefined
  const body: EventBody = {
    // A copy of this with other values, for the sake of the garbage collector (young.ts).
    ...BLANK,
    event_id: event.event_id ?? defaults.newId(),
    event_type: event.event_type,
    timestamp: event.timestamp ?? defaults.now(),
    source_agent: event.source_agent ?? '',
    payload: copyField(event, 'payload', cursor),
    correlation_id: event.correlation_id ?? '',
    causation_id: event.causation_id ?? null,
    stream_id: place.stream_id,
    version: place.version,
    position: place.position,
    schema_version: event.schema_version ?? 1,
    machine: event.machine ?? '',
    state: event.state === undefined ? null : copyField(event, 'state', cursor),
    subject_id: event.subject_id ?? '',
    key_id: event.key_id ?? '',
  }
  const normalized = normalizedIn(event, cursor)
  return normalized === undefined ? body : withNormalized(body, normalized)
}

/** The hash stays the last field. */
const withNormalized = ({ hash: _none, ...fields }: EventBody, normalized: readonly string[]): EventBody => ({
  ...fields,
  normalized,
})

/**
 * The event with its payload and state copied, for one whose place is given later.
 * @throws {EventStoreError} `ES_NOT_SERIALISABLE`.
 */
export const captureEvent = (event: NewEvent, cursor: Cursor): NewEvent => {
  cursor.lost = undefined
  const payload = copyField(event, 'payload', cursor)
  const state = copyField(event, 'state', cursor)
  const normalized = normalizedIn(event, cursor)
  return { ...event, payload, state, ...(normalized === undefined ? {} : { normalized }) }
}

const normalizedIn = (event: NewEvent, { lost }: Cursor): readonly string[] | undefined => {
  if (event.normalized === undefined && lost === undefined) return undefined
  const all = [...(event.normalized ?? []), ...(lost ?? [])]
  return all.length === 0 ? undefined : all
}

const copyField = (event: NewEvent, field: 'payload' | 'state', cursor: Cursor): JsonValue => {
  if (cursor.isSound) return cloneJson((event[field] as JsonValue | undefined) ?? null)
  const plain = copyIfPlain(event[field])
  if (plain !== NOT_PLAIN) return plain ?? null
  const { batch, append, place, outcome } = cursor
  const root = (): string => pathOfField(pathOfEvent(batch, append, place), field)
  const { value, normalized } = copyAsJson(event[field], { root, outcome })
  cursor.lost = [...(cursor.lost ?? []), ...normalized]
  return value
}
