/** Every decision that hooks and guards took: who wanted what, what each said, what it amounted to. From records alone. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Testimony } from '../../machines/testimony.ts'
import type { ToolCallInput } from '../../machines/tool-call.machine.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { triggerMatches } from '../permissions/trigger.ts'
import type { EventVerdict } from './event-filter.ts'
import { briefOf, type EventBrief } from './events.ts'
import { wordOf } from './explain-tool-call.ts'
import type { Word } from './explanation.ts'
import { checkedMoment } from './moment.ts'
import { reading, type QueryCall } from './query-call.ts'
import { createIdentities } from './stream-identity.ts'

export type LedgerQuestion = {
  /** By id: a session, a run or another actor, with all below it. */
  readonly actor?: string | undefined
  /** By `agent_id`. */
  readonly agent?: string | undefined
  readonly role?: string | undefined
  /** A tool, an event type or a capability; `*` is one segment, a trailing `*` the rest. */
  readonly action?: string | undefined
  readonly verdict?: EventVerdict | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

export type RecordedDecision = {
  readonly event: EventBrief
  readonly verdict: EventVerdict
  /** The tool, or the type of the event. */
  readonly action: string
  readonly capabilities: readonly string[]
  /** The run, session or other actor that wanted it. */
  readonly who: string
  readonly agent_id: string | null
  readonly role: string | null
  /** Each hook that was asked. */
  readonly hooks: readonly Word[]
  /** `hook:<name>`, `guard:<name>`, `approval:<id>` or the person who granted it; `null` if hooks allowed it. */
  readonly by: string | null
  readonly reason: string | null
  readonly alternatives: readonly string[]
  /** All hooks together. */
  readonly duration_ms: number
  /** Identical refusals within a minute are counted together. */
  readonly count: number
  /** Without what looks like a secret. */
  readonly parameters: unknown
}

type Said = {
  readonly testimony?: readonly Testimony[]
  readonly refused?: string
  readonly event?: Readonly<Record<string, unknown>>
  readonly by?: string
  readonly reason?: string
  readonly alternatives?: readonly string[]
  readonly count?: number
}

/** In the order of the log. @throws QueryError `QUERY_INVALID` */
export async function* readDecisions(
  log: Pick<EventStore, 'readAll' | 'readStream'>,
  question: LedgerQuestion = {},
  call: QueryCall = {},
): AsyncGenerator<RecordedDecision, void, undefined> {
  const { actor, agent, role, action, verdict, since, until } = question
  const from = since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since')
  const before = until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until')
  const identities = createIdentities(log)
  const calls = new Map<string, ToolCallInput>()
  for await (const event of log.readAll(reading(call))) {
    if (event.event_type === 'tool.requested' && event.version === 1) {
      calls.set(event.stream_id, (event.payload as unknown as { input: ToolCallInput }).input)
    }
    const found = decisionIn(event, calls)
    // Nothing more is decided about a call, and its parameters are not needed any more.
    if (event.state === 'settled') calls.delete(event.stream_id)
    if (found === undefined) continue
    const at = Date.parse(event.timestamp)
    if (at < from || at >= before) continue
    const identity = await identities.of(found.who)
    const decision: RecordedDecision = {
      ...found,
      agent_id: identity.agent_id,
      role: found.role ?? identity.role,
    }
    if (verdict !== undefined && decision.verdict !== verdict) continue
    if (agent !== undefined && decision.agent_id !== agent) continue
    if (role !== undefined && decision.role !== role) continue
    if (action !== undefined && !isAbout(decision, action)) continue
    if (actor !== undefined && !(await identities.isWithin(decision.who, actor))) continue
    yield decision
  }
}

/** Whether a decision is about an action: its name, or a capability, in the dialect of the hooks' triggers. */
export function isAbout({ action, capabilities }: RecordedDecision, wanted: string): boolean {
  const trigger = { text: wanted, segments: wanted.split(':') }
  return [action, ...capabilities].some((name) => triggerMatches(trigger, name))
}

function decisionIn(
  event: RecordedEvent,
  calls: ReadonlyMap<string, ToolCallInput>,
): Omit<RecordedDecision, 'agent_id'> | undefined {
  const said = (event.payload ?? {}) as unknown as Said
  const testimony = Array.isArray(said.testimony) ? (said.testimony as readonly Testimony[]) : undefined
  if (event.event_type === 'runtime.refused') return refused(event, said)
  if (event.event_type === 'tool.approved' || event.event_type === 'tool.denied') {
    return byPerson(event, said, calls.get(event.stream_id))
  }
  // Left to a person, who has not decided yet.
  if (event.event_type === 'tool.judged' && event.state === 'waiting') return undefined
  const call = event.event_type === 'tool.judged' ? calls.get(event.stream_id) : undefined
  if (testimony === undefined || (testimony.length === 0 && call === undefined)) return undefined
  const denied = call !== undefined && event.state === 'settled'
  const no = denied ? testimony.find((word) => !word.allowed) : undefined
  return {
    event: briefOf(event),
    verdict: denied ? 'denied' : 'allowed',
    action: call?.tool ?? event.event_type,
    capabilities: call?.capabilities ?? [],
    who: call?.run_id ?? event.stream_id,
    role: call?.agent_role ?? null,
    hooks: testimony.map(wordOf),
    by: no === undefined ? null : `hook:${no.hook}`,
    reason: no === undefined ? null : (no.reason ?? 'denied without a reason'),
    alternatives: no?.alternatives ?? [],
    duration_ms: durationOf(testimony),
    count: 1,
    parameters: call === undefined ? null : redactSecrets(call.parameters),
  }
}

/** What a person decided, or what became of a grant that was not there in time. */
function byPerson(
  event: RecordedEvent,
  { by, reason, alternatives = [] }: Said,
  call: ToolCallInput | undefined,
): Omit<RecordedDecision, 'agent_id'> | undefined {
  if (call === undefined) return undefined
  return {
    event: briefOf(event),
    verdict: event.event_type === 'tool.approved' ? 'allowed' : 'denied',
    action: call.tool,
    capabilities: call.capabilities,
    who: call.run_id,
    role: call.agent_role,
    hooks: [],
    by: by ?? null,
    reason: reason ?? null,
    alternatives,
    duration_ms: 0,
    count: 1,
    parameters: redactSecrets(call.parameters),
  }
}

function refused(event: RecordedEvent, said: Said): Omit<RecordedDecision, 'agent_id'> {
  const { testimony: heard, at: _at, ...wish } = said.event ?? {}
  const testimony = Array.isArray(heard) ? (heard as readonly Testimony[]) : []
  return {
    event: briefOf(event),
    verdict: 'denied',
    action: said.refused ?? '',
    capabilities: [],
    who: event.stream_id.replace(/~refused$/, ''),
    role: null,
    hooks: testimony.map(wordOf),
    by: said.by ?? null,
    reason: said.reason ?? null,
    alternatives: said.alternatives ?? [],
    duration_ms: durationOf(testimony),
    count: said.count ?? 1,
    parameters: redactSecrets(wish),
  }
}

function durationOf(testimony: readonly Testimony[]): number {
  return testimony.reduce((sum, { duration_ms }) => sum + duration_ms, 0)
}
