/**
 * What an append amounts to, worked out before anything changes: versions, positions, records, heads.
 *
 * Pure but for the reader of heads it is given: if the plan cannot be made, nothing was reserved.
 */
import { pathOfEvent, pathOfField } from './admission.ts'
import { EventStoreError } from './errors.ts'
import type { NewEvent, RecordedEvent } from './event.ts'
import type { ExpectedVersion, ImportBatch } from './event-store.ts'
import { commandKey, entryKey, eventKey } from './keys.ts'
import { copyAsJson } from './payload.ts'
import { encodeRecord, encodeStub, GENESIS, withHash, type EventBody, type Stub } from './record.ts'
import { checksumOf, seal, type BatchNote, type CommandRecord, type HeadRecord } from './sealed.ts'

/** A value to be stored beside the events, or deleted. */
export type PlannedEntry = {
  readonly key: string
  readonly value: string | undefined
  /** How the link of the batch remembers it, if it does. */
  readonly note?: BatchNote
}

/** One record of the log as it will be stored. */
export type PlannedRecord = Stub & { readonly hash: string; readonly value: string }

export type Plan = {
  /** In the order of their positions. */
  readonly events: readonly RecordedEvent[]
  /** The events as they will be stored, and stubs that were imported with them. */
  readonly records: readonly PlannedRecord[]
  readonly heads: ReadonlyMap<string, HeadRecord>
  readonly entries: readonly PlannedEntry[]
  /** What the link of the batch remembers beside the entries. */
  readonly notes: readonly BatchNote[]
  readonly versions: ReadonlyMap<string, number>
  /** Position of the last event after this plan. */
  readonly position: number
  /** Size of what will be written, in characters. */
  readonly size: number
}

/** Records of one stream that become stubs, up to and including the last of them. */
export type Archived = {
  readonly stream_id: string
  readonly records: readonly (Stub & { readonly hash: string })[]
}

/** A batch with what no caller may ask for directly. */
export type LogBatch = ImportBatch & { readonly archive?: readonly Archived[] }

type LogAppend = LogBatch['appends'][number]

export type PlanContext = {
  /** Last position handed out. */
  readonly position: number
  readonly headOf: (stream_id: string) => HeadRecord | undefined
  readonly now: () => string
  readonly newId: () => string
}

type Draft = {
  position: number
  size: number
  readonly events: RecordedEvent[]
  readonly records: PlannedRecord[]
  readonly heads: Map<string, HeadRecord>
  readonly notes: BatchNote[]
  readonly versions: Map<string, number>
}

/**
 * @throws {EventStoreError} `ES_VERSION_CONFLICT`, `ES_NOT_SERIALISABLE`.
 */
export const planBatch = (batch: LogBatch, context: PlanContext): Plan => {
  const draft: Draft = {
    position: context.position,
    size: 0,
    events: [],
    records: [],
    heads: new Map(),
    notes: [],
    versions: new Map(),
  }
  const outcome = batch.outcome ?? false
  for (const [index, append] of batch.appends.entries()) {
    const head = draft.heads.get(append.stream_id) ?? context.headOf(append.stream_id)
    assertExpected(append, head?.version ?? 0)
    const at = (place: number): string => pathOfEvent(batch, index, place)
    draftStream(draft, { append, head, at, outcome, context })
  }
  const entries = planEntries(batch, outcome)
  for (const archived of batch.archive ?? []) {
    entries.push(...planArchive(archived))
    draft.notes.push(['archived', archived.stream_id, String(archived.records.at(-1)?.version ?? 0)])
  }
  if (batch.commandId !== undefined) entries.push(planCommand(batch.commandId, draft))
  for (const entry of entries) draft.size += entry.key.length + (entry.value?.length ?? 0)
  return { ...draft, entries }
}

/**
 * The batch with everything in it copied, for one that is planned later: what its caller changes meanwhile
 * must not change what it asked for.
 * @throws {EventStoreError} `ES_NOT_SERIALISABLE`.
 */
export const captureBatch = (batch: LogBatch): LogBatch => {
  const outcome = batch.outcome ?? false
  const appends = batch.appends.map((append, index) => ({
    ...append,
    events: append.events.map((event, place) => {
      if ('stub' in event) return event
      return captureEvent(event, { outcome, at: () => pathOfEvent(batch, index, place) })
    }),
  }))
  const entries = (batch.entries ?? []).map(({ key, value }, index) => {
    if (value === undefined) return { key, value }
    return { key, value: copyAsJson(value, { root: () => `entries[${index}].value`, outcome }).value }
  })
  return { ...batch, appends, entries }
}

type Capture = { readonly outcome: boolean; readonly at: () => string }

const captureEvent = (event: NewEvent, { outcome, at }: Capture): NewEvent => {
  const payload = copyAsJson(event.payload, { root: () => pathOfField(at(), 'payload'), outcome })
  const state = copyAsJson(event.state, { root: () => pathOfField(at(), 'state'), outcome })
  const normalized = [...(event.normalized ?? []), ...payload.normalized, ...state.normalized]
  return {
    ...event,
    payload: payload.value,
    state: state.value,
    ...(normalized.length === 0 ? {} : { normalized }),
  }
}

