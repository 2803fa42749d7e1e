/** Who talked to whom and when: the messages between actors, as their streams record them. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { isOurs } from './our-machines.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { actorOfStream, createIdentities, type StreamIdentity } from './stream-identity.ts'
import { checkedMoment } from './moment.ts'

export type TimelineQuestion = {
  /** Only what is said to or by this actor and all below it; default everything. */
  readonly within?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** Somebody in a timeline. `id` is empty for what is outside: the code that embeds the runtime. */
export type Participant = {
  readonly id: string
  /** The name of a session, the id of an agent, the name of a tool, or the id. */
  readonly label: string
  readonly kind: 'actor' | 'call' | 'outside' | 'run' | 'session'
}

export type Message = {
  readonly from: Participant
  readonly to: Participant
  /** The type of the event it is; of a call's outcome, of the call's last event. */
  readonly type: string
  readonly at: string
  readonly position: number
  readonly event_id: string
  /** `taken`: it is in the receiver's stream. `refused`: a guard or hook said no. `dead`: nobody took it. */
  readonly fate: 'dead' | 'refused' | 'taken'
  /** What is told of it in a word: the task, the reason, the kind of handoff. */
  readonly note: string | null
}

type Payload = {
  readonly kind?: string
  readonly data?: { readonly call_id?: string } | null
  readonly key?: string
  readonly refused?: string
  readonly by?: string
  readonly reason?: string
  readonly to?: string
  readonly from?: string
  readonly event?: { readonly type?: string } | null
  readonly handoff?: { readonly type?: string; readonly from?: string }
  readonly input?: { readonly task_description?: string }
  readonly testimony?: readonly { readonly allowed?: boolean; readonly reason?: string }[]
}

/** @throws QueryError `QUERY_INVALID` */
export async function* readTimeline(
  log: Pick<QueryableLog, 'readAll' | 'readStream'>,
  { within, since, until }: TimelineQuestion = {},
  call: QueryCall = {},
): AsyncGenerator<Message, void, undefined> {
  const from = since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since')
  const before = until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until')
  const identities = createIdentities(log)
  const names = new Map<string, string>()
  const calls = new Map<string, string>()
  const last = new Map<string, string>()
  const participant = async (id: string): Promise<Participant> =>
    participantOf(id, id === '' ? undefined : await identities.of(id), names.get(id))
  for await (const event of log.readAll(reading(call))) {
    if (event.event_type === 'session.named') {
      const { name } = event.payload as { name?: string }
      if (name !== undefined) names.set(event.stream_id, name)
    }
    const parts = partsOf(event, calls, last)
    last.set(event.stream_id, event.event_type)
    if (parts === undefined) continue
    const at = Date.parse(event.timestamp)
    if (at < from || at >= before) continue
    if (within !== undefined) {
      const inside = await Promise.all(
        [parts.from, parts.to].map(async (id) => id !== '' && identities.isWithin(id, within)),
      )
      if (!inside.includes(true)) continue
    }
    const { position, event_id, timestamp } = event
    yield {
      from: await participant(parts.from),
      to: await participant(parts.to),
      type: parts.type,
      at: timestamp,
      position,
      event_id,
      fate: parts.fate,
      note: parts.note ?? null,
    }
  }
}

type Parts = Pick<Message, 'fate' | 'type'> & {
  readonly from: string
  readonly to: string
  readonly note?: string | undefined
}

/** What an event says between two actors; `undefined` for what an actor records of itself. */
function partsOf(
  event: RecordedEvent,
  calls: Map<string, string>,
  last: ReadonlyMap<string, string>,
): Parts | undefined {
  const payload = redactSecrets(event.payload ?? {}) as Payload
  const { event_type: type, stream_id, source_agent: source } = event
  const to = actorOfStream(stream_id)
  switch (type) {
    case 'runtime.refused':
      return { from: source, to, type: payload.refused ?? type, fate: 'refused', note: noteOf(payload) }
    case 'runtime.dead_letter':
      return {
        from: payload.from ?? source,
        to: payload.to ?? to,
        type: payload.event?.type ?? type,
        fate: 'dead',
        note: payload.reason,
      }
    case 'handoff.received':
      return {
        from: payload.handoff?.from ?? source,
        to,
        type,
        fate: 'taken',
        note: payload.handoff?.type,
      }
    case 'step.started':
      if (payload.data?.call_id !== undefined) {
        calls.set(`${stream_id}\n${payload.key}`, payload.data.call_id)
      }
      return undefined
    case 'step.completed':
    case 'step.failed': {
      const from = payload.kind === 'tool' ? calls.get(`${stream_id}\n${payload.key}`) : undefined
      return from === undefined ? undefined : { from, to, type: last.get(from) ?? type, fate: 'taken' }
    }
    default:
      // Definitions are nobody's talk.
      if (event.machine === '' || source === stream_id || source === to) return undefined
      // What the runtime does for an actor of ours that is there already is no message; what founds one is. Another
      // machine's input without a source comes from the app.
      if (source === '' && event.version > 1 && isOurs(event.machine)) return undefined
      // What its run notes down of a call's course.
      if (type.startsWith('tool.') && event.version > 1) return undefined
      return { from: source, to, type, fate: 'taken', note: payload.input?.task_description }
  }
}

function noteOf({ by, reason }: Payload): string | undefined {
  return by === undefined ? reason : `${by}: ${reason ?? ''}`
}

function participantOf(
  id: string,
  identity: StreamIdentity | undefined,
  name: string | undefined,
): Participant {
  if (identity === undefined) return { id: '', label: 'outside', kind: 'outside' }
  const kind = id.startsWith('run_')
    ? 'run'
    : identity.tool !== null
      ? 'call'
      : identity.role === null
        ? 'actor'
        : 'session'
  const label = name ?? identity.name ?? identity.agent_id ?? identity.tool ?? id
  return { id, label, kind: identity.agent_id === null ? kind : 'run' }
}
