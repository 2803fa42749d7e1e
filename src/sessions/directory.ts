/**
 * The directory of sessions and runs: a projection folded from the log, for lists and look-ups by name.
 *
 * Owns: one row per session or run, and the position it has folded up to.
 * Never: is asked for a decision; the machines decide, on their own streams.
 *
 * I1. Every answer holds everything that was on disk at the time of the call.
 * I2. When the log cannot be followed any more, it says so instead of giving old answers.
 */
import { createStore } from '@xstate/store'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { unopenedIn } from '../../eventstore/sealing/sealed-value.ts'
import type { AgentInput, AgentOutcome, ErrorRecord } from '../../machines/agent.machine.ts'
import type { Handoff, Role, SessionInput, SessionKind } from '../../machines/session-record.ts'
import { createHandoffBoard, type HandoffEntry } from './handoff-board.ts'
import { sessionEvents } from './session-events.ts'

/** What the directory knows of one session or run. */
export type SessionRow = {
  readonly id: string
  readonly machine: string
  readonly kind: SessionKind
  readonly role: Role
  readonly project: string
  readonly name: string | null
  readonly tags: readonly string[]
  readonly parent_id: string | null
  /** The session a run works for; `null` for sessions. */
  readonly owner_id: string | null
  readonly agent_id: string | null
  /** What becomes of a run when its parent ends. */
  readonly on_parent_end: 'detach' | 'cancel'
  /** It was cancelled because its parent had ended. */
  readonly ended_with_parent: boolean
  readonly status: string
  readonly created_at: string
  readonly last_activity: string
  readonly completion_time: string | null
  /** Since when it is at work without a pause; `null` if it is not. */
  readonly active_since: string | null
  /** When it last wrote a handoff. */
  readonly last_checkpoint: string | null
  /** It was reminded of a checkpoint and has not written one since. */
  readonly checkpoint_due: boolean
  /** Since when a handoff is waited for because its context is nearly full. */
  readonly context_high_at: string | null
  /** The session whose work it goes on with. */
  readonly continues: string | null
  /** The session that goes on with its work. */
  readonly continued_in: string | null
  /** How  a run ended; `null` while it has not. */
  readonly outcome: AgentOutcome['kind'] | null
  readonly parked: boolean
  /** Why it is parked; `null` unless it is. */
  readonly parked_error: ErrorRecord | null
  /** Position of its first event: the order of starting. */
  readonly position: number
  /** Position of the last event that somebody at work caused. */
  readonly last_position: number
}

const OUTCOMES: Readonly<Record<string, AgentOutcome['kind']>> = {
  'agent.succeeded': 'succeeded',
  'agent.failed': 'failed',
  'agent.cancelled': 'cancelled',
  'agent.deadline': 'timed_out',
}

/** Folds one event into the directory. Pure; the rows of other streams are untouched. */
function foldDirectory(rows: ReadonlyMap<string, SessionRow>, event: RecordedEvent): SessionRow | undefined {
  if (event.version === 1) return firstRow(event)
  const row = rows.get(event.stream_id)
  if (row === undefined) return undefined
  const payload = event.payload as EventPayload
  const outcome = OUTCOMES[event.event_type]
  return {
    ...row,
    status: typeof event.state === 'string' ? event.state : row.status,
    // A reminder is no activity: who only gets reminders is stale.
    ...(!REMINDERS.has(event.event_type) && {
      last_activity: event.timestamp,
      last_position: event.position,
    }),
    ...checkpointOf(row, event),
    ...(event.event_type === 'session.tagged' && { tags: tagsAfter(row.tags, payload) }),
    ...(event.event_type === 'session.continued' && { continued_in: payload.to_session ?? null }),
    ...(event.event_type === 'agent.parked' && { parked: true, parked_error: payload.error ?? null }),
    ...(endsParking(event.event_type) && { parked: false, parked_error: null }),
    ...(event.event_type === 'session.named' && { name: payload.name ?? null, tags: payload.tags ?? [] }),
    ...(outcome !== undefined && { outcome }),
    ...(outcome === 'cancelled' && { ended_with_parent: payload.ended_parent !== undefined }),
    ...(event.state === 'completed' && row.status !== 'completed' && { completion_time: event.timestamp }),
  }
}

