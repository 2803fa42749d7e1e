/** One turn of an actor: what was sent to it, and what it sent to itself because of that, written as one batch. */
import type { AnyEventObject } from 'xstate'
import { v7 as uuidv7 } from 'uuid'
import type { Entry } from '../../eventstore/event-store.ts'
import type { NewEvent } from '../../eventstore/event.ts'
import { canonicalOutcome, payloadOf, type CanonicalEvent } from './canonical.ts'
import type { CellState, Effect, TimerRecord } from './cell-state.ts'
import { TIMER_FIELD, type Folder, type FoldOutcome } from './fold.ts'
import { owedEntries } from './owed.ts'

/** After that many events to itself the rest waits for the event loop to turn, as timers that are due. */
const MAX_STEPS = 1_000

export type TurnStep = {
  readonly canonical: CanonicalEvent
  readonly eventId: string
  readonly causationId: string | null
  readonly state: CellState
  readonly effects: readonly Effect[]
}

export type Turn = { readonly steps: readonly TurnStep[]; readonly last: CellState }

/** What a turn starts from. */
export type TurnStart = {
  readonly folder: Folder
  readonly before: CellState | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly causationId: string | null
}

/** Decides on an event and on all that the actor sends to itself on account of it; nothing else comes in between. */
export function takeTurn(
  start: TurnStart,
  canonical: CanonicalEvent,
): Turn | Exclude<FoldOutcome, { kind: 'accepted' }> {
  const steps: TurnStep[] = []
  const queue: TimerRecord[] = []
  let last = start.before
  const take = (taken: CanonicalEvent, causationId: string | null): FoldOutcome => {
    const eventId = uuidv7()
    const version = (last?.version ?? 0) + 1
    const outcome = start.folder.fold(last, { version, time: start.time, eventId, event: taken.event })
    if (outcome.kind !== 'accepted') return outcome
    const { state, effects } = outcome
    steps.push({ canonical: taken, eventId, causationId, state, effects })
    for (const effect of effects) {
      if (effect.kind === 'schedule' && effect.timer.immediate) queue.push(effect.timer)
    }
    last = state
    return outcome
  }
  const outcome = take(canonical, start.causationId)
  if (outcome.kind !== 'accepted') return outcome
  for (const timer of queue) {
    if (steps.length >= MAX_STEPS) break
    // Gone if the actor came to its end meanwhile.
    if (last?.timers.has(timer.key) === true) take(canonicalOutcome(firedEvent(timer)), timer.cause)
  }
  return { steps, last: last ?? outcome.state }
}

/** The event by which a timer is over. */
export function firedEvent(timer: TimerRecord): AnyEventObject {
  return { ...timer.event, [TIMER_FIELD]: timer.key }
}

/** What a turn leaves on disk: its events, and what is owed after it. */
export function recordsOf(
  turn: Turn,
  about: {
    readonly streamId: string
    readonly machine: string
    readonly correlationId: string
    readonly source: string
    readonly before: CellState | undefined
    readonly time: number
  },
): { events: NewEvent[]; entries: Entry[] } {
  const timestamp = new Date(about.time).toISOString()
  const events = turn.steps.map((step, index): NewEvent => ({
    event_id: step.eventId,
    event_type: step.canonical.event.type,
    payload: payloadOf(step.canonical.event),
    timestamp,
    source_agent: index === 0 ? about.source : about.streamId,
    correlation_id: about.correlationId,
    causation_id: step.causationId,
    machine: about.machine,
    state: (step.state.snapshot.value ?? null) as NonNullable<NewEvent['state']>,
    ...(step.canonical.normalized.length > 0 && { normalized: step.canonical.normalized }),
  }))
  return { events, entries: owedEntries(about.streamId, about.before, turn.last) }
}
