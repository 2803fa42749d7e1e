/**
 * What an append amounts to, worked out before anything changes: versions, positions, records, heads.
 *
 * Pure but for the reader of heads it is given: if the plan cannot be made, nothing was reserved.
 */
import { captureEvent, cursorOver, draftBody, type Cursor, type Defaults } from './draft-event.ts'
import { EventStoreError } from './errors.ts'
import type { JsonValue, RecordedEvent } from './event.ts'
import type { Entry, ExpectedVersion, ImportBatch } from './event-store.ts'
import { commandKey, entryKey, eventKey } from './keys.ts'
import { copyAsJson } from './payload.ts'
import { encodeRecord, encodeStub, GENESIS, withHash, type Stub } from './record.ts'
import { checksumOf, seal, type BatchNote, type CommandRecord, type HeadRecord } from './sealed.ts'
import { listOf } from './young.ts'

/** A value to be stored beside the events, or deleted. */
export type PlannedEntry = {
  readonly key: string
  readonly value: string | undefined
  /** How the link of the batch remembers it, if it does. */
  readonly note?: BatchNote
}

/** The place of a record and its hash: an event, or what is left of one. */
export type RecordPlace = Stub & { readonly hash: string }

/** A stream that a batch named, and its head afterwards; undefined if there is still no such stream. */
export type PlannedHead = readonly [stream_id: string, head: HeadRecord | undefined]

export type Plan = {
  /** In the order of their positions. */
  readonly events: readonly RecordedEvent[]
  /** The events, and stubs that were imported with them. */
  readonly records: readonly RecordPlace[]
  /** The text that each of `records` will be stored as. */
  readonly values: readonly string[]
  /** One for each stream, in the order in which they were named. */
  readonly heads: readonly PlannedHead[]
  readonly entries: readonly PlannedEntry[]
  /** What the link of the batch remembers beside the entries. */
  readonly notes: readonly BatchNote[]
  /** Position of the last event after this plan. */
  readonly position: number
  /** Size of what will be written, in characters. */
  readonly size: number
}

/** Records of one stream that become stubs, up to and including the last of them. */
export type Archived = {
  readonly stream_id: string
  readonly records: readonly RecordPlace[]
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
  events: readonly RecordedEvent[]
  /** `NONE` until there is a stub: then events and stubs. */
  records: readonly RecordPlace[]
  values: readonly string[]
  entries: readonly PlannedEntry[]
  notes: readonly BatchNote[]
  heads: readonly PlannedHead[]
}

/** What every list of a draft begins as. */
const NONE: readonly never[] = []

/** The list with one more. The first makes a list to measure: one that `push` begins has room for seventeen. */
const and = <T>(list: readonly T[], item: T): readonly T[] => {
  if (list === NONE) return listOf(item)
  // What is not `NONE` was made here.
  ;(list as T[]).push(item)
  return list
}

/**
 * `isSound`: payloads and states are JSON already, and only copied.
 * @throws {EventStoreError} `ES_VERSION_CONFLICT`, `ES_NOT_SERIALISABLE`.
 */
export const planBatch = (
  batch: LogBatch,
  context: PlanContext,
  options?: { readonly isSound: boolean },
): Plan => {
  const { position } = context
  const draft: Draft = {
    position,
    size: 0,
    events: NONE,
    records: NONE,
    values: NONE,
    entries: NONE,
    notes: NONE,
    heads: NONE,
  }
  const { appends } = batch
  const cursor = cursorOver(batch, options)
  const [only] = appends
  if (only !== undefined && appends.length === 1) {
    const head = draftAppend(draft, context.headOf(only.stream_id), {
      append: only,
      cursor,
      defaults: context,
    })
    draft.heads = [[only.stream_id, head]]
  } else {
    draft.heads = Array.from(draftAppends(draft, appends, { cursor, context }))
  }
  if (batch.entries !== undefined) planEntries(draft, batch.entries, cursor.outcome)
  for (const { stream_id, records } of batch.archive ?? []) {
    for (const record of records) draft.entries = and(draft.entries, asStub(record))
    draft.notes = and(draft.notes, ['archived', stream_id, String(records.at(-1)?.version ?? 0)])
  }
  if (batch.commandId !== undefined) draft.entries = and(draft.entries, planCommand(batch.commandId, draft))
  for (const { key, value } of draft.entries) draft.size += key.length + (value?.length ?? 0)
  if (draft.records === NONE) draft.records = draft.events
  return draft
}

/** Drafts appends that may name a stream more than once. */
const draftAppends = (
  draft: Draft,
  appends: readonly LogAppend[],
  { cursor, context }: { readonly cursor: Cursor; readonly context: PlanContext },
): Map<string, HeadRecord | undefined> => {
  const heads = new Map<string, HeadRecord | undefined>()
  for (const append of appends) {
    const { stream_id } = append
    const head = heads.get(stream_id) ?? context.headOf(stream_id)
    heads.set(stream_id, draftAppend(draft, head, { append, cursor, defaults: context }))
    cursor.append += 1
  }
  return heads
}

