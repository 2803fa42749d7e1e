/** Looks a machine over at registration: what cannot be made durable is refused there, before anything is written. */
import type { AnyStateMachine } from 'xstate'
import { RuntimeError } from '../runtime-error.ts'

type Listed = { readonly guard?: unknown; readonly actions: readonly unknown[] }
type Invoke = { readonly src: unknown; readonly id?: unknown }

/** The parts of XState's `StateNode` that are looked at. */
export type RawNode = {
  readonly id: string
  readonly config: { readonly invoke?: Invoke | readonly Invoke[] }
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly transitions: ReadonlyMap<string, Listed[]>
  readonly always?: Listed[]
  readonly initial?: { readonly actions?: readonly unknown[] } | undefined
  readonly type: string
  readonly states: Readonly<Record<string, RawNode>>
}

/**
 * Checks a machine and returns what works but is better written otherwise.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`, naming the place and the reason: async guards, inline child logic,
 * spawned children without an id.
 */
export function assertDurable(machine: AnyStateMachine): string[] {
  const warnings: string[] = []
  const { guards, actions } = machine.implementations
  for (const [name, guard] of Object.entries(guards)) assertSync(machine, guard, `guard "${name}"`)
  for (const [name, action] of Object.entries(actions)) assertSpawn(machine, action, `action "${name}"`)
  for (const node of nodesOf(machine)) {
    const where = `state "${node.id}"`
    for (const invoke of listOf(node.config.invoke)) assertInvoke(machine, invoke, { where, warnings })
    for (const transition of transitionsOf(node)) {
      assertSync(machine, transition.guard, where)
      for (const action of transition.actions) assertSpawn(machine, action, where)
    }
    const own = [
      ...node.entry,
      ...node.exit,
      ...(node.type === 'compound' ? (node.initial?.actions ?? []) : []),
    ]
    for (const action of own) assertSpawn(machine, action, where)
  }
  return warnings
}

/** Every state of a machine, the root first. */
export function nodesOf(machine: AnyStateMachine): RawNode[] {
  const nodes: RawNode[] = [machine.root]
  for (const node of nodes) nodes.push(...Object.values(node.states))
  return nodes
}

/** Every transition that can leave a state, those without an event included. */
export function transitionsOf(node: RawNode): Listed[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
}

function assertSync(machine: AnyStateMachine, guard: unknown, where: string): void {
  if (isAsync(guard)) refuse(machine, where, 'has an async guard, and a promise would always count as "yes"')
  for (const inner of (guard as { guards?: readonly unknown[] } | undefined)?.guards ?? []) {
    assertSync(machine, inner, where)
  }
}

function isAsync(value: unknown): boolean {
  return typeof value === 'function' && /^Async(?:Generator)?Function$/.test(value.constructor.name)
}

/**
 * What a child of this logic is: a machine or a transition function has a stream of its own, a leaf has none and
 * runs again after a restart.
 */
export function kindOf(logic: unknown): 'machine' | 'transition' | 'leaf' {
  if (typeof logic !== 'object' || logic === null) return 'leaf'
  if ('__xstatenode' in logic) return 'machine'
  return 'start' in logic ? 'leaf' : 'transition'
}

function assertInvoke(
  machine: AnyStateMachine,
  invoke: Invoke,
  at: { readonly where: string; readonly warnings: string[] },
): void {
  const { where, warnings } = at
  if (typeof invoke.src !== 'string') {
    refuse(machine, where, 'invokes inline logic, which has no name to find it by again')
  }
  if (!(invoke.src in machine.implementations.actors)) {
    refuse(machine, where, `invokes "${invoke.src}", which setup({ actors }) does not provide`)
  }
  if (invoke.id === undefined) {
    warnings.push(`${where} invokes without an id: renaming the state would orphan owed work`)
  }
}

function assertSpawn(machine: AnyStateMachine, action: unknown, where: string): void {
  const { type, src, id } = (action ?? {}) as { type?: unknown; src?: unknown; id?: unknown }
  if (typeof action !== 'function' || type !== 'xstate.spawnChild') return
  if (typeof src !== 'string') {
    refuse(machine, where, 'spawns inline logic, which has no name to find it by again')
  }
  if (!(src in machine.implementations.actors)) {
    refuse(machine, where, `spawns "${src}", which setup({ actors }) does not provide`)
  }
  if (id === undefined)
    refuse(machine, where, `spawns "${src}" without an id, by which it would be found again`)
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}

function refuse(machine: AnyStateMachine, where: string, reason: string): never {
  throw new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `Machine "${machine.id}" cannot be made durable: ${where} ${reason}.`,
    expected: 'A durable machine has synchronous guards, and names its children in setup({ actors }).',
    todo: 'Give the logic a name in setup() and the child an id, and let an invoke ask what a guard would have to wait for.',
    details: { machine: machine.id, where, reason },
  })
}
