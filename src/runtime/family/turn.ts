/** What a turn amounts to, as data: what each actor decided in it, what is to be done afterwards, what goes to disk. */
import type { Entry } from '../../../eventstore/event-store.ts'
import type { NewEvent } from '../../../eventstore/event.ts'
import type { StreamAppend } from '../../../eventstore/event-store.ts'
import { actorEntry } from '../recovery/actor-index.ts'
import { payloadOf, type CanonicalEvent } from '../fold/canonical.ts'
import type { CellState, Effect } from '../fold/cell-state.ts'
import { crashEntry } from './crashes.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import type { Folder } from '../fold/fold.ts'
import type { Mail } from '../delivery/mail.ts'
import { owedEntries } from '../recovery/owed.ts'

/** An actor as a turn sees it. */
export interface Member {
  readonly id: string
  readonly machine: DurableMachine
  readonly correlationId: string
  readonly folder: Folder
  /** What was decided last, be it on disk or not. */
  decided: CellState | undefined
  /** While a turn is taken: what this actor has decided in it, its mail, and whether it is in the middle of a step. */
  part: Part | undefined
  mail: Mail[] | undefined
  busy: boolean
  /** The version of its latest snapshot. */
  kept: number
  /** Its leaves; with what takes those off the list that were given up and are not wanted any more. */
  readonly leaves: { dropped(after: CellState): Entry[] } | undefined
  publish(act: Act): void
}

export type TurnStep = {
  readonly canonical: CanonicalEvent
  readonly eventId: string
  readonly causationId: string | null
  readonly source: string
  readonly state: CellState
}

/** What one actor decided in a turn. */
export type Part = {
  readonly cell: Member
  readonly before: CellState | undefined
  readonly steps: TurnStep[]
}

/** Something to be done once the turn is on disk; `announce` with the last of a step. */
export type Act = {
  readonly cell: Member
  readonly state: CellState
  readonly effects: readonly Effect[]
  readonly announce: boolean
}

/** Nearly no event changes what is owed. */
function owesAnything(before: CellState | undefined, after: CellState): boolean {
  return before?.children !== after.children || before.timers !== after.timers
}

type Draft = { -readonly [K in keyof NewEvent]: NewEvent[K] }

let lastMoment = Number.NaN
let lastText = ''

/** ISO 8601, UTC. Turns of the same millisecond, of which there are many, share the text. */
function isoOf(time: number): string {
  if (time !== lastMoment) {
    lastText = new Date(time).toISOString()
    lastMoment = time
  }
  return lastText
}

/** One step as its event. */
function recordOf(
  { canonical, eventId, causationId, source, state }: TurnStep,
  { correlationId, machine }: Member,
  timestamp: string,
): NewEvent {
  const event: Draft = {
    event_id: eventId,
    event_type: canonical.event.type,
    payload: payloadOf(canonical.event),
    timestamp,
    source_agent: source,
    correlation_id: correlationId,
    causation_id: causationId,
    machine: machine.label,
    state: (state.snapshot.value ?? null) as NonNullable<NewEvent['state']>,
  }
  if (canonical.normalized.length > 0) event.normalized = canonical.normalized
  return event
}

/** What one actor's part of a turn leaves on disk: its events; and what it owes after it, added to `entries`. */
export function recordsOf({ cell, before, steps }: Part, time: number, entries: Entry[]): StreamAppend {
  const timestamp = isoOf(time)
  const { id, machine } = cell
  const events = steps.map((step) => recordOf(step, cell, timestamp))
  const after = steps.at(-1)?.state
  if (before === undefined && machine.isIndexed) entries.push(actorEntry(machine.name, id))
  const crash = after && crashEntry(id, before, after)
  if (crash !== undefined) entries.push(crash)
  if (after !== undefined && owesAnything(before, after)) {
    entries.push(...owedEntries(id, before, after), ...(cell.leaves?.dropped(after) ?? []))
  }
  return { stream_id: id, events, expectedVersion: before?.version ?? 'no_stream' }
}
