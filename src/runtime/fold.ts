/**
 * The one fold: moves a machine by one recorded event and says, as data, what the world owes it.
 *
 * Live running, recovery, time travel and verification all come through here; there is no second fold.
 * It is pure: the same cell state and envelope give the same answer, and nothing is executed.
 */
import { getNextTransitions, type AnyEventObject, type AnyMachineSnapshot } from 'xstate'
import type { DurableMachine } from './durable-machine.ts'
import { createFoldScope, type FoldScope, type RawAction } from './fold-scope.ts'

/** A leaf (promise, callback, observable) that was started and has not been stopped. */
export type ChildRecord = {
  readonly id: string
  readonly src: string
  readonly input: unknown
  /** `<stream>:<version>:<n>`: which incarnation of this child it is, and its idempotency key. */
  readonly key: string
  /** `event_id` of the event that started it. */
  readonly cause: string
}

/** A delayed event, due at an absolute time (ms since the epoch). */
export type TimerRecord = { readonly id: string; readonly dueAt: number; readonly event: AnyEventObject }

/** The fold of a stream: the machine's snapshot, and what stands around it. */
export type CellState = {
  readonly version: number
  readonly snapshot: AnyMachineSnapshot
  readonly children: ReadonlyMap<string, ChildRecord>
  readonly timers: ReadonlyMap<string, TimerRecord>
}

/** What a step intends to do to the world, once its event is on disk. */
export type Effect =
  | { readonly kind: 'start'; readonly child: ChildRecord }
  | { readonly kind: 'stop'; readonly child: ChildRecord }
  | { readonly kind: 'schedule'; readonly timer: TimerRecord }
  | { readonly kind: 'cancel'; readonly timerId: string }
  | { readonly kind: 'send'; readonly childId: string; readonly event: AnyEventObject }
  | { readonly kind: 'emit'; readonly event: AnyEventObject }
  | { readonly kind: 'action'; readonly key: string; readonly action: RawAction }

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

export type FoldOutcome =
  | { readonly kind: 'accepted'; readonly state: CellState; readonly effects: readonly Effect[] }
  /** The machine has no transition for this event where it stands. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** It has, and a guard said no. */
  | { readonly kind: 'refused'; readonly guard: string; readonly reason: string }

export type Folder = {
  fold(state: CellState | undefined, envelope: FoldEnvelope): FoldOutcome
}

const NO_CHILDREN: ReadonlyMap<string, ChildRecord> = new Map()
const NO_TIMERS: ReadonlyMap<string, TimerRecord> = new Map()

/** A fold for one stream; it keeps the stream's own counter of unnamed children. */
export function createFolder(machine: DurableMachine, streamId: string): Folder {
  const scope = createFoldScope(streamId)
  return {
    fold: (state, envelope) =>
      state === undefined
        ? foldFirst({ machine, scope, streamId }, envelope)
        : foldNext({ machine, scope, streamId }, state, envelope),
  }
}

type FoldContext = { readonly machine: DurableMachine; readonly scope: FoldScope; readonly streamId: string }

function foldFirst(at: FoldContext, envelope: FoldEnvelope): FoldOutcome {
  at.scope.begin()
  const snapshot = at.machine.foldable.getInitialSnapshot(
    at.scope.actorScope as never,
    envelope.event['input'] as never,
  ) as AnyMachineSnapshot
  return settle(
    at,
    { children: NO_CHILDREN, timers: NO_TIMERS, version: 0, snapshot },
    { envelope, snapshot },
  )
}

function foldNext(at: FoldContext, state: CellState, envelope: FoldEnvelope): FoldOutcome {
  const { snapshot } = state
  if (snapshot.status !== 'active') {
    return {
      kind: 'ignored',
      reason: `the actor is ${snapshot.status === 'done' ? 'done' : snapshot.status}`,
    }
  }
  at.scope.begin()
  const { event } = envelope
  let next: AnyMachineSnapshot
  try {
    next = at.machine.foldable.transition(snapshot, event, at.scope.actorScope as never) as AnyMachineSnapshot
  } catch (error) {
    // As a live XState actor would: a throw in a guard or an assign ends the actor in `error`, on the record.
    next = { ...snapshot, status: 'error', error } as AnyMachineSnapshot
    return settle(at, state, { envelope, snapshot: next })
  }
  if (next.status === 'active' && !at.scope.transitioned) return whyNot(snapshot, event)
  return settle(at, state, { envelope, snapshot: next })
}

/** Tells a guard's "no" from an event that means nothing here. */
function whyNot(snapshot: AnyMachineSnapshot, event: AnyEventObject): FoldOutcome {
  const candidates = getNextTransitions(snapshot).filter((t) => matchesDescriptor(event.type, t.eventType))
  const guards = candidates.flatMap((t) => (t.guard === undefined ? [] : [guardName(t.guard)]))
  const where = JSON.stringify(snapshot.value)
  if (guards.length === 0) {
    return { kind: 'ignored', reason: `"${event.type}" means nothing in state ${where}` }
  }
  const guard = guards.join(', ')
  return { kind: 'refused', guard, reason: `guard "${guard}" said no to "${event.type}" in state ${where}` }
}

