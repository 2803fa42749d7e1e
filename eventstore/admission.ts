/**
 * The door: what a caller hands in is checked here, before anything is reserved or written.
 *
 * The zod schemas are the rule. The hand-written checks before them accept only what the schemas accept
 * too; they are there because each append passes through this file.
 */
import { z } from 'zod'
import { EventStoreError } from './errors.ts'
import type { NewEvent } from './event.ts'
import type { AtomicBatch, ExpectedVersion, StreamAppend } from './event-store.ts'

const MAX_NAME = 512

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/
/** A lone surrogate has no UTF-8: two different names would become one key. */
const ILL_FORMED = /\p{Surrogate}/u
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** What a name seldom has, and must not have but in pairs of surrogates. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const SUSPECT = /[\u0000-\u001f\u007f\ud800-\udfff]/

const isName = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.length > 0 &&
  value.length <= MAX_NAME &&
  (!SUSPECT.test(value) || (!CONTROL.test(value) && !ILL_FORMED.test(value)))

const name = z
  .string()
  .refine(
    isName,
    `must be 1 to ${MAX_NAME} characters, none of them a control character or half a surrogate pair`,
  )

const expectedVersion = z.union([z.int().nonnegative(), z.enum(['no_stream', 'stream_exists', 'any'])])

/** The envelope of a new event; its payload and state are checked by the copy that is made of them. */
const newEvent = z.strictObject({
  event_type: name,
  payload: z.unknown().optional(),
  event_id: name.optional(),
  timestamp: z.iso.datetime().optional(),
  source_agent: z.string().optional(),
  correlation_id: z.string().optional(),
  causation_id: z.string().nullable().optional(),
  schema_version: z.int().positive().optional(),
  machine: z.string().optional(),
  state: z.unknown().optional(),
  subject_id: z.string().optional(),
  key_id: z.string().optional(),
  normalized: z.array(z.string()).readonly().optional(),
})

const atomicBatch = z.strictObject({
  appends: z
    .array(
      z.strictObject({
        stream_id: name,
        events: z.array(z.unknown()),
        expectedVersion: expectedVersion.optional(),
      }),
    )
    .readonly(),
  entries: z
    .array(z.strictObject({ key: name, value: z.unknown().optional() }))
    .readonly()
    .optional(),
  durability: z.enum(['fsync', 'os']).optional(),
  commandId: name.optional(),
  outcome: z.boolean().optional(),
  whenFull: z.enum(['accept', 'wait', 'refuse']).optional(),
})

const isOptionalString = (value: unknown): boolean => value === undefined || typeof value === 'string'
/** Many events share a moment; the last that was sound needs no second look. */
let soundTimestamp: unknown
const isOptionalTimestamp = (value: unknown): boolean => {
  if (value === undefined || value === soundTimestamp) return true
  if (typeof value !== 'string' || !TIMESTAMP.test(value) || Number.isNaN(Date.parse(value))) return false
  soundTimestamp = value
  return true
}

const isOptionalSchemaVersion = (value: unknown): boolean =>
  value === undefined || (Number.isSafeInteger(value) && Number(value) > 0)

const KNOWN_FIELDS = new Set(Object.keys(newEvent.shape))

const isPlainlyAnEvent = (event: NewEvent): boolean => {
  if (typeof event !== 'object' || event === null) return false
  for (const key in event) if (!KNOWN_FIELDS.has(key)) return false
  return (
    isName(event.event_type) &&
    (event.event_id === undefined || isName(event.event_id)) &&
    isOptionalTimestamp(event.timestamp) &&
    isOptionalString(event.source_agent) &&
    isOptionalString(event.correlation_id) &&
    (event.causation_id === null || isOptionalString(event.causation_id)) &&
    isOptionalSchemaVersion(event.schema_version) &&
    isOptionalString(event.machine) &&
    isOptionalString(event.subject_id) &&
    isOptionalString(event.key_id) &&
    event.normalized === undefined
  )
}

/** @throws {EventStoreError} `ES_INVALID_EVENT` with `path`. `at` is where the event stands in the call. */
export const admitEvent = (event: NewEvent, at: string): void => {
  if (isPlainlyAnEvent(event)) return
  refuse(newEvent.safeParse(event), at, 'an event')
}

/** @throws {EventStoreError} `ES_INVALID_EVENT` with `path`. */
export const admitBatch = (batch: AtomicBatch): void => {
  if (!isPlainlyABatch(batch)) refuse(atomicBatch.safeParse(batch), '', 'an append')
  const { appends } = batch
  for (let index = 0; index < appends.length; index += 1) {
    const { events } = appends[index] as StreamAppend
    for (let place = 0; place < events.length; place += 1) {
      const event = events[place] as NewEvent
      if (!isPlainlyAnEvent(event)) admitEvent(event, pathOfEvent(batch, index, place))
    }
  }
}

