/** The answer to "why": finds what is asked about and gathers the data that explains it. Reads only. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Testimony } from '../../machines/testimony.ts'
import { briefOf } from './events.ts'
import { explainRun } from './explain-run.ts'
import { explainSession } from './explain-session.ts'
import { explainToolCall, wordOf } from './explain-tool-call.ts'
import type { Explanation, RefusalExplained } from './explanation.ts'
import { redactedPayload } from './redacted.ts'
import { refusedActor } from './refusals.ts'
import { ancestorsOf, causesOf, type Surroundings } from './surroundings.ts'
import { findTarget, type Target } from './target.ts'

type Readable = Pick<EventStore, 'readAll' | 'readStream'>

/**
 * Explains an event, a tool call, a run, a session or any other stream, by id or name.
 * `around` is what `readSurroundings(store, text)` gave.
 *
 * @throws QueryError `QUERY_NOT_FOUND`; EventStoreError `ES_CORRUPT`
 */
export async function explain(store: Readable, text: string, around: Surroundings): Promise<Explanation> {
  const target = findTarget(around, text)
  const event = target.kind === 'event' ? target.event : undefined
  const subject = await subjectOf(store, target, around)
  const last = await lastEvent(store, subject.stream_id)
  const shared = {
    event: event === undefined ? null : briefOf(event),
    causes: await causesOf(store, event ?? last),
    ancestors: ancestorsOf(around, subject.stream_id),
    correlation_id: (event ?? last).correlation_id,
  }
  switch (subject.kind) {
    case 'tool_call':
      return { ...(await explainToolCall(store, subject.stream_id, around)), ...shared }
    case 'node': {
      const node = around.tree.nodes.get(subject.stream_id)
      if (node === undefined) break
      return node.kind === 'run'
        ? { ...(await explainRun(store, node, around)), ...shared }
        : { ...(await explainSession(store, node, around)), ...shared }
    }
    case 'refusal':
      return { ...refusalExplained(subject.event, around), ...shared }
    case 'fact':
      break
  }
  const told = event ?? last
  const { testimony } = told.payload as { testimony?: readonly Testimony[] }
  return {
    kind: 'fact',
    stream_id: subject.stream_id,
    machine: told.machine,
    state: told.state,
    payload: redactedPayload(told),
    testimony: Array.isArray(testimony) ? testimony.map(wordOf) : [],
    effects: around.effects,
    refusals: around.refusals.filter((refusal) => refusal.who === subject.stream_id),
    last_event: briefOf(last),
    ...shared,
  }
}

type Subject =
  | { readonly kind: 'fact' | 'node' | 'tool_call'; readonly stream_id: string }
  | { readonly kind: 'refusal'; readonly stream_id: string; readonly event: RecordedEvent }

/** Events that say how their whole run or session stands; any other event is explained by itself. */
const ENDINGS = /^agent\.(succeeded|failed|parked|cancelled|deadline)$/

async function subjectOf(store: Readable, target: Target, around: Surroundings): Promise<Subject> {
  const stream_id = target.kind === 'event' ? target.event.stream_id : target.stream_id
  if (around.calls.has(stream_id)) return { kind: 'tool_call', stream_id }
  if (target.kind === 'stream') {
    const kind = around.tree.nodes.has(stream_id) ? 'node' : 'fact'
    const refusal = stream_id === refusedActor(stream_id) ? undefined : await lastEvent(store, stream_id)
    return refusal === undefined ? { kind, stream_id } : { kind: 'refusal', stream_id, event: refusal }
  }
  const { event } = target
  if (event.event_type === 'runtime.refused') return { kind: 'refusal', stream_id, event }
  const callId = await calledBy(store, event)
  if (callId !== undefined && around.calls.has(callId)) return { kind: 'tool_call', stream_id: callId }
  const ends = ENDINGS.test(event.event_type) && around.tree.nodes.has(stream_id)
  return { kind: ends ? 'node' : 'fact', stream_id }
}

/** The call that a run's step made: its start knows the id, its end only the step's key. */
async function calledBy(store: Readable, event: RecordedEvent): Promise<string | undefined> {
  if (!event.event_type.startsWith('step.')) return undefined
  const { kind, key } = event.payload as { kind?: string; key?: string }
  if (kind !== 'tool') return undefined
  let callId: string | undefined
  for await (const step of store.readStream(event.stream_id, { toVersion: event.version })) {
    const payload = step.payload as { key?: string; data?: { call_id?: string } | null }
    if (step.event_type === 'step.started' && payload.key === key) callId = payload.data?.call_id
  }
  return callId
}

function refusalExplained(
  event: RecordedEvent,
  { refusals }: Surroundings,
): Omit<RefusalExplained, 'ancestors' | 'causes' | 'correlation_id' | 'event'> {
  const refusal = refusals.find(({ event_id }) => event_id === event.event_id)
  if (refusal === undefined) throw new Error(`event ${event.event_id} records no refusal`)
  const same = refusals.filter(
    ({ who, what, by, reason }) =>
      who === refusal.who && what === refusal.what && by === refusal.by && reason === refusal.reason,
  )
  const { version, state } = event.payload as unknown as { version: number; state: unknown }
  const total = same.reduce((sum, { count }) => sum + count, 0)
  return { kind: 'refusal', refusal, total, version, state: state ?? null }
}

async function lastEvent(store: Readable, streamId: string): Promise<RecordedEvent> {
  for await (const event of store.readStream(streamId, { direction: 'backwards' })) return event
  throw new Error(`"${streamId}" has no events`)
}