function settle(
  at: FoldContext,
  before: CellState,
  step: { readonly envelope: FoldEnvelope; readonly snapshot: AnyMachineSnapshot },
): FoldOutcome {
  const { envelope } = step
  const timers = new Map(before.timers)
  const effects: Effect[] = []
  const custom: Effect[] = []
  let n = 0

  const fired = firedTimer(before.timers, envelope.event)
  if (fired !== undefined) timers.delete(fired)

  const running = new Map(before.children)
  for (const id of settledChildren(before.children, envelope.event)) running.delete(id)
  const incarnations = [...running.values()]
  for (const birth of at.scope.births) {
    incarnations.push({ ...birth, key: `${at.streamId}:${envelope.version}:${n++}`, cause: envelope.eventId })
  }
  const children = survivors(incarnations, step.snapshot)
  for (const child of incarnations) {
    const alive = children.get(child.id) === child
    const wasRunning = running.get(child.id) === child
    if (alive && !wasRunning) effects.push({ kind: 'start', child })
    if (!alive && wasRunning) effects.push({ kind: 'stop', child })
  }
  for (const action of at.scope.actions) {
    const effect = effectOf(at, action, { envelope, n: n++ })
    if (effect === undefined) continue
    if (effect.kind === 'action') custom.push(effect)
    else effects.push(effect)
    if (effect.kind === 'schedule') timers.set(effect.timer.id, effect.timer)
    if (effect.kind === 'cancel') timers.delete(effect.timerId)
  }
  if (step.snapshot.status !== 'active') {
    for (const id of timers.keys()) effects.push({ kind: 'cancel', timerId: id })
    timers.clear()
  }
  // XState's own order: custom actions first, then what it defers; and an old incarnation ends before a new one begins.
  const ordered = [
    ...custom,
    ...effects.filter((e) => e.kind === 'stop'),
    ...effects.filter((e) => e.kind !== 'stop'),
  ]
  return {
    kind: 'accepted',
    state: { version: envelope.version, snapshot: step.snapshot, children, timers },
    effects: ordered,
  }
}

/** The last incarnation of each child that the snapshot still holds; one born and stopped in a single step never starts. */
function survivors(
  incarnations: readonly ChildRecord[],
  snapshot: AnyMachineSnapshot,
): Map<string, ChildRecord> {
  const alive = new Map<string, ChildRecord>()
  if (snapshot.status !== 'active') return alive
  for (const child of incarnations) if (child.id in snapshot.children) alive.set(child.id, child)
  return alive
}

function effectOf(
  at: FoldContext,
  action: RawAction,
  from: { readonly envelope: FoldEnvelope; readonly n: number },
): Effect | undefined {
  const params = (action.params ?? {}) as Record<string, never>
  switch (action.type) {
    case 'xstate.spawnChild':
    case 'xstate.stopChild':
      return undefined // seen through births and through the snapshot's children
    case 'xstate.raise':
      return typeof params['delay'] === 'number' ? schedule(at, params, from) : undefined
    case 'xstate.cancel':
      return { kind: 'cancel', timerId: String(params['sendId']) }
    case 'xstate.emit':
      return { kind: 'emit', event: params['event'] as unknown as AnyEventObject }
    case 'xstate.sendTo':
      return typeof params['delay'] === 'number' ? schedule(at, params, from) : sendEffect(at, params, from)
    default:
      return { kind: 'action', key: `${at.streamId}:${from.envelope.version}:${from.n}`, action }
  }
}

function schedule(
  at: FoldContext,
  params: Record<string, unknown>,
  from: { readonly envelope: FoldEnvelope; readonly n: number },
): Effect {
  const id = (params['id'] as string | undefined) ?? `${at.streamId}:${from.envelope.version}:${from.n}`
  const dueAt = from.envelope.time + (params['delay'] as number)
  return { kind: 'schedule', timer: { id, dueAt, event: params['event'] as AnyEventObject } }
}

function sendEffect(
  at: FoldContext,
  params: Record<string, unknown>,
  from: { readonly envelope: FoldEnvelope; readonly n: number },
): Effect | undefined {
  const target = params['to'] as { readonly id: string } | undefined
  const event = params['event'] as AnyEventObject
  if (target === undefined) return undefined
  if (target === (at.scope.actorScope.self as unknown)) return schedule(at, { event, delay: 0 }, from)
  return { kind: 'send', childId: target.id, event }
}

function firedTimer(timers: ReadonlyMap<string, TimerRecord>, event: AnyEventObject): string | undefined {
  const id = event[TIMER_FIELD]
  return typeof id === 'string' && timers.has(id) ? id : undefined
}

function settledChildren(children: ReadonlyMap<string, ChildRecord>, event: AnyEventObject): string[] {
  if (!event.type.startsWith('xstate.done.actor.') && !event.type.startsWith('xstate.error.actor.')) return []
  const id = event['actorId'] as string
  return children.has(id) ? [id] : []
}

function matchesDescriptor(type: string, descriptor: string): boolean {
  if (descriptor === '*' || descriptor === type) return true
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1))
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard
  if (typeof guard === 'function') return guard.name || 'inline'
  return String((guard as { type?: unknown }).type ?? 'inline')
}
