/** What a turn amounts to, as data: what each actor decided in it, what is to be done afterwards, what goes to disk. */
import type { Entry } from '../../eventstore/event-store.ts'
import type { NewEvent } from '../../eventstore/event.ts'
import type { StreamAppend } from '../../eventstore/event-store.ts'
import { payloadOf, type CanonicalEvent } from './canonical.ts'
import type { CellState, Effect } from './cell-state.ts'
import type { DurableMachine } from './durable-machine.ts'
import type { Folder } from './fold.ts'
import type { Mail } from './mail.ts'
import { owedEntries } from './owed.ts'

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

/** What one actor's part of a turn leaves on disk: its events, and what it owes after it. */
export function recordsOf(
  { cell, before, steps }: Part,
  time: number,
): { append: StreamAppend; entries: Entry[] } {
  const timestamp = new Date(time).toISOString()
  const { id, correlationId, machine } = cell
  const events = steps.map((step): NewEvent => ({
    event_id: step.eventId,
    event_type: step.canonical.event.type,
    payload: payloadOf(step.canonical.event),
    timestamp,
    source_agent: step.source,
    correlation_id: correlationId,
    causation_id: step.causationId,
    machine: machine.label,
    state: (step.state.snapshot.value ?? null) as NonNullable<NewEvent['state']>,
    ...(step.canonical.normalized.length > 0 && { normalized: step.canonical.normalized }),
  }))
  const after = steps.at(-1)?.state
  const append = { stream_id: id, events, expectedVersion: before?.version ?? ('no_stream' as const) }
  return { append, entries: after === undefined ? [] : owedEntries(id, before, after) }
}
