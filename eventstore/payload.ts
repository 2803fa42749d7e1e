/**
 * The check of what a caller wants to keep: a value that JSON carries and gives back unchanged.
 *
 * The value is copied while it is checked, so that each getter runs once and a caller who goes on to
 * change the object changes nothing in the log. What JSON cannot carry is refused with the path to it; an
 * *outcome* (work that already happened must not be lost) is normalised instead, and the paths are kept.
 */
import type { JsonValue } from './event.ts'
import { EventStoreError } from './errors.ts'

/** Far below what overflows the stack here or in `JSON.stringify`. */
const MAX_DEPTH = 500

export type JsonCopy = { readonly value: JsonValue; readonly normalized: readonly string[] }

type Walk = {
  readonly outcome: boolean
  readonly normalized: string[]
  readonly ancestors: object[]
  /** Names and indexes from the root to here. */
  readonly path: (string | number)[]
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/

const pathText = (root: string, path: readonly (string | number)[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return IDENTIFIER.test(step) ? `${text}.${step}` : `${text}[${JSON.stringify(step)}]`
  }, root)

/**
 * A copy of `value` as JSON gives it back. `root` begins the paths in errors and in `normalized`.
 * @throws {EventStoreError} `ES_NOT_SERIALISABLE`, with `path`, unless `outcome`.
 */
export const copyAsJson = (
  value: unknown,
  options: { readonly root: () => string; readonly outcome: boolean },
): JsonCopy => {
  const plain = copyPlainly(value, 0)
  if (plain !== NOT_PLAIN) return { value: plain ?? null, normalized: [] }
  const walk: Walk = { outcome: options.outcome, normalized: [], ancestors: [], path: [options.root()] }
  return { value: copy(value, walk) ?? null, normalized: walk.normalized }
}

/** Stands for a value that needs the careful walk: to be refused with its path, or normalised. */
export const NOT_PLAIN = Symbol('not plain')

/** The copy of a value without trouble, which is nearly every one; for others `copyAsJson` must be asked. */
export const copyIfPlain = (value: unknown): JsonValue | undefined | typeof NOT_PLAIN => copyPlainly(value, 0)

/**
 * Keeps no path and no ancestors: what would need them is not plain. Every value of every event passes here, and a
 * `switch` over `typeof` would be a call for each.
 */
const copyPlainly = (value: unknown, depth: number): JsonValue | undefined | typeof NOT_PLAIN => {
  if (typeof value === 'string' || typeof value === 'boolean' || value === undefined) return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return NOT_PLAIN
    return value === 0 ? 0 : value
  }
  if (value === null) return null
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return NOT_PLAIN
  return Array.isArray(value) ? copyItems(value, depth + 1) : copyProperties(value, depth + 1)
}

const copyItems = (value: readonly unknown[], depth: number): JsonValue | typeof NOT_PLAIN => {
  const result: JsonValue[] = []
  for (let index = 0; index < value.length; index += 1) {
    const item = copyPlainly(value[index], depth)
    if (item === NOT_PLAIN || item === undefined) return NOT_PLAIN
    result.push(item)
  }
  return result
}

const copyProperties = (value: object, depth: number): JsonValue | typeof NOT_PLAIN => {
  if (!isPlain(value) || Object.getOwnPropertySymbols(value).length > 0) return NOT_PLAIN
  const result: Record<string, JsonValue> = {}
  for (const key of Object.keys(value)) {
    const item = copyPlainly((value as Record<string, unknown>)[key], depth)
    if (item === NOT_PLAIN) return NOT_PLAIN
    if (item !== undefined) set(result, key, item)
  }
  return result
}

/** A copy of what is JSON already, because it came out of a copy before: nothing of it is checked. */
export const cloneJson = (value: JsonValue): JsonValue => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(cloneJson)
  const clone: Record<string, JsonValue> = { ...(value as Record<string, JsonValue>) }
  for (const key in clone) {
    const item = clone[key]
    if (typeof item === 'object' && item !== null && Object.hasOwn(clone, key))
      set(clone, key, cloneJson(item))
  }
  return clone
}

const here = (walk: Walk): string => pathText(String(walk.path[0]), walk.path.slice(1))

