/**
 * Folds recorded events again and holds each against what was recorded; nothing is executed.
 *
 * Owns: the state of one stream so far.
 * Never: runs an effect, reads a log or a clock; what today's code does differently is an answer, not an exception.
 *
 * I1. After a divergence nothing more is folded.
 */
import type { JsonValue, RecordedEvent } from '../../../eventstore/event.ts'
import { unopenedIn } from '../../../eventstore/sealing/sealed-value.ts'
import { eventOf, MIGRATION_FIELD } from './canonical.ts'
import type { CellState, Effect } from './cell-state.ts'
import { isChildAddress } from './child-address.ts'
import type { DurableMachine } from './durable-machine.ts'
import { createFolder, type Folder, type FoldOutcome } from './fold.ts'
import { sameStateValue } from './state-value.ts'

/** What today's code makes of an event that was accepted when it was recorded. */
export type Divergence = {
  readonly kind: 'diverged'
  /**
   * `archived`: the events before it are gone from the log, so there is nothing to fold it onto. `erased`, `locked`: what
   * it says cannot be read, because its subject was erased or its key is not here.
   */
  readonly now: 'archived' | 'erased' | 'ignored' | 'led_elsewhere' | 'locked' | 'refused' | 'threw'
  readonly record: RecordedEvent
  /** The state value that was recorded after it. */
  readonly expected: JsonValue
  /** The state value after it now, or where the machine stands if it does not take it; `null` if it has none. */
  readonly got: JsonValue
  /** The guard that says no now. */
  readonly guard: string | null
  /** How it does not replay, to be put after "Event 3 does not replay: ". */
  readonly reason: string
  readonly cause?: unknown
}

export type ReplayFrom = {
  readonly folder?: Folder
  readonly state?: CellState | undefined
  /** Under which label the events are that it replays; default the machine's own. */
  readonly label?: string
}

export type Replayed =
  /** `effects`: what it intended to do to the world. */
  | { readonly kind: 'agrees'; readonly state: CellState; readonly effects: readonly Effect[] }
  /** It was decided by another version of the machine, before a migration: that is not for this one to say. */
  | { readonly kind: 'older' }
  | Divergence

const OLDER: Replayed = { kind: 'older' }

const UNOPENED = {
  erased: 'what it says was erased, with all that was of its subject',
  locked: 'what it says is sealed, and its key is not here',
} as const

/** Replays one stream, event by event, in the order of versions. */
export class Replayer {
  readonly #folder: Folder
  readonly #isChild: boolean
  readonly #label: string
  #state: CellState | undefined
  #divergence: Divergence | undefined

  /** `from`: the fold to use, and the state to go on from; default the first event. */
  constructor(machine: DurableMachine, streamId: string, from: ReplayFrom = {}) {
    this.#folder = from.folder ?? createFolder(machine, streamId)
    this.#state = from.state
    this.#label = from.label ?? machine.label
    this.#isChild = isChildAddress(streamId)
  }

  /** After the last event that agreed; `undefined` before the first. */
  get state(): CellState | undefined {
    return this.#state
  }

  take(record: RecordedEvent): Replayed {
    if (this.#divergence !== undefined) return this.#divergence
    if (record.machine !== this.#label) return OLDER
    const replayed = this.#take(record)
    if (replayed.kind === 'diverged') this.#divergence = replayed
    else if (replayed.kind === 'agrees') this.#state = replayed.state
    return replayed
  }

  #take(record: RecordedEvent): Replayed {
    const unopened = unopenedIn(record)
    if (unopened !== undefined) return this.#diverged(record, { now: unopened, reason: UNOPENED[unopened] })
    const isMigration = MIGRATION_FIELD in (record.payload as object)
    if (!isMigration && record.version !== (this.#state?.version ?? 0) + 1) {
      return this.#diverged(record, { now: 'archived', reason: 'the events before it are archived' })
    }
    let outcome: FoldOutcome
    try {
      outcome = this.#folder.fold(this.#state, {
        version: record.version,
        time: timeOf(record.timestamp),
        eventId: record.event_id,
        event: eventOf(record),
      })
    } catch (cause) {
      return this.#diverged(record, { now: 'threw', reason: `its code throws now: ${textOf(cause)}`, cause })
    }
    if (outcome.kind !== 'accepted') {
      const { kind: now, reason } = outcome
      const guard = outcome.kind === 'refused' ? outcome.guard : null
      return this.#diverged(record, { now, guard, reason: `it is ${now} now: ${reason}` })
    }
    const { snapshot } = outcome.state
    // A root that fails on its input is never written down; of a child its parent hears that it did.
    if (record.version === 1 && snapshot.status === 'error' && !this.#isChild) {
      const cause: unknown = snapshot.error
      return this.#diverged(record, { now: 'threw', reason: `its code throws now: ${textOf(cause)}`, cause })
    }
    const got = (snapshot.value ?? null) as JsonValue
    if (sameStateValue(got, record.state)) {
      const { state, effects } = outcome
      return { kind: 'agrees', state, effects }
    }
    const reason = `it leads to ${stateText(got)} now, and led to ${stateText(record.state)}`
    return this.#diverged(record, { now: 'led_elsewhere', got, reason })
  }

  #diverged(
    record: RecordedEvent,
    how: Pick<Divergence, 'now' | 'reason'> & Partial<Pick<Divergence, 'cause' | 'got' | 'guard'>>,
  ): Divergence {
    const got = (this.#state?.snapshot.value ?? null) as JsonValue
    return { kind: 'diverged', record, expected: record.state, got, guard: null, ...how }
  }
}

let lastText = ''
let lastTime = Number.NaN

/** Ms since the epoch. Events that were written together, as most are, have the same moment. */
function timeOf(timestamp: string): number {
  if (timestamp !== lastText) {
    lastTime = Date.parse(timestamp)
    lastText = timestamp
  }
  return lastTime
}

/** A state value as text; regions of a parallel state in one order, whatever order they come in. */
function stateText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
