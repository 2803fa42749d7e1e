/** A deep-frozen copy of JSON-like data, so that what hooks judge is what is recorded and cannot be changed by them. */
import { PermissionError } from './permission-error.ts'

/**
 * Copies and freezes. As in JSON, properties that are `undefined` are left out and dates become ISO 8601 strings.
 * Anything else that JSON cannot carry unchanged is refused, because hooks would judge something other than what
 * the tool is given. Throws `PM_INVALID_PARAMETERS` with the path.
 */
export function frozenCopy(value: unknown, path: string): unknown {
  return copyOf(value, path, new Map())
}

const inProgress = Symbol('in progress')

/** `seen` keeps shared parts shared (their copies are frozen) and finds circles. */
function copyOf(value: unknown, path: string, seen: Map<object, unknown>): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : refuse(`the number ${value}`, path)
  if (typeof value !== 'object') return refuse(`a value of type ${typeof value}`, path)
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? refuse('an invalid date', path) : value.toISOString()
  }
  const known = seen.get(value)
  if (known === inProgress) return refuse('a circular reference', path)
  if (known !== undefined) return known
  seen.set(value, inProgress)
  const copy = Object.freeze(
    Array.isArray(value)
      ? Array.from(value, (item: unknown, index) => copyOf(item, `${path}[${index}]`, seen))
      : copyOfObject(value, path, seen),
  )
  seen.set(value, copy)
  return copy
}

function copyOfObject(value: object, path: string, seen: Map<object, unknown>): object {
  const prototype: unknown = Object.getPrototypeOf(value)
  // A plain object of another realm has a foreign Object.prototype, which in turn has none.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return refuse(`an instance of ${value.constructor?.name ?? 'a class'}`, path)
  }
  // fromEntries defines properties, so an input key named "__proto__" stays data and cannot become a prototype.
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, copyOf(item, `${path}.${key}`, seen)]),
  )
}

function refuse(what: string, path: string): never {
  throw new PermissionError('PM_INVALID_PARAMETERS', {
    happened: `The value at ${path} is ${what}.`,
    expected:
      'Expected plain data that JSON can carry: objects, arrays, strings, finite numbers, booleans, null.',
    todo: 'Convert it before the call (a Map to an array, a bigint to a string); no hook was asked, nothing was executed.',
    path,
  })
}
