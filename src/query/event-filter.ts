/** Which events a reader wants to see: by actor, type, text, role, verdict, correlation, time and place. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { checkedMoment } from './moment.ts'
import { QueryError } from './query-error.ts'
import { redactedPayload } from './redacted.ts'
import { createIdentities } from './stream-identity.ts'

/** What hooks and guards amounted to: of an event that was let pass, and of one that was not. */
export type EventVerdict = 'allowed' | 'denied'

/** All that is given must hold. */
export type EventFilter = {
  readonly stream_id?: string | undefined
  /** An actor by its stream's id, with all that is below it: its calls, its runs, its refusals; or whoever wrote it. */
  readonly actor?: string | undefined
  /** `step.failed`, or a pattern in which `*` stands for any characters: `step.*`. Any of them matches. */
  readonly types?: readonly string[] | undefined
  /** In the type or the payload, whatever the case; not in what looks like a secret. */
  readonly text?: string | undefined
  /** Of the session, run or call that the event is about. */
  readonly role?: string | undefined
  readonly verdict?: EventVerdict | undefined
  readonly correlation_id?: string | undefined
  /** ISO 8601: recorded at this moment or later. */
  readonly since?: string | undefined
  /** ISO 8601: recorded before this moment. */
  readonly until?: string | undefined
  /** First position, inclusive. */
  readonly from_position?: number | undefined
  /** Last position, inclusive. */
  readonly to_position?: number | undefined
}

/** Whether anything is left out but by place. */
export function hasFilter(filter: EventFilter): boolean {
  const { stream_id: _stream, from_position: _from, to_position: _to, ...rest } = filter
  return Object.values(rest).some((value) => value !== undefined)
}

/** @throws QueryError `QUERY_INVALID` */
export function createMatcher(
  log: Pick<EventStore, 'readStream'>,
  filter: EventFilter,
): (event: RecordedEvent) => Promise<boolean> {
  const { stream_id, actor, role, verdict, correlation_id } = filter
  const types = filter.types?.map(typePattern)
  const text = filter.text?.toLowerCase()
  const since = filter.since === undefined ? undefined : checkedMoment(filter.since, 'since')
  const until = filter.until === undefined ? undefined : checkedMoment(filter.until, 'until')
  if (verdict !== undefined && verdict !== 'allowed' && verdict !== 'denied') throw invalidVerdict(verdict)
  const identities = createIdentities(log)
  const says = (event: RecordedEvent, wanted: string): boolean =>
    event.event_type.toLowerCase().includes(wanted) ||
    JSON.stringify(redactedPayload(event)).toLowerCase().includes(wanted)
  return async (event) => {
    if (stream_id !== undefined && event.stream_id !== stream_id) return false
    if (types !== undefined && !types.some((type) => type.test(event.event_type))) return false
    if (correlation_id !== undefined && event.correlation_id !== correlation_id) return false
    const at = since === undefined && until === undefined ? 0 : Date.parse(event.timestamp)
    if (at < (since ?? at) || (until !== undefined && at >= until)) return false
    if (verdict !== undefined && verdictIn(event) !== verdict) return false
    if (text !== undefined && !says(event, text)) return false
    if (role !== undefined && (await identities.of(event.stream_id)).role !== role) return false
    if (actor === undefined || event.source_agent === actor) return true
    return identities.isWithin(event.stream_id, actor)
  }
}

/** What hooks and guards said in an event; `undefined` if nobody was asked. */
function verdictIn(event: RecordedEvent): EventVerdict | undefined {
  const said = VERDICTS[event.event_type]
  if (said !== undefined) return said
  if (event.event_type === 'tool.judged') {
    // Left to a person, who has not decided yet.
    if (event.state === 'waiting') return undefined
    return event.state === 'settled' ? 'denied' : 'allowed'
  }
  const { testimony } = (event.payload ?? {}) as { testimony?: readonly unknown[] }
  // It is in the stream: the guard let it pass.
  return Array.isArray(testimony) && testimony.length > 0 ? 'allowed' : undefined
}

const VERDICTS: Readonly<Record<string, EventVerdict>> = {
  'runtime.refused': 'denied',
  'tool.approved': 'allowed',
  'tool.denied': 'denied',
  'approval.granted': 'allowed',
  'approval.denied': 'denied',
}

function typePattern(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`)
}

function invalidVerdict(verdict: string): QueryError {
  return new QueryError('QUERY_INVALID', {
    happened: `"${verdict}" is no verdict.`,
    expected: 'Expected "allowed" or "denied".',
    todo: 'Correct it; without a verdict, all events are meant.',
    details: { path: 'verdict' },
  })
}
