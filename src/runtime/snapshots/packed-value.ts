/**
 * Packs what a machine keeps in its context into JSON, and back, so that nothing can tell the difference: references
 * to actors, `undefined`, dates, maps, sets, errors, and which parts are one and the same object.
 *
 * What would not come back as it was (a class instance, a function) is refused with its name.
 */
import { types } from 'node:util'
import type { AnyActorRef } from 'xstate'

/** How references to actors are carried. */
export type PackRefs = {
  /** What stands for a reference; `undefined` if it is none, or one that cannot be found again. */
  pack(value: object): unknown
}
export type UnpackRefs = { unpack(packed: unknown): AnyActorRef }

/** Marks what is not plain JSON. */
const TAG = 'xstate$$packed'

type Tagged = { readonly [TAG]: string; readonly value?: unknown }

/** A value that cannot be packed, and why. */
export class Unpackable extends Error {}

const MAX_DEPTH = 200

/** @throws Unpackable */
export function packValue(value: unknown, refs: PackRefs): unknown {
  return new Packer(refs).pack(value, 0)
}

export function unpackValue(packed: unknown, refs: UnpackRefs): unknown {
  return new Unpacker(refs).unpack(packed)
}

class Packer {
  readonly #refs: PackRefs
  /** Objects by the order in which they were met. */
  readonly #seen = new Map<object, number>()

  constructor(refs: PackRefs) {
    this.#refs = refs
  }

  pack(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? value : tagged('number', numberText(value))
      case 'undefined':
        return tagged('undefined')
      case 'bigint':
        return tagged('bigint', String(value))
      case 'object':
        return value === null ? null : this.#object(value, depth + 1)
      default:
        throw new Unpackable(`holds a ${typeof value}`)
    }
  }

  #object(value: object, depth: number): unknown {
    const ref = this.#refs.pack(value)
    if (ref !== undefined) return tagged('ref', ref)
    if (depth > MAX_DEPTH) throw new Unpackable(`is nested more than ${MAX_DEPTH} levels deep`)
    const place = this.#seen.get(value)
    if (place !== undefined) return tagged('same', place)
    this.#seen.set(value, this.#seen.size)
    if (Object.getOwnPropertySymbols(value).length > 0) throw new Unpackable('has something under a symbol')
    if (Array.isArray(value)) return this.#array(value, depth)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#plain(value as Record<string, unknown>, depth)
    if (prototype === Date.prototype) return tagged('date', numberText((value as Date).getTime()))
    if (prototype === Map.prototype) {
      return tagged(
        'map',
        [...(value as Map<unknown, unknown>)].map((pair) => pair.map((item) => this.pack(item, depth))),
      )
    }
    if (prototype === Set.prototype) {
      return tagged(
        'set',
        Array.from(value as Set<unknown>, (item) => this.pack(item, depth)),
      )
    }
    if (prototype === Error.prototype && types.isNativeError(value))
      return tagged('error', this.#error(value, depth))
    const { constructor } = value as { constructor?: { name?: string } }
    throw new Unpackable(`holds an instance of ${constructor?.name ?? 'no known class'}`)
  }

  #array(value: readonly unknown[], depth: number): unknown[] {
    if (Object.keys(value).length !== value.length) throw new Unpackable('holds an array with holes or names')
    return value.map((item) => this.pack(item, depth))
  }

  #plain(value: Record<string, unknown>, depth: number): Record<string, unknown> {
    const packed: Record<string, unknown> = {}
    for (const [key, property] of propertiesOf(value)) {
      const item: unknown = property.value
      if (isComputed(property) || property.enumerable !== true) {
        throw new Unpackable(`has "${key}", which is no plain property`)
      }
      if (key === TAG || key === '__proto__') throw new Unpackable(`has a property named "${key}"`)
      packed[key] = this.pack(item, depth)
    }
    return packed
  }

  /** As the engine makes them from a record: each property, and whether it shows. */
  #error(value: Error, depth: number): unknown[] {
    return propertiesOf(value).map(([key, property]) => {
      if (isComputed(property)) throw new Unpackable('holds an error with accessors')
      return [key, property.enumerable === true, this.pack(property.value, depth)]
    })
  }
}

class Unpacker {
  readonly #refs: UnpackRefs
  readonly #seen: object[] = []

  constructor(refs: UnpackRefs) {
    this.#refs = refs
  }

  unpack(packed: unknown): unknown {
    if (typeof packed !== 'object' || packed === null) return packed
    if (Array.isArray(packed)) {
      const items: unknown[] = []
      this.#seen.push(items)
      for (const item of packed) items.push(this.unpack(item))
      return items
    }
    if (Object.hasOwn(packed, TAG)) return this.#tagged(packed as Tagged)
    const value: Record<string, unknown> = {}
    this.#seen.push(value)
    for (const key of Object.keys(packed)) value[key] = this.unpack((packed as Record<string, unknown>)[key])
    return value
  }

  #tagged({ [TAG]: kind, value }: Tagged): unknown {
    switch (kind) {
      case 'undefined':
        return undefined
      case 'number':
        return Number(value)
      case 'bigint':
        return BigInt(value as string)
      case 'ref':
        return this.#refs.unpack(value)
      case 'same':
        return this.#seen[value as number]
      case 'date': {
        const date = new Date(Number(value))
        this.#seen.push(date)
        return date
      }
      case 'map': {
        const map = new Map<unknown, unknown>()
        this.#seen.push(map)
        for (const [key, item] of value as [unknown, unknown][]) map.set(this.unpack(key), this.unpack(item))
        return map
      }
      case 'set': {
        const set = new Set<unknown>()
        this.#seen.push(set)
        for (const item of value as unknown[]) set.add(this.unpack(item))
        return set
      }
      case 'error':
        return this.#error(value as [string, boolean, unknown][])
      default:
        throw new Unpackable(`there is no kind "${kind}"`)
    }
  }

  #error(properties: readonly [string, boolean, unknown][]): Error {
    const error = new Error()
    this.#seen.push(error)
    delete error.stack
    for (const [key, enumerable, packed] of properties) {
      const value = this.unpack(packed)
      Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true })
    }
    return error
  }
}

function isComputed(property: PropertyDescriptor): boolean {
  return property.get !== undefined || property.set !== undefined
}

function propertiesOf(value: object): [string, PropertyDescriptor][] {
  return Object.entries(Object.getOwnPropertyDescriptors(value))
}

function tagged(kind: string, value?: unknown): Tagged {
  return value === undefined ? { [TAG]: kind } : { [TAG]: kind, value }
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
