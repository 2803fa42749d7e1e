/** Tells a guard's "no" from an event that means nothing where a machine stands. */
import { getNextTransitions, type AnyEventObject, type AnyMachineSnapshot } from 'xstate'

export type WhyNot =
  /** The machine has no transition for this event where it stands, or one that does nothing. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** It has, and a guard said no. */
  | { readonly kind: 'refused'; readonly guard: string; readonly reason: string }

/** `selected`: a transition was taken, and it has neither target nor actions. */
export function whyNot(snapshot: AnyMachineSnapshot, event: AnyEventObject, selected: boolean): WhyNot {
  const where = JSON.stringify(snapshot.value)
  const named = `"${event.type}"`
  if (selected) return { kind: 'ignored', reason: `${named} is meant to do nothing in state ${where}` }
  // Nothing was selected, so each candidate on the way up has a guard, and each of them said no.
  const guards = new Set(
    getNextTransitions(snapshot)
      .filter((candidate) => matches(event.type, candidate.eventType))
      .map((candidate) => guardName(candidate.guard)),
  )
  if (guards.size === 0) return { kind: 'ignored', reason: `${named} means nothing in state ${where}` }
  const guard = [...guards].join(', ')
  return { kind: 'refused', guard, reason: `guard "${guard}" said no to ${named} in state ${where}` }
}

/** As XState matches: exactly, `*` for all, `a.*` for `a` and what begins with `a.`. */
function matches(type: string, descriptor: string): boolean {
  if (descriptor === '*' || descriptor === type) return true
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1))
}

type NamedGuard = {
  readonly name?: string
  readonly type?: unknown
  readonly guards?: readonly unknown[]
  readonly stateValue?: unknown
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard
  const { name, type, guards, stateValue } = (guard ?? {}) as NamedGuard
  if (guards !== undefined) return `${name}(${guards.map(guardName).join(', ')})`
  if (stateValue !== undefined) return `${name}(${JSON.stringify(stateValue)})`
  if (typeof type === 'string') return type
  // An arrow function in a config is called after the property that holds it.
  return name === undefined || name === '' || name === 'guard' ? 'inline' : name
}