type EventPayload = {
  readonly name?: string
  readonly tags?: string[]
  readonly error?: ErrorRecord
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
  readonly to_session?: string
  readonly ended_parent?: string
}

const REMINDERS: ReadonlySet<string> = new Set(['session.checkpoint_due', 'session.context_high'])

function tagsAfter(tags: readonly string[], { add = [], remove = [] }: EventPayload): string[] {
  return [...new Set([...tags.filter((tag) => !remove.includes(tag)), ...add])]
}

/** What an event changes of how long it has been at work, and of what it has to go on from. */
function checkpointOf(row: SessionRow, { event_type, state, timestamp }: RecordedEvent): Partial<SessionRow> {
  if (event_type === 'handoff.generated') return { last_checkpoint: timestamp, checkpoint_due: false }
  if (event_type === 'session.checkpoint_due') return { checkpoint_due: true }
  if (event_type === 'session.context_high') return { context_high_at: timestamp }
  if (state === 'active' && row.status !== 'active') return { active_since: timestamp, checkpoint_due: false }
  if (state !== 'active' && row.status === 'active') return { active_since: null, context_high_at: null }
  return {}
}

function endsParking(eventType: string): boolean {
  return eventType === 'session.resumed' || eventType in OUTCOMES
}

function firstRow(event: RecordedEvent): SessionRow | undefined {
  const machine = event.machine.slice(0, event.machine.lastIndexOf('@'))
  if (machine !== 'session' && machine !== 'agent') return undefined
  const { input } = event.payload as { input: SessionInput & Partial<AgentInput> }
  return {
    id: event.stream_id,
    machine,
    kind: input.kind,
    role: input.role,
    project: input.project,
    name: input.name,
    tags: input.tags,
    parent_id: input.parent_id,
    owner_id: input.owner_id ?? null,
    agent_id: input.agent_id ?? null,
    on_parent_end: input.on_parent_end ?? 'detach',
    ended_with_parent: false,
    status: typeof event.state === 'string' ? event.state : 'created',
    created_at: event.timestamp,
    last_activity: event.timestamp,
    completion_time: null,
    active_since: null,
    last_checkpoint: null,
    checkpoint_due: false,
    context_high_at: null,
    continues: input.continues ?? null,
    continued_in: null,
    outcome: null,
    parked: false,
    parked_error: null,
    position: event.position,
    last_position: event.position,
  }
}

/** Whether it has not ended. */
export function isOpen(row: Pick<SessionRow, 'status'>): boolean {
  return row.status !== 'completed' && row.status !== 'archived'
}

/** The tags that the system adds to a session's own. */
export function allTags(row: SessionRow): string[] {
  return [...row.tags, `role:${row.role}`, `project:${row.project}`, `kind:${row.kind}`]
}

export type SessionDirectory = {
  /** Every row, in the order of starting, as of everything on disk now. */
  rows(): Promise<SessionRow[]>
  row(id: string): Promise<SessionRow | undefined>
  /** Every row that has been folded so far, without waiting. */
  current(): SessionRow[]
  /** Handoffs that were sent and never received, oldest first. */
  undeliveredHandoffs(): Promise<Handoff[]>
  /** Handoffs that were received, oldest first. */
  handoffs(): Promise<HandoffEntry[]>
  /** The runs of an agent that have not ended, in the order of starting, as of everything on disk now. */
  runsAtWork(agentId: string): Promise<SessionRow[]>
  /** How many that this one started have not ended; as of what has been folded so far. */
  liveChildren(id: string): number
  /** Calls back after each change of a row, with that row. */
  subscribe(this: void, listener: (row: SessionRow) => void): () => void
  /** Leaves out the rows of these: their subject was erased. */
  forget(ids: ReadonlySet<string>): void
  close(): void
}

/**
 * Folds the sessions' events, then follows the log. `onError` hears what a listener throws, and of the end of following;
 * `alsoFold` are other projections that see each of these events in the same pass, and are as current as the directory
 * is; of what is older than the opening they may see the streams of sessions and runs alone.
 */
