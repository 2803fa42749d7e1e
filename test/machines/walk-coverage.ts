/** Walks a machine in plain XState and says which of its transitions were never taken, and which guards never said both. */
import { createActor, fromPromise, type AnyEventObject, type AnyStateMachine } from 'xstate'

type Node = {
  readonly id: string
  readonly states: Readonly<Record<string, Node>>
  readonly transitions: ReadonlyMap<string, readonly Listed[]>
  readonly always?: readonly Listed[]
}
type Listed = {
  readonly eventType: string
  readonly source: { readonly id: string }
  readonly target?: readonly { readonly id: string }[]
  readonly guard?: unknown
}

export type Walk = readonly AnyEventObject[]

function nodesOf(machine: AnyStateMachine): Node[] {
  const nodes = [machine.root as unknown as Node]
  for (const node of nodes) nodes.push(...Object.values(node.states))
  return nodes
}

function listed(machine: AnyStateMachine): Listed[] {
  return nodesOf(machine).flatMap((node) => [
    ...[...node.transitions.values()].flat(),
    ...(node.always ?? []),
  ])
}

/** What only the engine says, of children and timers, and what a machine raises by itself later. */
export function ownEvents(machine: AnyStateMachine): AnyEventObject[] {
  const types = new Set(listed(machine).map(({ eventType }) => eventType))
  return [...types]
    .filter((type) => type.startsWith('xstate.') || type.endsWith('.due'))
    .map((type) => ({ type, output: {}, error: new Error('no') }))
}

function nameOf({ source, eventType, target, guard }: Listed): string {
  const named = typeof guard === 'string' ? ` [${guard}]` : ''
  return `${source.id} -- ${eventType}${named} -> ${target?.map(({ id }) => id).join(', ') ?? 'itself'}`
}

export function uncovered(
  machine: AnyStateMachine,
  { input, walks }: { readonly input: unknown; readonly walks: readonly Walk[] },
): { readonly transitions: string[]; readonly guards: string[] } {
  const said = new Map<string, Set<boolean>>()
  const guards = Object.entries(machine.implementations.guards as Record<string, unknown>).flatMap(
    ([name, guard]) => {
      if (typeof guard !== 'function' || 'check' in guard) return []
      said.set(name, new Set())
      const watched = (args: unknown, params: unknown): boolean => {
        const answer = Boolean((guard as (args: unknown, params: unknown) => unknown)(args, params))
        said.get(name)?.add(answer)
        return answer
      }
      return [[name, watched] as const]
    },
  )
  // Nothing that is invoked says anything by itself.
  const still = Object.keys(machine.implementations.actors as object).map((name) => [
    name,
    fromPromise(() => new Promise(() => {})),
  ])
  const watched = machine.provide({
    guards: Object.fromEntries(guards),
    actors: Object.fromEntries(still),
  } as never)
  const taken = new Set<string>()
  const delays = { setTimeout: () => 0, clearTimeout: () => {} }
  for (const walk of walks) {
    const actor = createActor(watched, {
      input,
      clock: delays,
      inspect: (event) => {
        if (event.type !== '@xstate.microstep') return
        const { _transitions: transitions } = event as unknown as { readonly _transitions: readonly Listed[] }
        for (const transition of transitions) taken.add(nameOf(transition))
      },
    })
    actor.subscribe({ error: () => {} })
    actor.start()
    for (const event of walk) if (actor.getSnapshot().status === 'active') actor.send(event)
    actor.stop()
  }
  return {
    transitions: [...new Set(listed(machine).map(nameOf))].filter((name) => !taken.has(name)).toSorted(),
    guards: [...said]
      .filter(([, answers]) => answers.size < 2)
      .map(([name]) => name)
      .toSorted(),
  }
}
