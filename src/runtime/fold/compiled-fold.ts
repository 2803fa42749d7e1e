/**
 * Moves flat machines by a table instead of XState's search through the statechart: the same guards, assigns and
 * actions, looked up by state and event. For a machine that is not flat there is none; and what throws is left to XState.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import type { RawAction } from './cell-state.ts'
import {
  flatTableOf,
  type Action,
  type Args,
  type Assignment,
  type State,
  type Transition,
} from './flat-table.ts'

/** A machine as a table; each of them answers `undefined` if XState has to do it. */
export type CompiledFold = {
  /** The snapshot that a machine begins with. */
  first(input: unknown, scope: CompiledScope): AnyMachineSnapshot | undefined
  /** Moves a snapshot by an event. */
  next(
    snapshot: AnyMachineSnapshot,
    event: AnyEventObject,
    scope: CompiledScope,
  ): AnyMachineSnapshot | undefined
}

/** What the table needs of the scope of a fold. */
export type CompiledScope = {
  readonly self: unknown
  readonly system: unknown
  /** Takes an action down that the step asks for. */
  execute(action: RawAction): void
  /** A transition was selected; `moves`: it has a target or actions. */
  select(moves: boolean): void
}

/** The table of a machine whose guards are watched over already; `undefined` if it is not flat. */
export function compileFold(machine: AnyStateMachine): CompiledFold | undefined {
  const table = flatTableOf(machine)
  if (table === undefined) return undefined
  const { states, first, entering, blank, context: given } = table
  return {
    first(input, scope) {
      try {
        const context: unknown =
          typeof given === 'function'
            ? { ...(given({ spawn: notHere, input, self: scope.self }) as object) }
            : (given ?? {})
        const at = { event: { type: 'xstate.init', input }, scope, actions: entering }
        // None of what it holds is shared with other actors.
        const own = { ...blank, children: {}, historyValue: {} } as unknown as AnyMachineSnapshot
        return moved(own, run(context, at), first)
      } catch {
        return undefined
      }
    },
    next(snapshot, event, scope) {
      // What comes from XState itself is for XState.
      if (event.type.startsWith('xstate.') || event.type === '*') return undefined
      const state = states.get(snapshot.value)
      if (state === undefined) return undefined
      try {
        return step({ snapshot, event, scope, state })
      } catch {
        return undefined
      }
    },
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
  const context = run(snapshot.context, { event, scope, actions: transition.actions })
  scope.select(transition.moves)
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

/** Runs assigns and hands over the rest; gives back the context after all of them. */
function run(
  before: unknown,
  at: { readonly event: AnyEventObject; readonly scope: CompiledScope; readonly actions: readonly Action[] },
): unknown {
  const { event, scope, actions } = at
  const { self, system } = scope
  let context = before
  let custom: RawAction[] | undefined
  for (const action of actions) {
    if (action.kind === 'assign') {
      const args = { context, event, spawn: notHere, self, system }
      context = assigned(args, action.assignment, paramsOf(action.params, args))
      continue
    }
    const info = { context, event, self, system }
    const params = paramsOf(action.params, info)
    custom ??= []
    custom.push({ type: action.type, info, params, exec: action.exec })
  }
  // All of it has gone well: nothing was asked of the scope so far.
  if (custom !== undefined) for (const action of custom) scope.execute(action)
  return context
}

function paramsOf(params: unknown, { context, event }: Args): unknown {
  return typeof params === 'function' ? (params as (args: Args) => unknown)({ context, event }) : params
}

function assigned(args: Args, assignment: Assignment, params: unknown): unknown {
  const { context } = args
  if (typeof assignment === 'function') return { ...(context as object), ...assignment(args, params) }
  const next: Record<string, unknown> = { ...(context as object) }
  // All of them see the context as it was before.
  for (const [key, part] of assignment) {
    next[key] =
      typeof part === 'function' ? (part as (args: object, params: unknown) => unknown)(args, params) : part
  }
  return next
}

/** A machine without actors has nothing to spawn; XState says so better. */
function notHere(): never {
  throw new Error('there is nothing to spawn')
}

/** The fields of a snapshot in the order in which XState makes them. */
const NO_SNAPSHOT: { readonly [field: string]: unknown } = {
  status: undefined,
  output: undefined,
  error: undefined,
  machine: undefined,
  context: undefined,
  _nodes: undefined,
  value: undefined,
  tags: undefined,
  children: undefined,
  historyValue: undefined,
  matches: undefined,
  hasTag: undefined,
  can: undefined,
  getMeta: undefined,
  toJSON: undefined,
}

/** A copy with other values, not a literal, for the sake of the garbage collector (eventstore/young.ts). */
function moved(
  from: AnyMachineSnapshot,
  context: unknown,
  { nodes, value, tags }: State,
): AnyMachineSnapshot {
  return {
    ...NO_SNAPSHOT,
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
