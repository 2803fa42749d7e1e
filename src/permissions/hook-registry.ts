/**
 * The set of permission hooks that are asked, in the order they were registered.
 *
 * Owns: names, hooks and their parsed triggers. Never: calls a hook, decides, or records.
 * 1. Hooks are handed out in the order of their first registration; a replaced hook keeps its place.
 * 2. What was registered is what runs: later changes to a hook's triggers or functions have no effect.
 * 3. A registration that is refused changes nothing.
 */
import { PermissionError } from './permission-error.ts'
import type { NamedHook, PermissionHook } from './permission-hook.ts'
import { assertCapability, parseTrigger, type Trigger, triggerMatches } from './trigger.ts'

type Registration = {
  readonly hook: NamedHook
  readonly triggers: readonly Trigger[]
}

export class PermissionHookRegistry {
  readonly #registrations = new Map<string, Registration>()

  /** A registry from `{ 'cost-control': hook }`. Keys keep their order, except that JavaScript puts integers first. */
  static from(hooks: Readonly<Record<string, PermissionHook>>): PermissionHookRegistry {
    const registry = new PermissionHookRegistry()
    for (const [name, hook] of Object.entries(hooks)) registry.register(name, hook)
    return registry
  }

  /**
   * Adds a hook, or replaces the one of the same name. Says which, so that a replacement can be recorded.
   * Throws `PM_INVALID_HOOK` or `PM_INVALID_TRIGGER`, with the path.
   */
  register(name: string, hook: PermissionHook): 'registered' | 'replaced' {
    const registration = read(name, hook)
    const known = this.#registrations.has(name)
    this.#registrations.set(name, registration)
    return known ? 'replaced' : 'registered'
  }

  /** Removes a hook; `false` if there was none of that name. */
  unregister(name: string): boolean {
    return this.#registrations.delete(name)
  }

  /**
   * The hooks that a tool triggers by its name or by any of its capabilities: each once, in order.
   * Throws `PM_INVALID_CAPABILITY` for a name that would slip past every trigger.
   */
  getTriggeredHooks(tool_name: string, capabilities: readonly string[] = []): NamedHook[] {
    assertCapability(tool_name, 'tool_name')
    for (const [index, name] of capabilities.entries()) assertCapability(name, `capabilities[${index}]`)
    const names = [tool_name, ...capabilities]
    return [...this.#registrations.values()]
      .filter(({ triggers }) =>
        triggers.some((trigger) => names.some((name) => triggerMatches(trigger, name))),
      )
      .map(({ hook }) => hook)
  }

  /** Every hook, in order. */
  list(): NamedHook[] {
    return Array.from(this.#registrations.values(), ({ hook }) => hook)
  }

  /** The names, in order. */
  names(): string[] {
    return [...this.#registrations.keys()]
  }
}

function read(name: unknown, hook: unknown): Registration {
  if (typeof name !== 'string' || name === '' || /[\s\p{Cc}]/u.test(name)) {
    refuse('The name of a hook is not a word', 'a name without spaces, like "cost-control"', 'hooks')
  }
  const path = `hooks.${name}`
  if (typeof hook !== 'object' || hook === null) {
    refuse(`The hook at ${path} is not an object`, '{ triggers, validate, onSuccess?, onFailure? }', path)
  }
  const { triggers, validate, onSuccess, onFailure } = hook as Partial<PermissionHook>
  if (typeof validate !== 'function')
    refuse(`${path}.validate is not a function`, 'a function', `${path}.validate`)
  for (const [key, callback] of Object.entries({ onSuccess, onFailure })) {
    if (callback === undefined || typeof callback === 'function') continue
    refuse(`${path}.${key} is not a function`, 'a function, or nothing', `${path}.${key}`)
  }
  if (!Array.isArray(triggers) || triggers.length === 0) {
    // A hook that is never asked looks like protection and is none.
    refuse(
      `${path}.triggers names nothing`,
      'at least one trigger, like "execute:database"',
      `${path}.triggers`,
    )
  }
  const parsed = triggers.map((trigger: unknown, index) =>
    parseTrigger(trigger, `${path}.triggers[${index}]`),
  )
  return {
    triggers: parsed,
    hook: Object.freeze({
      name,
      triggers: Object.freeze(parsed.map((trigger) => trigger.text)),
      // Bound to the hook, so that a hook may be an instance of a class.
      validate: validate.bind(hook),
      ...(onSuccess && { onSuccess: onSuccess.bind(hook) }),
      ...(onFailure && { onFailure: onFailure.bind(hook) }),
    }),
  }
}

function refuse(happened: string, expected: string, path: string): never {
  throw new PermissionError('PM_INVALID_HOOK', {
    happened: `${happened}.`,
    expected: `Expected ${expected}.`,
    todo: 'Correct it and register the hook again; the hook was not registered.',
    path,
  })
}
