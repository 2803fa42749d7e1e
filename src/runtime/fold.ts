/**
 * The one fold: moves a machine by one recorded event and says, as data, what the world owes it.
 *
 * Live running, recovery, time travel and verification all come through here; there is no second fold.
 * It is pure: the same cell state and envelope give the same answer, and nothing is executed.
 */
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate'
import type { CellState, ChildRecord, TimerRecord } from './cell-state.ts'
import type { DurableMachine } from './durable-machine.ts'
import { FoldScope, type LiveSelf } from './fold-scope.ts'
import { settle, type Accepted } from './step-effects.ts'
import type { Step } from './step.ts'
import { whyNot, type WhyNot } from './why-not.ts'

export type { CellState } from './cell-state.ts'

/** One recorded input, as the fold takes it. Version 1 starts the machine with `event.input`. */
export type FoldEnvelope = {
  readonly version: number
  /** Milliseconds since the epoch; due times are counted from it. */
  readonly time: number
  readonly eventId: string
  readonly event: AnyEventObject
}

/** The field by which a due timer's event says which timer it is; events from outside may not have it. */
export const TIMER_FIELD = 'xstate.timer'
/** The field by which a child's last event says which incarnation it was; events from outside may not have it. */
export const CHILD_FIELD = 'xstate.child'

export type FoldOutcome = Accepted | WhyNot

export type Folder = {
  fold(state: CellState | undefined, envelope: FoldEnvelope): FoldOutcome
}

const UNBORN: Omit<CellState, 'snapshot'> = { version: 0, children: new Map(), timers: new Map(), booked: 0 }

/** A fold for one stream. `live` lets the machine's `self` answer; a replay goes without. */
export function createFolder(machine: DurableMachine, streamId: string, live?: LiveSelf): Folder {
  const at: FoldContext = { machine, streamId, scope: new FoldScope(streamId, live) }
  return {
    fold(state, envelope) {
      at.scope.begin(state)
      try {
        return state === undefined ? foldFirst(at, envelope) : foldNext(at, state, envelope)
      } finally {
        at.scope.end()
      }
    },
  }
}

type FoldContext = { readonly machine: DurableMachine; readonly streamId: string; readonly scope: FoldScope }

/** What was taken: the next snapshot, and the timer or the child that the event came from. */
type Taken = {
  readonly snapshot: AnyMachineSnapshot
  readonly fired?: TimerRecord | undefined
  readonly ended?: ChildRecord | undefined
  readonly thrown?: boolean
}

function foldFirst(at: FoldContext, envelope: FoldEnvelope): FoldOutcome {
  const snapshot = at.machine.foldable.getInitialSnapshot(
    at.scope.actorScope as never,
    envelope.event['input'] as never,
  ) as AnyMachineSnapshot
  return accept(at, { ...UNBORN, snapshot }, { envelope, taken: { snapshot } })
}

function foldNext(at: FoldContext, state: CellState, envelope: FoldEnvelope): FoldOutcome {
  const { snapshot } = state
  if (snapshot.status !== 'active')
    return { kind: 'ignored', reason: `the actor is ${ENDED[snapshot.status]}` }
  const { [TIMER_FIELD]: timerKey, [CHILD_FIELD]: childKey, ...rest } = envelope.event
  const fired = state.timers.get(timerKey as string)
  const ended = state.children.get(childKey as string)
  if ((timerKey !== undefined && fired === undefined) || (childKey !== undefined && ended === undefined)) {
    return { kind: 'ignored', reason: `"${rest.type}" comes from a timer or child that is no more` }
  }
  if (fired?.childKey !== undefined) return deliver(at, state, { envelope, taken: { snapshot, fired } })
  const event = withError(rest)
  let next: AnyMachineSnapshot
  try {
    next = at.machine.foldable.transition(snapshot, event, at.scope.actorScope as never) as AnyMachineSnapshot
  } catch (error) {
    return accept(at, state, {
      envelope,
      taken: { snapshot: failed(snapshot, error), fired, ended, thrown: true },
    })
  }
  // A timer is over and a child has ended whether or not the machine cares, and that is recorded.
  const matters =
    next.status !== 'active' || at.scope.transitioned || fired !== undefined || ended !== undefined
  if (!matters) return whyNot(snapshot, event, at.scope.selected)
  return accept(at, state, { envelope, taken: { snapshot: next, fired, ended } })
}

const ENDED: Readonly<Record<string, string>> = {
  done: 'done',
  stopped: 'stopped',
  error: 'in error',
}

type Took = { readonly envelope: FoldEnvelope; readonly taken: Taken }

function accept(at: FoldContext, before: CellState, { envelope, taken }: Took): Accepted {
  const { snapshot, fired, ended, thrown = false } = taken
  const { records, booked, self } = at.scope
  const step: Step = {
    streamId: at.streamId,
    version: envelope.version,
    time: envelope.time,
    eventId: envelope.eventId,
    snapshot,
    records,
    booked,
    self,
    fired,
    ended,
    thrown,
  }
  try {
    return settle(before, step)
  } catch (error) {
    return settle(before, { ...step, snapshot: failed(before.snapshot, error), thrown: true })
  }
}

/** A delayed event to a child: the machine itself does not see it. */
function deliver(at: FoldContext, state: CellState, took: Took): FoldOutcome {
  const outcome = accept(at, state, took)
  const { fired } = took.taken
  const child = state.children.get(fired?.childKey ?? '')
  if (fired === undefined || child === undefined) return outcome
  return { ...outcome, effects: [{ kind: 'send', childKey: child.key, event: fired.event }] }
}

/** As a live XState actor would: a throw in a guard or an assign ends the actor in `error`, on the record. */
function failed(snapshot: AnyMachineSnapshot, error: unknown): AnyMachineSnapshot {
  return { ...snapshot, status: 'error', error } as AnyMachineSnapshot
}

/** A child's error was an `Error` and is a record on disk; the machine sees an `Error` again, live and in a replay. */
function withError(event: AnyEventObject): AnyEventObject {
  if (!event.type.startsWith('xstate.error.actor.')) return event
  const { error } = event as { error?: { name?: unknown; message?: unknown; stack?: unknown } | null }
  if (typeof error?.message !== 'string' || typeof error.stack !== 'string') return event
  const { message, ...rest } = error
  const revived = new Error(message)
  for (const [key, value] of Object.entries(rest)) {
    Object.defineProperty(revived, key, { value, configurable: true, writable: true, enumerable: isOwn(key) })
  }
  return { ...event, error: revived }
}

function isOwn(key: string): boolean {
  return key !== 'name' && key !== 'stack' && key !== 'cause'
}
