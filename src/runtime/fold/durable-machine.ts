/** Makes a user's machine foldable: stands stubs in for its children, bounds its steps, watches over its guards. */
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { assertDurable, kindOf, nodesOf, transitionsOf } from './assert-durable.ts'
import { compileFold, type CompiledFold } from './compiled-fold.ts'
import { childStub } from './fold-scope.ts'
import {
  assertNamed,
  assertPolicies,
  type ActorPolicy,
  type MachinePolicies,
  type RootPolicies,
} from '../policies.ts'
import { RuntimeError } from '../runtime-error.ts'

/** Logic as the engine keeps it: `original` has the real implementations, `foldable` has stubs for children. */
export type DurableMachine = {
  /** `transition`: the logic is a transition function (`fromTransition`), with a context and nothing else. */
  readonly kind: 'machine' | 'transition'
  readonly name: string
  /** `name@version`, as every event of its actors carries it. */
  readonly label: string
  readonly original: AnyStateMachine
  readonly foldable: AnyStateMachine
  /** Moves it without XState's search, if it is flat. */
  readonly compiled?: CompiledFold | undefined
  /** The logic of children that have streams of their own, by the name the machine has for it. */
  readonly children: ReadonlyMap<string, DurableMachine>
  /** Older versions of it whose code was given, by version. */
  readonly versions: ReadonlyMap<string, DurableMachine>
  /** What it was registered with. */
  readonly policies: RootPolicies | (ActorPolicy & MachinePolicies)
  /** What works but is better named, for the log. */
  readonly warnings: readonly string[]
  /** Whether all its actors are to be found in the index of actors. */
  readonly isIndexed?: boolean | undefined
}

/** Microsteps after which a step counts as an endless loop of `raise` or `always`. */
const MAX_MICROSTEPS = 10_000

/**
 * Checks a machine, and the machines that it may start as its children, and prepares them for the fold.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`, naming the state and the reason; `INPUT_INVALID` for policies that are
 * not about it
 */
export function durableMachine(machine: AnyStateMachine, policies: RootPolicies = {}): DurableMachine {
  assertPolicies(policies, machine.id)
  return prepare(machine, { name: machine.id, policies, known: new Map() })
}

/** The version in a label, `name@version`. */
export function versionOf(label: string): string {
  return label.slice(label.lastIndexOf('@') + 1)
}

/** The name in a label, `name@version`. */
export function nameOf(label: string): string {
  return label.slice(0, label.lastIndexOf('@'))
}

/** Older code, under the name that today's has: that of a child is its place in its parent. */
function olderVersions(policies: MachinePolicies, name: string): Map<string, DurableMachine> {
  const versions = new Map<string, DurableMachine>()
  for (const [version, { machine }] of Object.entries(policies.versions ?? {})) {
    if (machine === undefined) continue
    const older = prepare(machine, { name, policies: {}, known: new Map() })
    versions.set(version, { ...older, label: `${name}@${version}` })
  }
  return versions
}

/** The machine and all that it may start, each once. */
export function withDescendants(machine: DurableMachine): DurableMachine[] {
  const all = new Set([machine])
  for (const one of all) for (const child of one.children.values()) all.add(child)
  return [...all]
}

type Preparing = {
  readonly name: string
  readonly policies: DurableMachine['policies']
  /** Logic that leads to itself again is prepared once, under the name by which it was met first. */
  readonly known: Map<AnyActorLogic, DurableMachine>
}

