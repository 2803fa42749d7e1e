/** All that happened in a session and below it, in one line of time: its events, its decisions, what it cost so far. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { checkedMoment } from './moment.ts'
import { QueryError } from './query-error.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { actorOfStream, createIdentities } from './stream-identity.ts'

export type SessionTimelineQuestion = {
  /** A session or run; with all that it started, and their calls. */
  readonly session_id: string
  /** Only these; default all. */
  readonly kinds?: readonly SessionMoment['kind'][] | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** One thing that happened. */
export type SessionMoment = {
  readonly at: string
  readonly position: number
  readonly event_id: string
  /** Whose it is: the session, a run, a call, an approval. */
  readonly actor: string
  readonly type: string
  /** `decision`: of the session itself. `permission`: of hooks, guards and persons. `cost`: something was booked. */
  readonly kind: 'cost' | 'decision' | 'event' | 'permission'
  /** In a few words; `null` where the type says it all. */
  readonly what: string | null
  /** What it cost, in USD and tokens; 0 for what costs nothing. */
  readonly usd: number
  readonly tokens: number
  /** All that was booked until then, this included, whatever is left out. */
  readonly total_usd: number
  readonly total_tokens: number
}

type Payload = {
  readonly what?: string
  readonly why?: string
  readonly reason?: string
  readonly by?: string
  readonly note?: string
  readonly refused?: string
  readonly cost_micro_usd?: number
  readonly tokens?: number
  readonly spend_id?: string
  readonly name?: string
  readonly phase?: string
  readonly handoff?: { readonly type?: string }
  readonly error?: { readonly message?: string }
  readonly testimony?: readonly {
    readonly hook: string
    readonly allowed: boolean
    readonly reason?: string
  }[]
  readonly input?: {
    readonly task_description?: string
    readonly tool?: string
    readonly agent_id?: string
    readonly reason?: string
  }
}

const BOOKINGS: ReadonlySet<string> = new Set(['agent.spent', 'session.spent'])
const PERMISSIONS: ReadonlySet<string> = new Set([
  'runtime.refused',
  'tool.judged',
  'tool.approved',
  'tool.denied',
  'approval.requested',
  'approval.granted',
  'approval.denied',
  'approval.expired',
])

/** @throws QueryError `QUERY_NOT_FOUND`, `QUERY_INVALID` */
export async function* readSessionTimeline(
  log: Pick<QueryableLog, 'head' | 'readAll' | 'readStream'>,
  { session_id, kinds, since, until }: SessionTimelineQuestion,
  call: QueryCall = {},
): AsyncGenerator<SessionMoment, void, undefined> {
  const from = since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since')
  const before = until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until')
  if ((await log.head(session_id)) === undefined) throw unknownSession(session_id)
  const identities = createIdentities(log)
  const booked = new Set<string>()
  let micro = 0
  let tokens = 0
  for await (const event of log.readAll(reading(call))) {
    if (event.machine === '' && !event.stream_id.includes('~')) continue
    if (!(await identities.isWithin(event.stream_id, session_id))) continue
    const payload = redactSecrets(event.payload ?? {}) as Payload
    const cost = costOf(event, payload, booked)
    micro += cost.micro
    tokens += cost.tokens
    const kind = kindOf(event)
    const at = Date.parse(event.timestamp)
    if (at < from || at >= before || (kinds !== undefined && !kinds.includes(kind))) continue
    yield {
      at: event.timestamp,
      position: event.position,
      event_id: event.event_id,
      actor: actorOfStream(event.stream_id),
      type: event.event_type,
      kind,
      what: told(event, payload),
      usd: cost.micro / 1e6,
      tokens: cost.tokens,
      total_usd: micro / 1e6,
      total_tokens: tokens,
    }
  }
}

function kindOf({ event_type: type }: RecordedEvent): SessionMoment['kind'] {
  if (type === 'session.decided') return 'decision'
  if (BOOKINGS.has(type)) return 'cost'
  return PERMISSIONS.has(type) ? 'permission' : 'event'
}

/** A booking that was repeated after a crash counts once. */
function costOf(
  { event_type: type, stream_id }: RecordedEvent,
  { cost_micro_usd: micro = 0, tokens = 0, spend_id }: Payload,
  booked: Set<string>,
): { readonly micro: number; readonly tokens: number } {
  const key = `${stream_id}\n${spend_id}`
  if (!BOOKINGS.has(type) || booked.has(key)) return { micro: 0, tokens: 0 }
  if (spend_id !== undefined) booked.add(key)
  return { micro, tokens }
}

function told({ event_type: type }: RecordedEvent, payload: Payload): string | null {
  const { what, why, by, reason, note, testimony, input } = payload
  switch (type) {
    case 'session.decided':
      return why === undefined || why === '' ? (what ?? null) : `${what}: ${why}`
    case 'runtime.refused':
      return `${payload.refused} by ${by}: ${reason}`
    case 'tool.judged': {
      const no = testimony?.find(({ allowed }) => !allowed)
      return no === undefined ? 'allowed' : `${no.hook}: ${no.reason ?? 'no'}`
    }
    default: {
      const words = [
        by,
        what ?? reason ?? note ?? payload.name ?? payload.phase ?? payload.handoff?.type,
        payload.error?.message,
        input?.tool ?? input?.agent_id,
        input?.reason ?? input?.task_description,
      ].filter((word) => word !== undefined && word !== '')
      return words.length === 0 ? null : words.join(': ')
    }
  }
}

function unknownSession(id: string): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `There is no session or run "${id}" in this log.`,
    expected: 'The id of a session or a run; `find` turns names into them.',
    todo: 'List them with `actors`.',
    details: { id },
  })
}
