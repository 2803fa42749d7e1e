/**
 * A table for machines that are flat, with which they are moved without XState's search through the statechart: the
 * same guards, assigns and actions, looked up by state and event.
 *
 * Flat is: one level of atomic states, exact event types, no `always`, `after`, `invoke`, history or final states, and
 * of XState's own actions `assign` alone. For anything else there is no table; and what throws is left to XState.
 */
import type { AnyActorScope, AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import type { RawAction } from './cell-state.ts'

/** Moves a snapshot by an event; `undefined` if XState has to. */
export type CompiledFold = (
  snapshot: AnyMachineSnapshot,
  event: AnyEventObject,
  scope: CompiledScope,
) => AnyMachineSnapshot | undefined

/** What the table needs of the scope of a fold. */
export type CompiledScope = {
  readonly actorScope: AnyActorScope
  /** A transition was selected; `moves`: it has a target or actions. */
  select(moves: boolean): void
}

type Args = { readonly context: unknown; readonly event: AnyEventObject }
type Guard = (args: Args, params: unknown) => unknown
type Resolved<T> = { readonly run: T; readonly params: unknown }
type Assignment = ((args: object, params: unknown) => object) | Readonly<Record<string, unknown>>
type Action =
  | { readonly kind: 'assign'; readonly assignment: Assignment; readonly params: unknown }
  | {
      readonly kind: 'custom'
      readonly type: string
      readonly exec: RawAction['exec']
      readonly params: unknown
    }

type Transition = {
  readonly guard: Resolved<Guard> | undefined
  /** Of leaving, of the transition itself and of entering, in this order. */
  readonly actions: readonly Action[]
  readonly target: State | undefined
  readonly moves: boolean
}

type State = {
  readonly nodes: readonly unknown[]
  readonly value: string
  readonly tags: Set<string>
  /** By event type: first its own, then those of the root. */
  readonly on: Map<string, Transition[]>
}

/** As much of XState's state nodes as is looked at. */
type Node = {
  readonly key: string
  readonly type: string
  readonly tags: readonly string[]
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly invoke: readonly unknown[]
  readonly after: readonly unknown[]
  readonly always?: readonly unknown[] | undefined
  readonly transitions: ReadonlyMap<string, readonly RawTransition[]>
  readonly states: Readonly<Record<string, Node>>
}
type RawTransition = {
  readonly source: Node
  readonly target: readonly Node[] | undefined
  readonly guard?: unknown
  readonly actions: readonly unknown[]
  readonly reenter: boolean
}

/** Thrown while a table is being made, for what is not flat. */
class NotFlat extends Error {}

/** The table of a machine whose guards are watched over already; `undefined` if it is not flat. */
export function compileFold(machine: AnyStateMachine): CompiledFold | undefined {
  try {
    const states = statesOf(machine)
    return (snapshot, event, scope) => {
      // What comes from XState itself is for XState.
      if (event.type.startsWith('xstate.') || event.type === '*') return undefined
      const state = states.get(snapshot.value)
      if (state === undefined) return undefined
      try {
        return step({ snapshot, event, scope, state })
      } catch {
        return undefined
      }
    }
  } catch (error) {
    if (error instanceof NotFlat) return undefined
    throw error
  }
}

function step(at: {
  readonly snapshot: AnyMachineSnapshot
  readonly event: AnyEventObject
  readonly scope: CompiledScope
  readonly state: State
}): AnyMachineSnapshot {
  const { snapshot, event, scope, state } = at
  const transition = chosen(state.on.get(event.type), { context: snapshot.context, event })
  if (transition === undefined) return snapshot
  const { self, system } = scope.actorScope
  let context: unknown = snapshot.context
  let custom: RawAction[] | undefined
  for (const action of transition.actions) {
    const info = { context, event, self, system }
    const params = paramsOf(action.params, info)
    if (action.kind === 'assign') context = assigned(info, action.assignment, params)
    else (custom ??= []).push({ type: action.type, info, params, exec: action.exec })
  }
  // All of it has gone well: nothing was asked of the scope so far.
  scope.select(transition.moves)
  if (custom !== undefined) {
    const collector = scope.actorScope as unknown as { actionExecutor(action: RawAction): void }
    for (const action of custom) collector.actionExecutor(action)
  }
  const target = transition.target ?? state
  if (target === state && context === snapshot.context) return snapshot
  return moved(snapshot, context, target)
}

function chosen(candidates: readonly Transition[] | undefined, args: Args): Transition | undefined {
  if (candidates === undefined) return undefined
  for (const candidate of candidates) {
    const { guard } = candidate
    if (guard === undefined || Boolean(guard.run(args, paramsOf(guard.params, args)))) return candidate
  }
  return undefined
}

function paramsOf(params: unknown, { context, event }: Args): unknown {
  return typeof params === 'function' ? (params as (args: Args) => unknown)({ context, event }) : params
}

function assigned(
  { context, event, self, system }: Args & { readonly self: unknown; readonly system: unknown },
  assignment: Assignment,
  params: unknown,
): unknown {
  const args = { context, event, spawn: notHere, self, system }
  if (typeof assignment === 'function') return { ...(context as object), ...assignment(args, params) }
  const next: Record<string, unknown> = { ...(context as object) }
  // All of them see the context as it was before.
  for (const key of Object.keys(assignment)) {
    const part: unknown = assignment[key]
    next[key] =
      typeof part === 'function' ? (part as (args: object, params: unknown) => unknown)(args, params) : part
  }
  return next
}

/** A machine without actors has nothing to spawn; XState says so better. */
function notHere(): never {
  throw new NotFlat()
}

/** In the form and order in which XState makes them. */
function moved(
  from: AnyMachineSnapshot,
  context: unknown,
  { nodes, value, tags }: State,
): AnyMachineSnapshot {
  return {
    status: from.status,
    output: from.output,
    error: from.error,
    machine: from.machine,
    context,
    _nodes: nodes,
    value,
    tags,
    children: from.children,
    historyValue: from.historyValue,
    matches: from.matches,
    hasTag: from.hasTag,
    can: from.can,
    getMeta: from.getMeta,
    toJSON: from.toJSON,
  } as unknown as AnyMachineSnapshot
}

function statesOf(machine: AnyStateMachine): ReadonlyMap<unknown, State> {
  const root = machine.root as unknown as Node
  const nodes = Object.values(root.states)
  const { actions, actors } = machine.implementations
  const isFlat =
    root.type === 'compound' &&
    [root, ...nodes].every((node) => isBare(node)) &&
    nodes.every((node) => node.type === 'atomic') &&
    Object.keys(actors).length === 0 &&
    root.exit.length === 0 &&
    !('output' in machine.config)
  if (!isFlat) throw new NotFlat()
  const states = new Map<Node, State>()
  for (const node of nodes) {
    const tags = new Set([...root.tags, ...node.tags])
    states.set(node, { nodes: [root, node], value: node.key, tags, on: new Map() })
  }
  const resolve = (list: readonly unknown[]): Action[] => list.map((action) => actionOf(action, actions))
  for (const [node, { on }] of states) {
    for (const owner of [node, root]) {
      for (const [type, list] of owner.transitions) {
        if (type === '' || type.includes('*')) throw new NotFlat()
        const compiled = list.map((raw) => transitionOf(raw, { machine, node, states, resolve }))
        on.set(type, [...(on.get(type) ?? []), ...compiled])
      }
    }
  }
  return new Map(Array.from(states.values(), (state) => [state.value, state]))
}

function isBare({ always, after, invoke }: Node): boolean {
  return (always?.length ?? 0) === 0 && after.length === 0 && invoke.length === 0
}

function transitionOf(
  { source, target, guard, actions, reenter }: RawTransition,
  at: {
    readonly machine: AnyStateMachine
    readonly node: Node
    readonly states: ReadonlyMap<Node, State>
    readonly resolve: (list: readonly unknown[]) => Action[]
  },
): Transition {
  const { machine, node, states, resolve } = at
  const moves = target !== undefined || actions.length > 0 || reenter
  const own = resolve(actions)
  const resolvedGuard = guardOf(guard, machine)
  if (target === undefined) return { guard: resolvedGuard, actions: own, target: undefined, moves }
  const [to] = target
  const next = to && states.get(to)
  if (to === undefined || next === undefined || target.length !== 1) throw new NotFlat()
  // The root would be left and entered as well.
  if (reenter && !states.has(source)) throw new NotFlat()
  // To itself and not again: it neither leaves nor enters.
  const stays = to === source && !reenter
  const all = stays ? own : [...resolve(node.exit), ...own, ...resolve(to.entry)]
  return { guard: resolvedGuard, actions: all, target: next, moves }
}

function guardOf(guard: unknown, machine: AnyStateMachine): Resolved<Guard> | undefined {
  if (guard === undefined) return undefined
  const { type, params } = (typeof guard === 'object' ? guard : {}) as { type?: string; params?: unknown }
  const named = typeof guard === 'string' ? guard : type
  const run: unknown =
    named === undefined ? guard : (machine.implementations.guards as Record<string, unknown>)[named]
  // `and`, `or`, `not` and `stateIn` look at the snapshot.
  if (typeof run !== 'function' || 'check' in run) throw new NotFlat()
  return { run: run as Guard, params }
}

function actionOf(action: unknown, implementations: Record<string, unknown>): Action {
  const inline = typeof action === 'function'
  const { type: named, params } = (typeof action === 'object' ? action : {}) as {
    type?: string
    params?: unknown
  }
  const name = typeof action === 'string' ? action : named
  const resolved = inline ? action : implementations[name ?? '']
  const builtin = (resolved ?? {}) as {
    type?: string
    resolve?: unknown
    assignment?: Assignment
    name?: string
  }
  if (resolved !== undefined && typeof resolved !== 'function') throw new NotFlat()
  if (builtin.resolve === undefined) {
    const type = inline ? (action as { name: string }).name || '(anonymous)' : (name ?? '')
    return { kind: 'custom', type, exec: resolved as RawAction['exec'], params }
  }
  if (builtin.type !== 'xstate.assign' || builtin.assignment === undefined) throw new NotFlat()
  return { kind: 'assign', assignment: builtin.assignment, params }
}
