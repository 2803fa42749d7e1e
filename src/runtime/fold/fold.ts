/**
 * The one fold: moves a machine by one recorded event and says, as data, what the world owes it.
 *
 * Live running, recovery, time travel and verification all come through here; there is no second fold.
 * It is pure: the same cell state and envelope give the same answer, and nothing is executed.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import { withReferences } from './actor-refs.ts'
import { CHILD_FIELD, MIGRATION_FIELD, READS_FIELD, REFS_FIELD, TIMER_FIELD } from './canonical.ts'
import { UNBORN, type CellState, type ChildRecord, type ParentLink, type TimerRecord } from './cell-state.ts'
import { isChildAddress } from './child-address.ts'
import type { DurableMachine } from './durable-machine.ts'
import type { FoldEnvelope } from './fold-envelope.ts'
import { CRASH_FIELD, isSupervision, passedOver, supervise, withMoment } from './fold-supervision.ts'
import { FoldScope, type LiveSelf, type Reads } from './fold-scope.ts'
import { unpackState, type PackedState } from '../snapshots/packed-state.ts'
import { moveOnly, onlyMoves, settle, type Accepted } from './step-effects.ts'
import type { Step } from './step.ts'
import { whyNot, type WhyNot } from './why-not.ts'

export type { CellState } from './cell-state.ts'
export type { FoldEnvelope } from './fold-envelope.ts'

/** What `actor.migrated` carries: the label that it was decided under before, and its state from here on. */
export type Migration = { readonly from: string; readonly state: PackedState }

export type FoldOutcome = Accepted | WhyNot

export type Folder = {
  fold(state: CellState | undefined, envelope: FoldEnvelope): FoldOutcome
  /** The state that was packed at a version of the stream, to go on from. */
  restore(packed: PackedState, version: number): CellState
}

/** A fold for one stream. `live` lets the machine's `self` answer; a replay goes without. */
export function createFolder(machine: DurableMachine, streamId: string, live?: LiveSelf): Folder {
  return new StreamFolder(machine, streamId, new FoldScope(streamId, live))
}

/** One object with methods: there is one of them for each actor. */
class StreamFolder implements Folder, FoldContext {
  readonly machine: DurableMachine
  readonly streamId: string
  readonly scope: FoldScope

  constructor(machine: DurableMachine, streamId: string, scope: FoldScope) {
    this.machine = machine
    this.streamId = streamId
    this.scope = scope
  }

  fold(state: CellState | undefined, envelope: FoldEnvelope): FoldOutcome {
    const migration = envelope.event[MIGRATION_FIELD] as Migration | undefined
    if (migration !== undefined) {
      return { kind: 'accepted', state: this.restore(migration.state, envelope.version), effects: [] }
    }
    const { scope } = this
    scope.begin(state, envelope.version, envelope.event[READS_FIELD] as Reads | undefined)
    try {
      return state === undefined ? foldFirst(this, envelope) : foldNext(this, state, envelope)
    } finally {
      scope.end()
    }
  }

