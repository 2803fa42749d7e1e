/**
 * The actor scope and system that a machine sees while it is folded: they collect, they never act.
 *
 * Owns: the list of actions of the step under way, the microsteps, the births of children.
 * Never: starts a child, schedules a timer, relays an event, reads a clock.
 *
 * I1. One scope serves one cell; its step fields are emptied by `begin`.
 * I2. Whatever XState asks of it inside a fold, it answers without an effect and without throwing.
 */
import type { ActorLogic, AnyActorRef, AnyActorScope, AnyEventObject, Snapshot } from 'xstate'

/** An action as XState hands it over for execution, before it is turned into data. */
export type RawAction = {
  readonly type: string
  readonly params: unknown
  readonly info: { readonly context: unknown; readonly event: AnyEventObject }
  readonly exec: ((info: unknown, params: unknown) => unknown) | undefined
}

/** A child that came into being during a step, by `invoke`, `spawnChild` or `spawn`. */
export type Birth = { readonly id: string; readonly src: string; readonly input: unknown }

type Microstep = { readonly _transitions: readonly MicrostepTransition[] }
type MicrostepTransition = {
  readonly target: unknown
  readonly actions: readonly unknown[]
  readonly reenter: boolean
}

export type FoldScope = {
  readonly actorScope: AnyActorScope
  readonly actions: readonly RawAction[]
  readonly births: readonly Birth[]
  /** True if a microstep of this step took a transition that has a target or actions. */
  readonly transitioned: boolean
  begin(): void
}

/** Where a stub reports its birth: by the fold's `self`, which is the parent of every child born in a fold. */
const birthsOf = new WeakMap<object, (birth: Birth) => void>()

/** Logic that stands in for a child's own: it is born in a fold, and never runs there. */
export function childStub(src: string): ActorLogic<Snapshot<unknown>, AnyEventObject> {
  return {
    getInitialSnapshot: (childScope, input) => {
      const parent = (childScope.self as unknown as { _parent: object })._parent
      birthsOf.get(parent)?.({ id: childScope.id, src, input })
      return { status: 'active', output: undefined, error: undefined }
    },
    transition: (snapshot) => snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot as Snapshot<unknown>,
  }
}

export function createFoldScope(actorId: string): FoldScope {
  let actions: RawAction[] = []
  let births: Birth[] = []
  let microsteps: Microstep[] = []
  let booked = 0

  const system = {
    _bookId: () => `${actorId}:${booked++}`,
    _register: (id: string) => id,
    _unregister: () => {},
    _set: () => {},
    _sendInspectionEvent: (event: { type: string }) => {
      if (event.type === '@xstate.microstep') microsteps.push(event as unknown as Microstep)
    },
    _relay: () => {},
    _logger: () => {},
    _clock: { setTimeout: () => 0, clearTimeout: () => {} },
    _snapshot: { _scheduledEvents: {} },
    scheduler: { schedule: () => {}, cancel: () => {}, cancelAll: () => {} },
    inspect: () => ({ unsubscribe: () => {} }),
    get: () => undefined,
    getAll: () => ({}),
    getSnapshot: () => ({ _scheduledEvents: {} }),
    start: () => {},
  }
  const self = {
    id: actorId,
    sessionId: actorId,
    system,
    src: actorId,
    _parent: undefined,
    send: () => {},
    _send: () => {},
    getSnapshot: () => undefined,
    subscribe: () => ({ unsubscribe: () => {} }),
    on: () => ({ unsubscribe: () => {} }),
    toJSON: () => ({ xstate$$type: 1, id: actorId }),
  } as unknown as AnyActorRef
  ;(self as unknown as { ref: AnyActorRef }).ref = self
  birthsOf.set(self, (birth) => births.push(birth))

  const actorScope = {
    self,
    id: actorId,
    sessionId: actorId,
    system,
    logger: () => {},
    defer: () => {},
    stopChild: () => {},
    emit: () => {},
    actionExecutor: (action: RawAction) => {
      actions.push(action)
    },
  } as unknown as AnyActorScope

  return {
    actorScope,
    get actions() {
      return actions
    },
    get births() {
      return births
    },
    get transitioned() {
      return microsteps.some((step) =>
        step._transitions.some((t) => t.target !== undefined || t.actions.length > 0 || t.reenter),
      )
    },
    begin() {
      actions = []
      births = []
      microsteps = []
    },
  }
}