/** Version of each stream that a plan names, after it. */
export const versionsOf = ({ heads }: Pick<Plan, 'heads'>): Map<string, number> => {
  const versions = new Map<string, number>()
  for (const [stream_id, head] of heads) versions.set(stream_id, head?.version ?? 0)
  return versions
}

/**
 * The batch with everything in it copied, for one that is planned later: what its caller changes meanwhile
 * must not change what it asked for.
 * @throws {EventStoreError} `ES_NOT_SERIALISABLE`.
 */
export const captureBatch = (batch: LogBatch): LogBatch => {
  const cursor = cursorOver(batch)
  const { outcome } = cursor
  const appends = batch.appends.map((append, at) => ({
    ...append,
    events: append.events.map((event, place) => {
      cursor.append = at
      cursor.place = place
      return 'stub' in event ? event : captureEvent(event, cursor)
    }),
  }))
  const entries = (batch.entries ?? []).map(({ key, value }, index) => {
    if (value === undefined) return { key, value }
    return { key, value: copyAsJson(value, { root: () => `entries[${index}].value`, outcome }).value }
  })
  return { ...batch, appends, entries }
}

type StreamDraft = { readonly append: LogAppend; readonly cursor: Cursor; readonly defaults: Defaults }

/**
 * Drafts one stream's events after `head`; gives back the head after them.
 * @throws {EventStoreError} `ES_VERSION_CONFLICT`, `ES_NOT_SERIALISABLE`.
 */
const draftAppend = (
  draft: Draft,
  head: HeadRecord | undefined,
  { append, cursor, defaults }: StreamDraft,
): HeadRecord | undefined => {
  const { stream_id, events } = append
  assertExpected(append, head?.version ?? 0)
  let last = head
  cursor.place = 0
  for (const event of events) {
    draft.position += 1
    const { position } = draft
    const version = (last?.version ?? 0) + 1
    if ('stub' in event) {
      const { stub: hash } = event
      const stub: RecordPlace = { stream_id, version, position, hash }
      draft.records = draft.records === NONE ? [...draft.events, stub] : and(draft.records, stub)
      keep(draft, encodeStub(stub, hash))
      draft.notes = and(draft.notes, ['archived', stream_id, String(version)])
      last = new Head(last, { version, position, machine: '', state: null }, hash)
    } else {
      const body = draftBody(event, cursor, { stream_id, version, position, defaults })
      const { hash, value } = encodeRecord(body, last?.hash ?? GENESIS)
      const recorded = withHash(body, hash)
      if (draft.records !== NONE) draft.records = and(draft.records, recorded)
      draft.events = and(draft.events, recorded)
      keep(draft, value)
      last = new Head(last, recorded, hash)
    }
    cursor.place += 1
  }
  return last
}

const keep = (draft: Draft, value: string): void => {
  draft.values = and(draft.values, value)
  draft.size += value.length
}

/** A head as it is after one more event; machine and state stay known through events that name none. */
class Head implements HeadRecord {
  readonly version: number
  readonly position: number
  readonly hash: string
  readonly machine: string
  readonly state: JsonValue

  constructor(
    before: HeadRecord | undefined,
    event: Pick<RecordedEvent, 'version' | 'position' | 'machine' | 'state'>,
    hash: string,
  ) {
    this.version = event.version
    this.position = event.position
    this.hash = hash
    this.machine = event.machine === '' ? (before?.machine ?? '') : event.machine
    this.state = event.state ?? before?.state ?? null
  }
}

const asStub = (record: RecordPlace): PlannedEntry => ({
  key: eventKey(record.position),
  value: encodeStub(record, record.hash),
})

const planEntries = (draft: Draft, entries: readonly Entry[], outcome: boolean): void => {
  for (const [index, entry] of entries.entries()) {
    const key = entryKey(entry.key)
    if (entry.value === undefined) {
      draft.entries = and(draft.entries, { key, value: undefined, note: ['del', entry.key] })
      continue
    }
    const copied = copyAsJson(entry.value, { root: () => `entries[${index}].value`, outcome })
    const value = seal(key, copied.value)
    draft.entries = and(draft.entries, { key, value, note: ['put', entry.key, checksumOf(value)] })
  }
}

const planCommand = (commandId: string, draft: Draft): PlannedEntry => {
  const key = commandKey(commandId)
  const record: CommandRecord = {
    first: draft.position - draft.events.length + 1,
    count: draft.events.length,
    versions: Array.from(versionsOf(draft)),
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