function prepare(machine: AnyStateMachine, { name, policies, known }: Preparing): DurableMachine {
  const warnings = assertDurable(machine)
  const stubs: Record<string, AnyActorLogic> = {}
  const children = new Map<string, DurableMachine>()
  const actors = Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>)
  for (const [src, logic] of actors) stubs[src] = childStub(src, { durable: kindOf(logic) !== 'leaf' })
  const foldable: AnyStateMachine = machine.provide({ actors: stubs } as never)
  const maxIterations = Math.min(foldable.options?.maxIterations ?? MAX_MICROSTEPS, MAX_MICROSTEPS)
  foldable.options = { ...foldable.options, maxIterations }
  guardAgainstPromises(foldable)
  const compiled = compileFold(foldable)
  const label = `${name}@${machine.version ?? '1'}`
  const durable: DurableMachine = {
    kind: 'machine',
    name,
    label,
    original: machine,
    foldable,
    compiled,
    children,
    versions: olderVersions(policies, name),
    policies,
    warnings,
  }
  assertNamed(durable)
  known.set(machine, durable)
  for (const [src, logic] of actors) {
    const kind = kindOf(logic)
    if (kind === 'leaf') continue
    const child =
      known.get(logic) ??
      (kind === 'machine'
        ? prepare(logic as AnyStateMachine, {
            name: `${name}/${src}`,
            policies: policies.actors?.[src] ?? {},
            known: new Map(known),
          })
        : prepareTransition(logic, `${name}/${src}`))
    children.set(src, child)
  }
  return durable
}

/** A transition function has no version of its own; its name says whose it is. */
function prepareTransition(logic: AnyActorLogic, name: string): DurableMachine {
  const machine = logic as unknown as AnyStateMachine
  const none: ReadonlyMap<string, DurableMachine> = new Map()
  const label = `${name}@1`
  return {
    kind: 'transition',
    name,
    label,
    original: machine,
    foldable: machine,
    children: none,
    versions: none,
    policies: {},
    warnings: [],
  }
}

/** A guard that returns a promise is truthy and always passes in XState; here it fails the step instead. */
function guardAgainstPromises(machine: AnyStateMachine): void {
  const implementations = machine.implementations.guards as Record<string, unknown>
  for (const [name, guard] of Object.entries(implementations)) {
    implementations[name] = checkedGuard(machine.id, guard, name)
  }
  // XState made these transitions for this copy of the machine alone.
  for (const transition of nodesOf(machine).flatMap(transitionsOf) as { guard?: unknown }[]) {
    transition.guard = checkedGuard(machine.id, transition.guard)
  }
}

type PlainGuard = (args: unknown, params: unknown) => unknown

/** Names (`'isX'`, `{ type: 'isX', params }`) stay what they are: they lead to an implementation that is checked. */
function checkedGuard(machineId: string, guard: unknown, name?: string): unknown {
  if (typeof guard !== 'function') return guard
  if ('check' in guard) return checkedComposite(machineId, guard)
  const checked: PlainGuard = (args, params) => {
    const answer = (guard as PlainGuard)(args, params)
    if (typeof (answer as { then?: unknown } | null | undefined)?.then === 'function') {
      // The promise itself is nobody's business any more.
      ;(answer as Promise<unknown>).then(undefined, () => {})
      throw promised(machineId, name ?? (guard.name || 'inline'))
    }
    return answer
  }
  Object.defineProperty(checked, 'name', { value: name ?? guard.name })
  return checked
}

/** `and`, `or`, `not`, `stateIn`: shared with the original machine, so the copy gets its own. */
type CompositeGuard = { readonly check: unknown; readonly guards?: readonly unknown[]; readonly name: string }

function checkedComposite(machineId: string, guard: CompositeGuard): unknown {
  if (guard.guards === undefined) return guard
  const composite = Object.assign(() => false, guard, {
    guards: guard.guards.map((inner) => checkedGuard(machineId, inner)),
  })
  Object.defineProperty(composite, 'name', { value: guard.name })
  return composite
}

function promised(machineId: string, name: string): RuntimeError {
  return new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `Guard "${name}" of machine "${machineId}" returned a promise.`,
    expected: 'Guards are synchronous: a promise would always count as "yes".',
    todo: 'Ask in an invoke, and let the guard read the recorded answer from the event.',
  })
}
