/** What went wrong in the log: runs, tool calls and steps that failed, refusals, parked runs, dead letters. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import { briefOf, type EventBrief } from './events.ts'
import { messageOf } from './explain-tool-call.ts'
import { checkedMoment } from './moment.ts'
import { readDecisions } from './permission-ledger.ts'
import { reading, type QueryCall } from './query-call.ts'
import { createIdentities } from './stream-identity.ts'

export type FailuresQuestion = {
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Only of this actor and all below it. */
  readonly within?: string | undefined
}

export type FailureKind =
  | 'cancelled'
  | 'dead_letter'
  | 'failed'
  | 'in_doubt'
  | 'parked'
  | 'refused'
  | 'timed_out'

export type Failure = {
  readonly kind: FailureKind
  readonly event: EventBrief
  /** The actor that it happened to. */
  readonly who: string
  readonly agent_id: string | null
  /** The tool, the event that was refused; `null` where a whole run ended. */
  readonly what: string | null
  readonly reason: string
  /** What `why` explains it by: a call, a run, an event. */
  readonly explained_by: string
}

/** In the order of the log. @throws QueryError `QUERY_INVALID` */
export async function readFailures(
  log: Pick<EventStore, 'readAll' | 'readStream'>,
  question: FailuresQuestion = {},
  call: QueryCall = {},
): Promise<Failure[]> {
  const { since, until, within } = question
  const from = since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since')
  const before = until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until')
  const identities = createIdentities(log)
  const found: Failure[] = []
  const add = async (failure: Omit<Failure, 'agent_id'>): Promise<void> => {
    const at = Date.parse(failure.event.at)
    if (at < from || at >= before) return
    if (within !== undefined && !(await identities.isWithin(failure.who, within))) return
    const { agent_id } = await identities.of(failure.who)
    found.push({ ...failure, agent_id })
  }
  for await (const event of log.readAll(reading(call))) {
    const failure = await failureIn(event, identities)
    if (failure !== undefined) await add(failure)
  }
  for await (const { event, who, action, by, reason } of readDecisions(log, { verdict: 'denied' }, call)) {
    const explained_by = event.event_type.startsWith('tool.') ? event.stream_id : event.event_id
    await add({
      kind: 'refused',
      event,
      who,
      what: action,
      reason: `${by}: ${reason ?? 'without a reason'}`,
      explained_by,
    })
  }
  return found.toSorted((a, b) => a.event.position - b.event.position)
}

type Payload = {
  readonly error?: ErrorRecord
  readonly reason?: string
  readonly event?: { readonly type?: string } | null
  readonly to?: string
}

async function failureIn(
  event: RecordedEvent,
  identities: ReturnType<typeof createIdentities>,
): Promise<Omit<Failure, 'agent_id'> | undefined> {
  const { event_type: type, stream_id, event_id } = event
  const { error, reason = '', event: mail, to } = (event.payload ?? {}) as Payload
  const brief = briefOf(event)
  const told = error === undefined ? reason : messageOf(error)
  const ended = { event: brief, who: stream_id, what: null, explained_by: stream_id }
  switch (type) {
    case 'agent.failed':
      return { ...ended, kind: 'failed', reason: told }
    case 'agent.parked':
      return { ...ended, kind: 'parked', reason: told }
    case 'agent.cancelled':
      return { ...ended, kind: 'cancelled', reason: told }
    case 'agent.deadline':
      return event.state === 'completed'
        ? { ...ended, kind: 'timed_out', reason: 'its deadline passed' }
        : undefined
    case 'tool.failed':
    case 'tool.doubted': {
      const { above, tool } = await identities.of(stream_id)
      const kind = type === 'tool.failed' ? 'failed' : 'in_doubt'
      const why = kind === 'failed' ? told : 'it was begun, and nobody knows whether it happened'
      return { ...ended, kind, who: above ?? stream_id, what: tool, reason: why }
    }
    case 'runtime.dead_letter':
      return {
        kind: 'dead_letter',
        event: brief,
        who: to ?? stream_id,
        what: mail?.type ?? null,
        reason,
        explained_by: event_id,
      }
    default:
      return undefined
  }
}