type StreamDraft = {
  readonly append: LogAppend
  readonly head: HeadRecord | undefined
  readonly at: (place: number) => string
  readonly outcome: boolean
  readonly context: PlanContext
}

const draftStream = (draft: Draft, { append, head, at, outcome, context }: StreamDraft): void => {
  const { stream_id, events } = append
  let last = head
  for (const [place, event] of events.entries()) {
    draft.position += 1
    const { position } = draft
    const version = (last?.version ?? 0) + 1
    if ('stub' in event) {
      const { stub: hash } = event
      const value = encodeStub({ stream_id, version, position }, hash)
      keep(draft, { stream_id, version, position, hash, value })
      draft.notes.push(['archived', stream_id, String(version)])
      last = headAfter(last, { version, position, machine: '', state: null }, hash)
      continue
    }
    const body = bodyOf(event, { stream_id, version, position, at: () => at(place), outcome, context })
    const { hash, value } = encodeRecord(body, last?.hash ?? GENESIS)
    draft.events.push(withHash(body, hash))
    keep(draft, { stream_id, version, position, hash, value })
    last = headAfter(last, body, hash)
  }
  if (last !== undefined && events.length > 0) draft.heads.set(stream_id, last)
  draft.versions.set(stream_id, last?.version ?? 0)
}

const keep = (draft: Draft, record: PlannedRecord): void => {
  draft.records.push(record)
  draft.size += record.value.length
}

/** A head as it is after one more event; machine and state stay known through events that name none. */
const headAfter = (
  head: HeadRecord | undefined,
  event: Pick<RecordedEvent, 'version' | 'position' | 'machine' | 'state'>,
  hash: string,
): HeadRecord => ({
  version: event.version,
  position: event.position,
  hash,
  machine: event.machine === '' ? (head?.machine ?? '') : event.machine,
  state: event.state ?? head?.state ?? null,
})

type Draftable = { -readonly [K in keyof EventBody]: EventBody[K] }

type Placement = {
  readonly stream_id: string
  readonly version: number
  readonly position: number
  readonly at: () => string
  readonly outcome: boolean
  readonly context: PlanContext
}

const bodyOf = (event: NewEvent, placement: Placement): EventBody => {
  const { outcome, context, at } = placement
  const payload = copyAsJson(event.payload, { root: () => pathOfField(at(), 'payload'), outcome })
  const state = copyAsJson(event.state, { root: () => pathOfField(at(), 'state'), outcome })
  const body: Draftable = {
    event_id: event.event_id ?? context.newId(),
    event_type: event.event_type,
    timestamp: event.timestamp ?? context.now(),
    source_agent: event.source_agent ?? '',
    payload: payload.value,
    correlation_id: event.correlation_id ?? '',
    causation_id: event.causation_id ?? null,
    stream_id: placement.stream_id,
    version: placement.version,
    position: placement.position,
    schema_version: event.schema_version ?? 1,
    machine: event.machine ?? '',
    state: state.value,
    subject_id: event.subject_id ?? '',
    key_id: event.key_id ?? '',
  }
  const normalized = [...(event.normalized ?? []), ...payload.normalized, ...state.normalized]
  if (normalized.length > 0) body.normalized = normalized
  return body
}

const planArchive = ({ records }: Archived): PlannedEntry[] =>
  records.map((record) => ({ key: eventKey(record.position), value: encodeStub(record, record.hash) }))

const planEntries = (batch: LogBatch, outcome: boolean): PlannedEntry[] =>
  (batch.entries ?? []).map((entry, index) => {
    const key = entryKey(entry.key)
    if (entry.value === undefined) return { key, value: undefined, note: ['del', entry.key] }
    const copied = copyAsJson(entry.value, { root: () => `entries[${index}].value`, outcome })
    const value = seal(key, copied.value)
    return { key, value, note: ['put', entry.key, checksumOf(value)] }
  })

const planCommand = (commandId: string, draft: Draft): PlannedEntry => {
  const key = commandKey(commandId)
  const record: CommandRecord = {
    first: draft.position - draft.events.length + 1,
    count: draft.events.length,
    versions: Array.from(draft.versions),
  }
  return { key, value: seal(key, record), note: ['command', commandId] }
}

const holds = (expected: ExpectedVersion, actual: number): boolean => {
  switch (expected) {
    case 'any':
      return true
    case 'no_stream':
      return actual === 0
    case 'stream_exists':
      return actual > 0
    default:
      return expected === actual
  }
}

const expectation = (expected: ExpectedVersion): string => {
  switch (expected) {
    case 'any':
      return 'any version'
    case 'no_stream':
      return 'no such stream'
    case 'stream_exists':
      return 'an existing stream'
    default:
      return `version ${expected}`
  }
}

const assertExpected = (append: LogAppend, actual: number): void => {
  const expected = append.expectedVersion ?? 'any'
  if (holds(expected, actual)) return
  throw new EventStoreError('ES_VERSION_CONFLICT', {
    happened:
      actual === 0
        ? `Stream '${append.stream_id}' does not exist`
        : `Stream '${append.stream_id}' is at version ${actual}`,
    expected: `The append expected ${expectation(expected)}`,
    remedy:
      'Read what was added since, decide again, and append with the version you saw; nothing was written',
    details: { stream_id: append.stream_id, expected, actual },
  })
}
