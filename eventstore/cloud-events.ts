/** Events as CloudEvents 1.0 in JSON, for systems that speak that, and back. */
import { z } from 'zod'
import { EventStoreError } from './errors.ts'
import type { JsonValue, NewEvent, RecordedEvent } from './event.ts'

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The attributes that CloudEvents has no name for are extensions: lower case, letters and digits only. */
const cloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  subject: z.string().min(1),
  time: z.iso.datetime({ offset: true }).optional(),
  datacontenttype: z.string().optional(),
  data: z.json().optional(),
  sourceagent: z.string().optional(),
  correlationid: z.string().optional(),
  causationid: z.string().optional(),
  schemaversion: z.int().positive().optional(),
  machine: z.string().optional(),
  /** JSON in text: an extension holds no structure. */
  machinestate: z.string().refine(isJson, 'must be JSON').optional(),
  subjectid: z.string().optional(),
  keyid: z.string().optional(),
  streamversion: z.int().positive().optional(),
  logposition: z.int().positive().optional(),
  hash: z.string().optional(),
})

export type CloudEvent = z.infer<typeof cloudEvent>

/** `source`: a URI of the log; default `urn:event-log`. The stream is the subject. */
export const toCloudEvent = (
  event: RecordedEvent,
  options: { readonly source?: string } = {},
): CloudEvent => ({
  specversion: '1.0',
  id: event.event_id,
  source: options.source ?? 'urn:event-log',
  type: event.event_type,
  subject: event.stream_id,
  time: event.timestamp,
  datacontenttype: 'application/json',
  data: event.payload as z.infer<ReturnType<typeof z.json>>,
  ...given('sourceagent', event.source_agent),
  ...given('correlationid', event.correlation_id),
  ...given('causationid', event.causation_id ?? ''),
  schemaversion: event.schema_version,
  ...given('machine', event.machine),
  ...given('machinestate', event.state === null ? '' : JSON.stringify(event.state)),
  ...given('subjectid', event.subject_id),
  ...given('keyid', event.key_id),
  streamversion: event.version,
  logposition: event.position,
  hash: event.hash,
})

/** An extension must not be empty, so what is empty is left out. */
const given = (name: string, value: string): Record<string, string> => (value === '' ? {} : { [name]: value })

/**
 * What to append, and to which stream. Version, position and hash are the log's to give.
 * @throws {EventStoreError} `ES_INVALID_EVENT` with `path`.
 */
export const fromCloudEvent = (value: unknown): { readonly stream_id: string; readonly event: NewEvent } => {
  const parsed = cloudEvent.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new EventStoreError('ES_INVALID_EVENT', {
      happened: `${issue?.path.join('.') ?? 'The value'} is not valid in a CloudEvent`,
      expected: `The rule: ${issue?.message ?? 'CloudEvents 1.0 with a subject'}`,
      remedy: 'Correct it and try again; nothing was written',
      cause: parsed.error,
      details: { path: issue?.path.join('.') ?? '' },
    })
  }
  const { data } = parsed
  const event: NewEvent = {
    event_id: data.id,
    event_type: data.type,
    ...(data.time === undefined ? {} : { timestamp: new Date(data.time).toISOString() }),
    payload: data.data ?? null,
    source_agent: data.sourceagent ?? '',
    correlation_id: data.correlationid ?? '',
    causation_id: data.causationid ?? null,
    schema_version: data.schemaversion ?? 1,
    machine: data.machine ?? '',
    state: data.machinestate === undefined ? null : (JSON.parse(data.machinestate) as JsonValue),
    subject_id: data.subjectid ?? '',
    key_id: data.keyid ?? '',
  }
  return { stream_id: data.subject, event }
}
