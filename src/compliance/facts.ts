/** What the protocol's rules look at, gathered from the log: per session, per run, per hook. Pure. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { unopenedIn } from '../../eventstore/sealing/sealed-value.ts'
import type { Testimony } from '../../machines/testimony.ts'

/** Where in the log something is shown. */
export type EventRef = {
  readonly stream_id: string
  readonly version: number
  readonly position: number
  readonly event_id: string
}

export type SubjectFacts = {
  readonly id: string
  readonly machine: 'session' | 'agent'
  readonly kind: string
  readonly role: string
  readonly project: string
  readonly parent_id: string | null
  /** Whether it is a run that works for a session of its own. */
  readonly is_hands: boolean
  readonly agent_id: string | null
  readonly created: EventRef
  name: string | null
  status: string
  /** ms since the epoch, as all times here. */
  last_activity: number
  active_since: number | null
  last_event: EventRef
  handoffs: number
  last_handoff: number | null
  /** Reminders of a checkpoint that was due. */
  readonly reminders: EventRef[]
  ended: { readonly ref: EventRef; readonly at: number } | null
  paused: EventRef | null
  /** Somebody waited for the run, asked for its result, or listened for its end. */
  observed: boolean
  /** Waits for the run without a timeout. */
  readonly endless_waits: EventRef[]
  /** It was at work when its process was gone, and nobody has taken it up since. */
  lost: EventRef | null
}

export type HookFacts = { readonly name: string; asked: number; denied: number; last: EventRef }

export type Facts = {
  readonly subjects: Map<string, SubjectFacts>
  readonly hooks: Map<string, HookFacts>
}

export function noFacts(): Facts {
  return { subjects: new Map(), hooks: new Map() }
}

/** The facts of one project; of all of them without one. */
export function ofProject(facts: Facts, project: string | undefined): Facts {
  if (project === undefined) return facts
  return { ...facts, subjects: new Map([...facts.subjects].filter(([, one]) => one.project === project)) }
}

/** Adds one event to the facts, in place. */
export function foldFacts(facts: Facts, event: RecordedEvent): void {
  if (unopenedIn(event) !== undefined) return
  const { stream_id, version, position, event_id } = event
  const ref: EventRef = { stream_id, version, position, event_id }
  noteHooks(facts, event, ref)
  if (event.event_type === 'runtime.reopened') {
    for (const subject of facts.subjects.values()) if (subject.status === 'active') subject.lost = ref
    return
  }
  if (event.version === 1) {
    const subject = subjectOf(event, ref)
    if (subject !== undefined) facts.subjects.set(subject.id, subject)
    return
  }
  const subject = facts.subjects.get(event.stream_id)
  if (subject !== undefined) noteEvent(facts, { subject, event, ref })
}

function subjectOf(event: RecordedEvent, ref: EventRef): SubjectFacts | undefined {
  const machine = event.machine.slice(0, event.machine.lastIndexOf('@'))
  if (machine !== 'session' && machine !== 'agent') return undefined
  const { input } = event.payload as {
    input: Pick<SubjectFacts, 'kind' | 'role' | 'project' | 'parent_id' | 'name'> & {
      agent_id?: string
      owner_id?: string
    }
  }
  return {
    id: event.stream_id,
    machine,
    kind: input.kind,
    role: input.role,
    project: input.project,
    parent_id: input.parent_id,
    is_hands: (input.owner_id ?? event.stream_id) !== event.stream_id,
    agent_id: input.agent_id ?? null,
    created: ref,
    name: input.name,
    status: 'created',
    last_activity: Date.parse(event.timestamp),
    active_since: null,
    last_event: ref,
    handoffs: 0,
    last_handoff: null,
    reminders: [],
    ended: null,
    paused: null,
    observed: false,
    endless_waits: [],
    lost: null,
  }
}

function noteEvent(
  facts: Facts,
  { subject, event, ref }: { subject: SubjectFacts; event: RecordedEvent; ref: EventRef },
): void {
  const at = Date.parse(event.timestamp)
  const { event_type, payload } = event
  const before = subject.status
  if (typeof event.state === 'string') subject.status = event.state
  if (event_type === 'session.checkpoint_due') return void subject.reminders.push(ref)
  // A reminder is no activity: who only gets reminders is stale.
  if (event_type === 'session.context_high') return
  subject.last_activity = at
  subject.last_event = ref
  if (event_type !== 'handoff.received') subject.lost = null
  if (subject.status === 'active' && before !== 'active') subject.active_since = at
  if (subject.status !== 'active') subject.active_since = null
  if (subject.status === 'completed' && subject.ended === null) subject.ended = { ref, at }
  switch (event_type) {
    case 'session.named':
      subject.name = (payload as { name: string }).name
      break
    case 'session.paused':
      subject.paused = ref
      break
    case 'handoff.generated':
      subject.handoffs += 1
      subject.last_handoff = at
      break
    case 'agent.observed':
      noteWait(subject, payload as WaitPayload, ref)
      break
    case 'step.started':
      noteWaitStep(facts, payload as StepPayload, ref)
      break
    default:
  }
}

type WaitPayload = { readonly timed?: boolean }
type StepPayload = { readonly kind?: string; readonly name?: string; readonly data?: WaitPayload }

/** A handler's wait is on its own stream and names the run. */
function noteWaitStep(facts: Facts, { kind, name = '', data }: StepPayload, ref: EventRef): void {
  if (kind !== 'wait') return
  const run = facts.subjects.get(name)
  if (run !== undefined) noteWait(run, data ?? {}, ref)
}

function noteWait(run: SubjectFacts, { timed }: WaitPayload, ref: EventRef): void {
  run.observed = true
  if (timed === false) run.endless_waits.push(ref)
}

function noteHooks(facts: Facts, { payload }: RecordedEvent, ref: EventRef): void {
  const { testimony } = payload as { testimony?: readonly Testimony[] }
  if (!Array.isArray(testimony)) return
  for (const { hook, allowed } of testimony as readonly Testimony[]) {
    const known = facts.hooks.get(hook) ?? { name: hook, asked: 0, denied: 0, last: ref }
    known.asked += 1
    if (!allowed) known.denied += 1
    facts.hooks.set(hook, { ...known, last: ref })
  }
}
