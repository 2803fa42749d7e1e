/** Turns what a step asked for into data: the next children and timers, and the effects in XState's own order. */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import { UNBORN, type CellState, type Effect, type RawAction, type TimerRecord } from './cell-state.ts'
import type { RecordedRef } from './actor-refs.ts'
import { RuntimeError } from '../runtime-error.ts'
import { keyOf, type Step } from './step.ts'
import { StepChildren } from './step-children.ts'
import { StepTimers } from './step-timers.ts'
import { isDurable } from './remote-ref.ts'

/** The last moment that a date can hold; a delay that is no number or for ever is due then, or at once. */
const LAST_MOMENT = 8.64e15

const NOTHING: readonly Effect[] = []

/** A step that was taken: the state after it, and what it intends to do to the world once its event is on disk. */
export type Accepted = {
  readonly kind: 'accepted'
  readonly state: CellState
  readonly effects: readonly Effect[]
  /** Why the machine does not take the event: it crashed on it, and passes over it. */
  readonly crashed?: string
  /** What the machine asked the system for outside of its own children, and what it was told. */
  readonly reads?: Readonly<Record<string, RecordedRef | null>> | undefined
}

/** Counts a step in. @throws RuntimeError `MACHINE_NOT_DURABLE` for a delayed send to an actor outside of the runtime. */
export function settle(before: CellState, step: Step): Accepted {
  const { snapshot, version, booked, link } = step
  const children = new StepChildren(before, step)
  const timers = new StepTimers(before, step)
  // As XState starts an actor: the children that it holds come first, then its own actions.
  if (version === 1) children.startAll()
  collect(step, children, timers)
  children.stopRest()
  if (snapshot.status !== 'active') timers.cancelAll()
  const { custom, deferred } = children
  return {
    kind: 'accepted',
    state: withCrashes(before, {
      version,
      snapshot,
      children: children.after(),
      timers: timers.after(),
      booked,
      link,
    }),
    // Custom actions run during XState's transition, built-in ones are deferred to its end.
    effects: custom.length === 0 ? deferred : [...custom, ...deferred],
  }
}

/** Most steps ask for nothing: whether one of these leaves children and timers as they are. */
export function onlyMoves(before: CellState, after: AnyMachineSnapshot): boolean {
  return after.status === 'active' && after.children === before.snapshot.children
}

/** Counts in a step that only moves the machine: a copy, not a literal, for the sake of the garbage collector (young.ts). */
export function moveOnly(
  before: CellState,
  { version, snapshot, booked }: Pick<CellState, 'booked' | 'snapshot' | 'version'>,
): Accepted {
  const { children, timers, link } = before
  const state: CellState = { ...UNBORN, version, snapshot, children, timers, booked, link }
  return { kind: 'accepted', state: withCrashes(before, state), effects: NOTHING }
}

/** Nearly no actor has passed over anything, and states of one shape are fast. */
function withCrashes({ crashes }: CellState, after: CellState): CellState {
  return crashes === undefined ? after : { ...after, crashes }
}

function collect(step: Step, children: StepChildren, timers: StepTimers): void {
  step.records.forEach((record, n) => {
    if (record.kind === 'birth') {
      if (!step.thrown) children.start(record.birth.ref)
      return
    }
    const { action } = record
    if (!action.type.startsWith('xstate.')) {
      children.custom.push({ kind: 'action', key: keyOf(step, n), action })
    } else if (!step.thrown) {
      builtIn({ step, children, timers, action, n })
    }
  })
}

type At = {
  readonly step: Step
  readonly children: StepChildren
  readonly timers: StepTimers
  readonly action: RawAction
  readonly n: number
}

function builtIn(at: At): void {
  const { children, timers, action } = at
  const params = (action.params ?? {}) as Record<string, unknown>
  switch (action.type) {
    case 'xstate.stopChild':
      children.stop(action.params as AnyActorRef | undefined)
      break
    case 'xstate.cancel':
      timers.cancel(String(params['sendId']), children.deferred)
      break
    case 'xstate.raise':
      if (typeof params['delay'] === 'number') schedule(at, { params, childKey: undefined })
      break
    case 'xstate.sendTo':
      sendTo(at, params)
      break
    case 'xstate.emit':
      children.deferred.push({ kind: 'emit', event: params['event'] as AnyEventObject })
      break
    case 'xstate.log': {
      const { label, value } = params
      children.deferred.push({ kind: 'log', values: label === undefined ? [value] : [label, value] })
      break
    }
    default: // Births speak for `spawnChild`; `assign` and `enqueueActions` are done when they are resolved.
  }
}

function sendTo(at: At, params: Record<string, unknown>): void {
  const { step, children } = at
  const target = params['to'] as AnyActorRef | undefined
  const event = params['event'] as AnyEventObject
  const delayed = typeof params['delay'] === 'number'
  if (target === undefined) return
  if (target === step.self) {
    schedule(at, { params, childKey: undefined, immediate: !delayed })
    return
  }
  const child = children.find(target)
  if (child !== undefined) {
    if (delayed) schedule(at, { params, childKey: child.key })
    else children.send(child, event)
  } else if (isDurable(target)) {
    const address = target.sessionId
    if (delayed) schedule(at, { params, childKey: undefined, address })
    else children.deferred.push({ kind: 'deliver', address, event })
  } else if (target._parent !== step.self && typeof target.send === 'function') {
    // A leaf that has ended hears nothing, as in XState; the rest are actors that this runtime did not make.
    if (delayed) throw delayedAbroad(target)
    children.deferred.push({ kind: 'relay', target, event })
  }
}

function schedule(
  at: At,
  what: {
    readonly params: Record<string, unknown>
    readonly childKey: string | undefined
    readonly address?: string
    readonly immediate?: boolean
  },
): void {
  const { step, timers, children, n } = at
  const key = keyOf(step, n)
  const immediate = what.immediate ?? false
  const timer: TimerRecord = {
    id: immediate ? key : ((what.params['id'] as string | undefined) ?? key),
    key,
    dueAt: dueAt(step.time, immediate ? 0 : (what.params['delay'] as number)),
    event: what.params['event'] as AnyEventObject,
    childKey: what.childKey,
    address: what.address,
    cancellable: !immediate,
    immediate,
    cause: step.eventId,
  }
  timers.set(timer)
  children.deferred.push({ kind: 'schedule', timer })
}

function dueAt(time: number, delay: number): number {
  return Number.isNaN(delay) ? time : Math.min(time + Math.max(0, Math.ceil(delay)), LAST_MOMENT)
}

function delayedAbroad(target: AnyActorRef): RuntimeError {
  return new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `A delayed event was sent to "${target.id}", an actor outside of the runtime.`,
    expected: 'Delayed events go to the machine itself or to its children; they must survive a restart.',
    todo: 'Raise a delayed event, and send on when it comes.',
  })
}
