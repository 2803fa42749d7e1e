/** The world of a paused fork: it decides and records as ever, and nothing that it intends is done. */
import type { AnyActorLogic, AnyActorRef, AnyStateMachine, AnyEventObject } from 'xstate'
import type { CellHost } from '../cell/cell-host.ts'
import type { RawAction } from '../fold/cell-state.ts'
import { rootOf } from '../fold/child-address.ts'
import { durableMachine, type DurableMachine } from '../fold/durable-machine.ts'
import { heldStore } from './fork-hold.ts'

/** A leaf that does nothing and says nothing: XState tells a parent only of snapshots that are active. */
const INERT = {
  getInitialSnapshot: () => ({ status: 'stopped', output: undefined, error: undefined }),
  transition: (snapshot: unknown) => snapshot,
  getPersistedSnapshot: (snapshot: unknown) => snapshot,
  restoreSnapshot: (snapshot: unknown) => snapshot,
} as unknown as AnyActorLogic

/** The machine with the same decisions, whose leaves are inert and whose actions are not run; its children as well. */
export function heldMachine(machine: DurableMachine): DurableMachine {
  return held(machine, new Map())
}

function held(machine: DurableMachine, known: Map<DurableMachine, DurableMachine>): DurableMachine {
  const met = known.get(machine)
  if (met !== undefined) return met
  const children = new Map<string, DurableMachine>()
  const { foldable, original } = machine.kind === 'machine' ? heldLogic(machine) : heldTransition(machine)
  const one: DurableMachine = { ...machine, original, foldable, compiled: undefined, children }
  known.set(machine, one)
  for (const [src, child] of machine.children) children.set(src, held(child, known))
  return one
}

type Logic = Pick<DurableMachine, 'foldable' | 'original'>

function heldLogic(machine: DurableMachine): Logic {
  const names = Object.keys(machine.original.implementations.actors)
  const actors = Object.fromEntries(names.map((name) => [name, INERT]))
  const original: AnyStateMachine = machine.original.provide({ actors } as never)
  // Prepared anew, since what holds it back is put into the machine itself.
  const { foldable } = durableMachine(machine.original)
  holdActions(foldable)
  return { original, foldable }
}

/** A transition function has no actions; it can emit. */
function heldTransition({ original, foldable }: DurableMachine): Logic {
  const quiet = Object.create(foldable) as AnyStateMachine
  quiet.transition = (snapshot, event, scope) => {
    const { actionExecutor } = scope as unknown as { actionExecutor: (action: RawAction) => void }
    // That something was emitted is a reason to record the event, said or not.
    const emit = (emitted: AnyEventObject): void =>
      actionExecutor({
        type: 'xstate.held',
        params: undefined,
        info: { context: undefined, event: emitted },
        exec: undefined,
      })
    return foldable.transition(snapshot, event, { ...scope, emit })
  }
  return { original, foldable: quiet }
}

/** The engine as a paused fork sees it: alarms never ring, no effect begins, what is owed waits apart. */
export function heldHost<THost extends CellHost>(host: THost, id: string): THost {
  return {
    ...host,
    store: heldStore(host.store, id),
    // What it would keep is of a world that ends with the pause.
    snapshots: undefined,
    clock: { now: () => host.clock.now(), setTimeout: () => undefined, clearTimeout: () => {} },
    effects: { begin: () => {} },
  }
}

/** Takes the doing out of each action once XState has taken the step; each keeps its place, by which others are named. */
function holdActions(machine: AnyStateMachine): void {
  const transition = machine.transition.bind(machine)
  machine.transition = (snapshot, event, scope) => {
    const taken: RawAction[] = []
    const { self } = scope
    const collecting = {
      ...scope,
      actionExecutor: (action: RawAction) => {
        taken.push(action)
        ;(scope as unknown as { actionExecutor(action: RawAction): void }).actionExecutor(action)
      },
    }
    try {
      return transition(snapshot, event, collecting as never)
    } finally {
      for (const action of taken) holdBack(action, self)
    }
  }
}

function holdBack(action: { -readonly [K in keyof RawAction]: RawAction[K] }, self: AnyActorRef): void {
  if (!action.type.startsWith('xstate.')) action.exec = undefined
  else if (action.type === 'xstate.emit' || action.type === 'xstate.log' || isForeign(action, self)) {
    action.type = 'xstate.held'
  }
}

/** To an actor that is not of the family. */
function isForeign({ type, params }: RawAction, self: AnyActorRef): boolean {
  if (type !== 'xstate.sendTo') return false
  const { to } = (params ?? {}) as { to?: AnyActorRef }
  if (to === undefined || to === self || to._parent === self) return false
  return rootOf(to.sessionId) !== rootOf(self.sessionId)
}
