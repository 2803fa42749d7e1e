/** What supervision does to an actor's state, as part of the fold: what was decided is in the event, and replays so. */
import { recordedRef } from './actor-refs.ts'
import type { CellState, ChildRecord, Effect, TimerRecord } from './cell-state.ts'
import { childAddress } from './child-address.ts'
import type { FoldEnvelope } from './fold-envelope.ts'
import type { Accepted } from './step-effects.ts'

/** To a root that crashed: it goes on from before the event that it crashed on. */
export const REVIVE = 'xstate.revive'
/** To a parent: some of its children begin anew, as new streams with their first input. */
export const RESTART = 'xstate.restart'
/** To a parent: a child that crashed is let go, and the machine is not told. */
export const LET_GO = 'xstate.letgo'

/** With this field an event is one that the machine crashed on, and that it was made to pass over. */
export const CRASH_FIELD = 'xstate.crash'

/** More moments than any budget counts. */
const MOST_MOMENTS = 100

/** The moments that a budget counts, and one more. */
export function withMoment(moments: readonly number[] | undefined, time: number): readonly number[] {
  return [...(moments ?? []), time].slice(-MOST_MOMENTS)
}

type Outcome = Accepted | { readonly kind: 'ignored'; readonly reason: string }
type At = { readonly streamId: string; readonly state: CellState; readonly envelope: FoldEnvelope }

export function isSupervision(type: string): boolean {
  return type === REVIVE || type === RESTART || type === LET_GO
}

/** Takes an event of supervision; the machine does not see it. */
export function supervise(at: At): Outcome {
  const { type } = at.envelope.event
  if (type === REVIVE) return revive(at)
  if (at.state.snapshot.status !== 'active') return { kind: 'ignored', reason: 'the actor has ended' }
  return type === RESTART ? restart(at) : letGo(at)
}

/** The state without the timer or the child that an event came from: that much has happened in any case. */
export function passedOver(
  state: CellState,
  fired: TimerRecord | undefined,
  ended: ChildRecord | undefined,
): CellState {
  return {
    ...state,
    timers: without(state.timers, fired?.key),
    children: without(state.children, ended?.key),
  }
}

function without<T>(map: ReadonlyMap<string, T>, key: string | undefined): ReadonlyMap<string, T> {
  if (key === undefined) return map
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

/** Makes a machine's reference to its child lead to another stream. */
export function relocate({ ref, address }: ChildRecord): void {
  Object.assign(ref, { sessionId: address, toJSON: () => recordedRef(ref.id, address) })
}

/** What its machine knows of a child that begins anew: that it is there. */
function unseen({ ref }: ChildRecord): void {
  Object.assign(ref, { _snapshot: { status: 'active', output: undefined, error: undefined } })
}

function revive({ state, streamId, envelope }: At): Outcome {
  const { before } = state
  if (before === undefined) return { kind: 'ignored', reason: 'the actor has not crashed' }
  if (state.link !== undefined) return { kind: 'ignored', reason: 'its parent takes care of it' }
  const renewed = new Renewed(before, streamId, envelope)
  // What runs in this process begins where it was; what has a stream ended it, and begins a new one.
  for (const child of before.children.values()) {
    if (child.durable) renewed.begin(child)
    else {
      if ((child.ref.getSnapshot() as { status?: string }).status === 'error') unseen(child)
      renewed.effects.push({ kind: 'start', child })
    }
  }
  const { children, timers, effects } = renewed.done()
  for (const timer of timers.values()) effects.push({ kind: 'schedule', timer })
  const { version } = envelope
  return { kind: 'accepted', state: { ...before, version, booked: state.booked, children, timers }, effects }
}

function restart({ state, streamId, envelope }: At): Outcome {
  const { children: keys, crashed } = envelope.event as unknown as { children: string[]; crashed: string }
  const concerned = keys.flatMap((key) => state.children.get(key) ?? [])
  if (!state.children.has(crashed)) return { kind: 'ignored', reason: 'the child is no more' }
  const renewed = new Renewed(state, streamId, envelope)
  for (const child of concerned) if (child.key !== crashed) renewed.effects.push({ kind: 'stop', child })
  for (const child of concerned) renewed.begin(child)
  const { children, timers, effects } = renewed.done()
  return { kind: 'accepted', state: { ...state, version: envelope.version, children, timers }, effects }
}

function letGo({ state, envelope }: At): Outcome {
  const child = state.children.get(String(envelope.event['crashed']))
  if (child === undefined) return { kind: 'ignored', reason: 'the child is no more' }
  const next = { ...passedOver(state, undefined, child), version: envelope.version }
  return { kind: 'accepted', state: next, effects: [] }
}

/** Children that begin anew under keys of their own, in the places that they had. */
class Renewed {
  readonly effects: Effect[] = []
  readonly #state: CellState
  readonly #streamId: string
  readonly #envelope: FoldEnvelope
  readonly #by = new Map<string, ChildRecord>()

  constructor(state: CellState, streamId: string, envelope: FoldEnvelope) {
    this.#state = state
    this.#streamId = streamId
    this.#envelope = envelope
  }

  begin(old: ChildRecord): void {
    const { version, time, eventId } = this.#envelope
    const key = `${this.#streamId}:${version}:${this.#by.size}`
    const address = old.durable ? childAddress(key) : key
    const restarts = withMoment(old.restarts, time)
    const child: ChildRecord = { ...old, key, address, cause: eventId, restarts }
    relocate(child)
    unseen(child)
    this.#by.set(old.key, child)
    this.effects.push({ kind: 'start', child })
  }

  done(): {
    readonly children: CellState['children']
    readonly timers: CellState['timers']
    readonly effects: Effect[]
  } {
    const children = new Map<string, ChildRecord>()
    for (const child of this.#state.children.values()) {
      const now = this.#by.get(child.key) ?? child
      children.set(now.key, now)
    }
    let { timers } = this.#state
    // What is due to a child later is due to the one that took its place.
    if (this.#by.size > 0 && timers.size > 0) {
      timers = new Map(
        Array.from(timers, ([key, timer]) => {
          const to = this.#by.get(timer.childKey ?? '')
          return [key, to === undefined ? timer : { ...timer, childKey: to.key }]
        }),
      )
    }
    return { children, timers, effects: this.effects }
  }
}