  restore(packed: PackedState, version: number): CellState {
    const { machine, scope } = this
    return unpackState(packed, { version, machine, scope })
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
  const { input, parent } = heard(at.scope, envelope.event) as { input?: unknown; parent?: ParentLink }
  const link = isChildAddress(at.streamId) ? parent : undefined
  if (link !== undefined) at.scope.linkTo(link)
  const snapshot = firstSnapshot(at, input)
  return accept(at, { ...UNBORN, link, snapshot }, { envelope, taken: { snapshot } })
}

function firstSnapshot({ machine, scope }: FoldContext, input: unknown): AnyMachineSnapshot {
  try {
    return (
      machine.compiled?.first(input, scope) ??
      (machine.foldable.getInitialSnapshot(scope.actorScope as never, input) as AnyMachineSnapshot)
    )
  } catch (error) {
    // A machine says so in its snapshot; a transition function's context throws.
    if (machine.kind === 'machine') throw error
    return { status: 'error', output: undefined, error } as AnyMachineSnapshot
  }
}

function foldNext(at: FoldContext, state: CellState, envelope: FoldEnvelope): FoldOutcome {
  const { snapshot } = state
  if (isSupervision(envelope.event.type)) return supervise({ streamId: at.streamId, state, envelope })
  if (snapshot.status !== 'active')
    return { kind: 'ignored', reason: `the actor is ${ENDED[snapshot.status]}` }
  const { event: recorded } = envelope
  const timerKey: unknown = recorded[TIMER_FIELD]
  const childKey: unknown = recorded[CHILD_FIELD]
  const fired = timerKey === undefined ? undefined : state.timers.get(timerKey as string)
  const ended = childKey === undefined ? undefined : state.children.get(childKey as string)
  if ((timerKey !== undefined && fired === undefined) || (childKey !== undefined && ended === undefined)) {
    return { kind: 'ignored', reason: `"${recorded.type}" comes from a timer or child that is no more` }
  }
  if (recorded[CRASH_FIELD] !== undefined) {
    const passed = {
      ...passedOver(state, fired, ended),
      version: envelope.version,
      crashes: withMoment(state.crashes, envelope.time),
    }
    return { kind: 'accepted', state: passed, effects: [] }
  }
  if (fired?.childKey !== undefined || fired?.address !== undefined) {
    return deliver(at, state, { envelope, taken: { snapshot, fired } })
  }
  const event = withError(heard(at.scope, recorded))
  tellOfChild(state, event, ended)
  let next: AnyMachineSnapshot
  try {
    next =
      at.machine.compiled?.next(snapshot, event, at.scope) ??
      (at.machine.foldable.transition(snapshot, event, at.scope.actorScope as never) as AnyMachineSnapshot)
  } catch (error) {
    return accept(at, state, {
      envelope,
      taken: { snapshot: failed(snapshot, error), fired, ended, thrown: true },
    })
  }
  if (at.machine.kind === 'transition')
    return foldTransition(at, state, { envelope, taken: { snapshot: next } })
  // A timer is over and a child has ended whether or not the machine cares, and that is recorded.
  const matters =
    next.status !== 'active' || at.scope.transitioned || fired !== undefined || ended !== undefined
  if (!matters) return whyNot(snapshot, event, at.scope.selected)
  return accept(at, state, { envelope, taken: { snapshot: next, fired, ended } })
}

/** A transition function sees `xstate.stop` like any other event, and does not know that it ends with it. */
function foldTransition(at: FoldContext, state: CellState, { envelope, taken }: Took): FoldOutcome {
  const { snapshot } = taken
  if (envelope.event.type === 'xstate.stop') {
    return accept(at, state, {
      envelope,
      taken: { snapshot: { ...snapshot, status: 'stopped' } as AnyMachineSnapshot },
    })
  }
  if (Object.is(snapshot.context, state.snapshot.context) && at.scope.records.length === 0) {
    return { kind: 'ignored', reason: `"${envelope.event.type}" changes nothing` }
  }
  return accept(at, state, { envelope, taken })
}

/** The event as the machine sees it: as it is, but for what only the engine has to know. */
function heard(scope: FoldScope, event: AnyEventObject): AnyEventObject {
  const marked =
    event[TIMER_FIELD] !== undefined ||
    event[CHILD_FIELD] !== undefined ||
    event[REFS_FIELD] !== undefined ||
    event[READS_FIELD] !== undefined
  if (!marked) return event
  const {
    [TIMER_FIELD]: _timer,
    [CHILD_FIELD]: _child,
    [REFS_FIELD]: refs,
    [READS_FIELD]: _reads,
    ...rest
  } = event
  if (refs === undefined) return rest
  return withReferences(rest, (ref) => scope.revive(ref)) as AnyEventObject
}

/** A child's own reference shows what its parent's log knows of it, and nothing else. */
function tellOfChild(state: CellState, event: AnyEventObject, ended: ChildRecord | undefined): void {
  if (!event.type.startsWith('xstate.')) return
  const known = (ref: AnyActorRef | undefined, snapshot: unknown): void => {
    if (ref !== undefined) (ref as unknown as { _snapshot: unknown })._snapshot = snapshot
  }
  if (ended !== undefined) {
    const isDone = event.type.startsWith('xstate.done.')
    const { output, error } = event as { output?: unknown; error?: unknown }
    known(ended.ref, { ...ended.ref.getSnapshot(), status: isDone ? 'done' : 'error', output, error })
  } else if (event.type.startsWith(SNAPSHOT)) {
    const children = state.snapshot.children as Record<string, AnyActorRef>
    known(children[event.type.slice(SNAPSHOT.length)], event['snapshot'])
  }
}

const SNAPSHOT = 'xstate.snapshot.'
const CHILD_ERROR = 'xstate.error.actor.'

const ENDED: Readonly<Record<string, string>> = {
  done: 'done',
  stopped: 'stopped',
  error: 'in error',
}

type Took = { readonly envelope: FoldEnvelope; readonly taken: Taken }

function accept(at: FoldContext, before: CellState, { envelope, taken }: Took): Accepted {
  const { snapshot, fired, ended, thrown = false } = taken
  const { records, booked, self, reads } = at.scope
  const asksNothing = records.length === 0 && fired === undefined && ended === undefined
  if (asksNothing && onlyMoves(before, snapshot)) {
    const settled = moveOnly(before, { version: envelope.version, snapshot, booked })
    return reads === undefined ? settled : { ...settled, reads }
  }
  const step: Step = {
    streamId: at.streamId,
    version: envelope.version,
    time: envelope.time,
    eventId: envelope.eventId,
    snapshot,
    records,
    booked,
    self,
    link: before.link,
    fired,
    ended,
    thrown,
  }
  const settled = kept(before, counted(before, step), { envelope, taken })
  return reads === undefined ? settled : { ...settled, reads }
}

/** A crashed actor can be revived from the state before its last event; a child that failed then begins anew. */
function kept(before: CellState, settled: Accepted, { envelope, taken }: Took): Accepted {
  if (settled.state.snapshot.status !== 'error' || before.version === 0) return settled
  const { fired, ended } = taken
  const done = envelope.event.type.startsWith(CHILD_ERROR) ? undefined : ended
  return { ...settled, state: { ...settled.state, before: passedOver(before, fired, done) } }
}

function counted(before: CellState, step: Step): Accepted {
  try {
    return settle(before, step)
  } catch (error) {
    return settle(before, { ...step, snapshot: failed(before.snapshot, error), thrown: true })
  }
}

/** A delayed event to another actor: the machine itself does not see it. */
function deliver(at: FoldContext, state: CellState, took: Took): FoldOutcome {
  const outcome = accept(at, state, took)
  const { fired } = took.taken
  if (fired === undefined) return outcome
  const { event, address, childKey = '' } = fired
  if (address !== undefined) return { ...outcome, effects: [{ kind: 'deliver', address, event }] }
  const child = state.children.get(childKey)
  if (child === undefined) return outcome
  const to = child.durable ? child.address : undefined
  return { ...outcome, effects: [{ kind: 'send', childKey: child.key, address: to, event }] }
}

/** As a live XState actor would: a throw in a guard or an assign ends the actor in `error`, on the record. */
function failed(snapshot: AnyMachineSnapshot, error: unknown): AnyMachineSnapshot {
  return { ...snapshot, status: 'error', error } as AnyMachineSnapshot
}

/** A child's error was an `Error` and is a record on disk; the machine sees an `Error` again, live and in a replay. */
function withError(event: AnyEventObject): AnyEventObject {
  if (!event.type.startsWith(CHILD_ERROR)) return event
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
