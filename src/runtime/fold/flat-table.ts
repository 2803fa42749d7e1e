/**
 * Reads the table of a flat machine out of XState's state nodes: what each state does about each event, in order.
 *
 * Flat is: one level of atomic states, exact event types, no `always`, `after`, `invoke`, history or final states, and
 * of XState's own actions `assign` alone.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import type { RawAction } from './cell-state.ts'

export type Args = { readonly context: unknown; readonly event: AnyEventObject }
type Guard = (args: Args, params: unknown) => unknown
type Resolved<T> = { readonly run: T; readonly params: unknown }
type Whole = (args: object, params: unknown) => object
/** A function of the whole, or the parts by name. */
export type Assignment = Whole | (readonly [key: string, part: unknown])[]
export type Action =
  | { readonly kind: 'assign'; readonly assignment: Assignment; readonly params: unknown }
  | {
      readonly kind: 'custom'
      readonly type: string
      readonly exec: RawAction['exec']
      readonly params: unknown
    }

export type Transition = {
  readonly guard: Resolved<Guard> | undefined
  /** Of leaving, of the transition itself and of entering, in this order. */
  readonly actions: readonly Action[]
  readonly target: State | undefined
  readonly moves: boolean
}

export type State = {
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
  readonly initial?: { readonly target: readonly Node[]; readonly actions: readonly unknown[] } | undefined
}
type RawTransition = {
  readonly source: Node
  readonly target: readonly Node[] | undefined
  readonly guard?: unknown
  readonly actions: readonly unknown[]
  readonly reenter: boolean
}

/** The table of a machine, and where it begins. */
export type FlatTable = {
  readonly states: ReadonlyMap<unknown, State>
  readonly first: State
  /** Of entering the root and the first state. */
  readonly entering: readonly Action[]
  /** A snapshot in the first state, without a context. */
  readonly blank: AnyMachineSnapshot
  /** What the machine begins with, or makes it of its input. */
  readonly context: unknown
}

/** Thrown while a table is being made, for what is not flat. */
class NotFlat extends Error {}

/** `undefined` for a machine that is not flat. */
export function flatTableOf(machine: AnyStateMachine): FlatTable | undefined {
  try {
    return tableOf(machine)
  } catch (error) {
    if (error instanceof NotFlat) return undefined
    throw error
  }
}

function tableOf(machine: AnyStateMachine): FlatTable {
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
  const { target = [], actions: initial = [] } = root.initial ?? {}
  const [start] = target
  const first = start && states.get(start)
  if (start === undefined || first === undefined || target.length !== 1) throw new NotFlat()
  return {
    states: new Map(Array.from(states.values(), (state) => [state.value, state])),
    first,
    entering: [...resolve(root.entry), ...resolve(initial), ...resolve(start.entry)],
    blank: machine.resolveState({ value: first.value, context: {} }),
    context: machine.config.context,
  }
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
    assignment?: object
    name?: string
  }
  if (resolved !== undefined && typeof resolved !== 'function') throw new NotFlat()
  if (builtin.resolve === undefined) {
    const type = inline ? (action as { name: string }).name || '(anonymous)' : (name ?? '')
    return { kind: 'custom', type, exec: resolved as RawAction['exec'], params }
  }
  if (builtin.type !== 'xstate.assign' || builtin.assignment === undefined) throw new NotFlat()
  const { assignment } = builtin
  return {
    kind: 'assign',
    assignment: typeof assignment === 'function' ? (assignment as Whole) : Object.entries(assignment),
    params,
  }
}
