/** Makes a user's machine foldable: checks at registration what cannot be made durable, stands stubs in for its children. */
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { childStub } from './fold-scope.ts'
import { RuntimeError } from './runtime-error.ts'

/** A machine as the engine keeps it: `original` has the real implementations, `foldable` has stubs for children. */
export type DurableMachine = {
  readonly name: string
  /** `name@version`, as every event of its actors carries it. */
  readonly label: string
  readonly original: AnyStateMachine
  readonly foldable: AnyStateMachine
  /** What works but is better named, for the log. */
  readonly warnings: readonly string[]
}

/** Microsteps after which a step counts as an endless loop of `raise` or `always`. */
const MAX_MICROSTEPS = 10_000

type StateConfig = {
  readonly invoke?: unknown
  readonly states?: Readonly<Record<string, StateConfig>>
  readonly on?: unknown
  readonly always?: unknown
  readonly after?: unknown
}
type RawTransition = { guard?: unknown }
type RawNode = {
  readonly transitions: ReadonlyMap<string, RawTransition[]>
  readonly always?: RawTransition[]
  readonly states: Readonly<Record<string, RawNode>>
}

/**
 * Checks a machine and prepares it for the fold.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`, naming the state and the reason: async guards, inline child logic,
 * child machines without a stream of their own.
 */
export function durableMachine(machine: AnyStateMachine): DurableMachine {
  const warnings: string[] = []
  for (const [name, guard] of Object.entries(machine.implementations.guards)) {
    if (isAsyncFunction(guard)) refuse(machine, `guard "${name}"`, 'is an async function')
  }
  for (const [name, logic] of Object.entries(machine.implementations.actors)) {
    if (isMachine(logic)) {
      refuse(
        machine,
        `actor "${name}"`,
        'is a state machine, and child machines have no stream of their own yet',
      )
    }
  }
  walk(machine.config as StateConfig, machine.id, (state, path) =>
    checkState({ machine, state, path, warnings }),
  )

  const stubs: Record<string, AnyActorLogic> = {}
  for (const name of Object.keys(machine.implementations.actors)) stubs[name] = childStub(name)
  const foldable: AnyStateMachine = machine.provide({ actors: stubs } as never)
  foldable.options = { ...foldable.options, maxIterations: MAX_MICROSTEPS }
  guardAgainstPromises(foldable)

  const version = machine.version ?? '1'
  return { name: machine.id, label: `${machine.id}@${version}`, original: machine, foldable, warnings }
}

function checkState(at: {
  machine: AnyStateMachine
  state: StateConfig
  path: string
  warnings: string[]
}): void {
  for (const invoke of listOf(at.state.invoke) as { src?: unknown; id?: unknown }[]) {
    if (typeof invoke.src !== 'string') {
      refuse(at.machine, `state "${at.path}"`, 'invokes inline logic, which has no name to find it by again')
    } else if (!(invoke.src in at.machine.implementations.actors)) {
      refuse(
        at.machine,
        `state "${at.path}"`,
        `invokes "${invoke.src}", which setup({ actors }) does not provide`,
      )
    }
    if (invoke.id === undefined) {
      at.warnings.push(`state "${at.path}" invokes without an id: renaming the state would orphan owed work`)
    }
  }
  for (const guard of guardsOf(at.state)) {
    if (isAsyncFunction(guard)) refuse(at.machine, `state "${at.path}"`, 'has an async inline guard')
  }
}

function refuse(machine: AnyStateMachine, where: string, reason: string): never {
  throw new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `Machine "${machine.id}" cannot be made durable: ${where} ${reason}.`,
    expected: 'A durable machine has synchronous guards and names its children in setup({ actors }).',
    todo: 'Give the logic a name in setup(), and let an invoke ask what a guard would have to wait for.',
    details: { machine: machine.id, where, reason },
  })
}

/** A guard that returns a promise is truthy and always passes in XState; here it fails the step instead. */
function guardAgainstPromises(machine: AnyStateMachine): void {
  const implementations = machine.implementations.guards as Record<string, unknown>
  for (const [name, guard] of Object.entries(implementations)) {
    if (isPlainGuard(guard)) implementations[name] = checkedGuard(machine.id, name, guard)
  }
  const visit = (node: RawNode): void => {
    for (const transitions of [...node.transitions.values(), node.always ?? []]) {
      for (const transition of transitions) {
        if (isPlainGuard(transition.guard)) {
          transition.guard = checkedGuard(machine.id, transition.guard.name || 'inline', transition.guard)
        }
      }
    }
    for (const child of Object.values(node.states)) visit(child)
  }
  visit(machine.root as unknown as RawNode)
}

type PlainGuard = (args: unknown, params: unknown) => unknown

function checkedGuard(machineId: string, name: string, guard: PlainGuard): PlainGuard {
  const checked: PlainGuard = (args, params) => {
    const answer = guard(args, params)
    if (typeof (answer as { then?: unknown } | null | undefined)?.then === 'function') {
      throw new RuntimeError('MACHINE_NOT_DURABLE', {
        happened: `Guard "${name}" of machine "${machineId}" returned a promise.`,
        expected: 'Guards are synchronous: a promise would always count as "yes".',
        todo: 'Ask in an invoke, and let the guard read the recorded answer from the event.',
      })
    }
    return answer
  }
  Object.defineProperty(checked, 'name', { value: name })
  return checked
}

function isPlainGuard(guard: unknown): guard is PlainGuard {
  return typeof guard === 'function' && !('check' in guard)
}

function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && value.constructor.name === 'AsyncFunction'
}

function isMachine(logic: unknown): boolean {
  return typeof logic === 'object' && logic !== null && '__xstatenode' in logic
}

function guardsOf(state: StateConfig): unknown[] {
  const transitions = [state.on, state.after].flatMap((map) =>
    Object.values((map ?? {}) as Record<string, unknown>).flatMap(listOf),
  )
  return [...transitions, ...listOf(state.always)].map((t) => (t as { guard?: unknown } | null)?.guard)
}

function listOf(value: unknown): unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as unknown[]) : [value]
}

function walk(state: StateConfig, path: string, visit: (state: StateConfig, path: string) => void): void {
  visit(state, path)
  for (const [key, child] of Object.entries(state.states ?? {})) walk(child, `${path}.${key}`, visit)
}