export async function openDirectory(
  store: EventStore,
  onError: (error: unknown) => void,
  alsoFold: readonly ((event: RecordedEvent) => void)[] = [],
): Promise<SessionDirectory> {
  const rows = new Map<string, SessionRow>()
  const board = createHandoffBoard()
  const listeners = new Set<(row: SessionRow) => void>()
  const waiting = new Set<{ readonly position: number; readonly settle: () => void }>()
  let lost: { readonly error: unknown } | undefined
  let closed = false
  const state = createStore({
    context: { rows, position: 0 },
    on: {
      folded: (context, event: { position: number }) => ({ ...context, position: event.position }),
    },
  })
  const tell = (row: SessionRow): void => {
    for (const listener of listeners) {
      try {
        listener(row)
      } catch (error) {
        onError(error)
      }
    }
  }
  const children = new Map<string, number>()
  const countChildren = (before: SessionRow | undefined, after: SessionRow): void => {
    const change = Number(isOpen(after)) - Number(before !== undefined && isOpen(before))
    if (change === 0 || after.parent_id === null) return
    children.set(after.parent_id, (children.get(after.parent_id) ?? 0) + change)
  }
  const atWork = new Map<string, Set<string>>()
  const noteAtWork = ({ id, agent_id, outcome }: SessionRow): void => {
    if (agent_id === null) return
    const runs = atWork.get(agent_id) ?? new Set()
    if (outcome === null) atWork.set(agent_id, runs.add(id))
    else if (runs.delete(id) && runs.size === 0) atWork.delete(agent_id)
  }
  const fold = (event: RecordedEvent): void => {
    // What was erased is nobody's session any more, here and at the next opening.
    if (unopenedIn(event) !== undefined) return
    const before = rows.get(event.stream_id)
    const row = foldDirectory(rows, event)
    if (row !== undefined) {
      countChildren(before, row)
      noteAtWork(row)
      rows.set(row.id, row)
    }
    board.fold(event)
    for (const other of alsoFold) other(event)
    if (row !== undefined) tell(row)
  }
  const follow = (event: RecordedEvent): void => {
    fold(event)
    // Most of what is logged is of other actors, and nobody waits for it.
    if (waiting.size === 0 && event.position < store.position()) return
    state.send({ type: 'folded', position: event.position })
    for (const waiter of waiting) {
      if (waiter.position > event.position) continue
      waiting.delete(waiter)
      waiter.settle()
    }
  }
  const folded = (): number => state.getSnapshot().context.position
  const until = store.position()
  for await (const event of sessionEvents(store, until)) fold(event)
  state.send({ type: 'folded', position: until })
  const settleAll = (): void => {
    for (const waiter of waiting) waiter.settle()
    waiting.clear()
  }
  const subscription = store.subscribe({ fromPosition: folded() }).subscribe({
    next: follow,
    error: (error: unknown) => {
      lost = { error }
      settleAll()
      if (!closed) onError(error)
    },
  })

  const caughtUp = async (): Promise<void> => {
    const position = store.position()
    if (folded() < position && lost === undefined && !closed) {
      await new Promise<void>((settle) => waiting.add({ position, settle }))
    }
    if (lost !== undefined) throw lost.error
  }
  return {
    async rows() {
      await caughtUp()
      // A map keeps the order in which keys came, and that is the order of starting.
      return [...rows.values()]
    },
    async row(id) {
      await caughtUp()
      return rows.get(id)
    },
    current: () => [...rows.values()],
    async runsAtWork(agentId) {
      await caughtUp()
      return Array.from(atWork.get(agentId) ?? [], (id) => rows.get(id)).filter((row) => row !== undefined)
    },
    liveChildren: (id) => children.get(id) ?? 0,
    async undeliveredHandoffs() {
      await caughtUp()
      return board.undelivered()
    },
    async handoffs() {
      await caughtUp()
      return board.entries()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    forget(ids) {
      for (const id of ids) {
        const row = rows.get(id)
        if (row !== undefined) {
          countChildren(row, { ...row, status: 'archived' })
          noteAtWork({ ...row, outcome: 'cancelled' })
        }
        rows.delete(id)
      }
      board.forget(ids)
    },
    close() {
      closed = true
      subscription.unsubscribe()
      settleAll()
    },
  }
}