/** Refuses the value, or notes that it was normalised and gives what stands in for it. */
const replace = (walk: Walk, what: string, standIn: () => JsonValue): JsonValue => {
  const path = here(walk)
  if (!walk.outcome) {
    throw new EventStoreError('ES_NOT_SERIALISABLE', {
      happened: `${path} is ${what}, which JSON cannot carry`,
      expected: 'Expected null, booleans, finite numbers, strings, arrays and plain objects only',
      remedy: 'Turn the value into one of these before appending; nothing was written',
      details: { path },
    })
  }
  walk.normalized.push(path)
  return standIn()
}

const copy = (value: unknown, walk: Walk): JsonValue | undefined => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value === 0 ? 0 : value
      return replace(walk, String(value), () => String(value))
    case 'undefined':
      return undefined
    case 'object':
      return value === null ? null : copyObject(value, walk)
    case 'bigint':
      return replace(walk, 'a BigInt', () => String(value))
    case 'symbol':
      return replace(walk, 'a symbol', () => String(value))
    case 'function':
      return replace(walk, 'a function', () => `[function ${value.name || 'anonymous'}]`)
  }
}

const copyObject = (value: object, walk: Walk): JsonValue => {
  if (walk.ancestors.includes(value)) {
    return replace(walk, 'an object that contains itself', () => '[circular]')
  }
  if (walk.ancestors.length >= MAX_DEPTH) {
    return replace(walk, `nested more than ${MAX_DEPTH} levels deep`, () => '[too deep]')
  }
  walk.ancestors.push(value)
  const result = Array.isArray(value)
    ? copyArray(value, walk)
    : isPlain(value)
      ? copyPlain(value as Record<string, unknown>, walk)
      : copyForeign(value, walk)
  walk.ancestors.pop()
  return result
}

/** An object literal, of this realm or of another. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null
}

const copyArray = (value: readonly unknown[], walk: Walk): JsonValue => {
  const result: JsonValue[] = []
  for (let index = 0; index < value.length; index += 1) {
    walk.path.push(index)
    const item = copy(value[index], walk)
    result.push(item === undefined ? replace(walk, 'undefined in an array', () => null) : item)
    walk.path.pop()
  }
  return result
}

const copyPlain = (value: Record<string, unknown>, walk: Walk): JsonValue => {
  const result: Record<string, JsonValue> = {}
  for (const key of Object.keys(value)) {
    walk.path.push(key)
    const item = copy(value[key], walk)
    walk.path.pop()
    if (item !== undefined) set(result, key, item)
  }
  const [symbol] = Object.getOwnPropertySymbols(value)
  if (symbol !== undefined) {
    walk.path.push(String(symbol))
    replace(walk, 'kept under a symbol', () => null)
    walk.path.pop()
  }
  return result
}

/** As `JSON.parse` does it: `__proto__` is a property like any other. */
const set = (target: Record<string, JsonValue>, key: string, value: JsonValue): void => {
  if (key !== '__proto__') {
    target[key] = value
    return
  }
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** What an outcome may hold that is neither an array nor an object literal. */
const copyForeign = (value: object, walk: Walk): JsonValue => {
  const inner = (part: unknown): JsonValue => copy(part, walk) ?? null
  if (value instanceof Date) {
    return replace(walk, 'a Date', () =>
      Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString(),
    )
  }
  if (value instanceof Map) return replace(walk, 'a Map', () => inner(Array.from(value.entries())))
  if (value instanceof Set) return replace(walk, 'a Set', () => inner(Array.from(value.values())))
  if (value instanceof Error) return replace(walk, 'an Error', () => inner(errorParts(value)))
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return replace(walk, 'binary data', () => bytes.toString('base64'))
  }
  if (value instanceof Promise) return replace(walk, 'a promise', () => '[promise]')
  const name = className(value)
  return replace(walk, `an instance of ${name}`, () => {
    if ('toJSON' in value && typeof value.toJSON === 'function') return inner(value.toJSON())
    return copyPlain(value as Record<string, unknown>, walk)
  })
}

const className = (value: object): string => {
  const made: unknown = value.constructor
  return typeof made === 'function' && made.name !== '' ? made.name : 'an unnamed class'
}

const errorParts = (error: Error): Record<string, unknown> => ({
  ...Object.fromEntries(Object.entries(error)),
  name: error.name,
  message: error.message,
  ...(error.cause === undefined ? {} : { cause: error.cause }),
  ...(error.stack === undefined ? {} : { stack: error.stack }),
})