/**
 * The same for a batch whose names and values were checked before. Who caused an event, and its id, come from callers who
 * need not have types: that these are texts is still looked at.
 * @throws {EventStoreError} `ES_INVALID_EVENT` with `path`.
 */
export const admitSoundBatch = (batch: Pick<AtomicBatch, 'appends'>): void => {
  for (const { events } of batch.appends) {
    for (const { event_id, source_agent, correlation_id, causation_id } of events) {
      const isText =
        typeof event_id === 'string' &&
        isOptionalString(source_agent) &&
        isOptionalString(correlation_id) &&
        (causation_id === null || isOptionalString(causation_id))
      if (!isText) admitBatch(batch)
    }
  }
}

/** How errors name one event of a call; a lone event needs no name. */
export const pathOfEvent = (
  batch: { readonly appends: readonly { readonly events: readonly unknown[] }[] },
  append: number,
  place: number,
): string => {
  if (batch.appends.length > 1) return `appends[${append}].events[${place}]`
  return batch.appends[0]?.events.length === 1 ? '' : `events[${place}]`
}

/** A field of what stands at `at`. */
export const pathOfField = (at: string, field: string): string => (at === '' ? field : `${at}.${field}`)

/** @throws {EventStoreError} `ES_INVALID_EVENT` with `path`. */
export const admitStreamId = (stream_id: string): void => {
  if (isName(stream_id)) return
  refuse(z.strictObject({ stream_id: name }).safeParse({ stream_id }), '', 'a stream id')
}

const version = z.int().positive()
const signal = z.instanceof(AbortSignal).optional()
const readOptions = {
  readStream: z.strictObject({
    fromVersion: version.optional(),
    toVersion: version.optional(),
    direction: z.enum(['forwards', 'backwards']).optional(),
    signal,
  }),
  readAll: z.strictObject({ fromPosition: z.int().nonnegative().optional(), signal }),
  subscribe: z.strictObject({
    fromPosition: z.union([z.int().nonnegative(), z.literal('now')]).optional(),
    signal,
  }),
}

/** @throws {EventStoreError} `ES_INVALID_OPTION` with `path`. */
export const admitReadOptions = (of: keyof typeof readOptions, options: object | undefined): void => {
  if (options === undefined) return
  const result = readOptions[of].safeParse(options)
  if (!result.success) throw invalid(result.error, { code: 'ES_INVALID_OPTION', at: 'options', what: of })
}

const WHEN_FULL: ReadonlySet<unknown> = new Set(atomicBatch.shape.whenFull.unwrap().options)
const KNOWN_BATCH_FIELDS = new Set(Object.keys(atomicBatch.shape))

const isExpectedVersion = (value: unknown): value is ExpectedVersion | undefined =>
  value === undefined ||
  value === 'any' ||
  value === 'no_stream' ||
  value === 'stream_exists' ||
  (Number.isSafeInteger(value) && Number(value) >= 0)

const isPlainlyABatch = (batch: AtomicBatch): boolean => {
  for (const key in batch) if (!KNOWN_BATCH_FIELDS.has(key)) return false
  return (
    Array.isArray(batch.appends) &&
    batch.appends.every(
      (append) =>
        isName(append.stream_id) && Array.isArray(append.events) && isExpectedVersion(append.expectedVersion),
    ) &&
    (batch.entries === undefined || batch.entries.every((entry) => isName(entry.key))) &&
    (batch.durability === undefined || batch.durability === 'fsync' || batch.durability === 'os') &&
    (batch.commandId === undefined || isName(batch.commandId)) &&
    (batch.outcome === undefined || typeof batch.outcome === 'boolean') &&
    (batch.whenFull === undefined || WHEN_FULL.has(batch.whenFull))
  )
}

const pathOf = (at: string, path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? String(step) : `${text}.${String(step)}`
  }, at)

const refuse = (result: z.ZodSafeParseResult<unknown>, at: string, what: string): void => {
  if (!result.success) throw invalid(result.error, { code: 'ES_INVALID_EVENT', at, what })
}

type Refusal = {
  readonly code: 'ES_INVALID_EVENT' | 'ES_INVALID_OPTION'
  readonly at: string
  readonly what: string
}

const invalid = (error: z.ZodError, { code, at, what }: Refusal): EventStoreError => {
  const [issue] = error.issues
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = pathOf(
    at,
    unknownKey === undefined ? (issue?.path ?? []) : [...(issue?.path ?? []), unknownKey],
  )
  return new EventStoreError(code, {
    happened: `${path === '' ? 'The call' : path} is not valid in ${what}`,
    expected: `The rule: ${issue?.message ?? 'a valid value'}`,
    remedy: 'Correct it and call again; nothing was written',
    cause: error,
    details: { path },
  })
}
