/** What goes into an event comes out of it unchanged, or is refused with the path to it. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { admitEvent } from '../../eventstore/admission.ts'
import type { JsonValue, NewEvent } from '../../eventstore/event.ts'
import { createMemoryEventStore } from '../../eventstore/index.ts'
import { cloneJson, copyAsJson } from '../../eventstore/payload.ts'

const strict = (value: unknown): unknown => copyAsJson(value, { root: () => 'payload', outcome: false }).value
const lenient = (value: unknown) => copyAsJson(value, { root: () => 'payload', outcome: true })

class Money {
  readonly amount = 3
}

class Temperature {
  toJSON(): unknown {
    return { celsius: 20, since: new Date(0) }
  }
}

describe('a value JSON can carry', () => {
  test('is copied as JSON gives it back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(strict(value)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(JSON.stringify(strict(value))).toBe(JSON.stringify(value))
      }),
    )
  })

  test('keeps a property named __proto__ and does not touch prototypes', () => {
    const copied = strict(JSON.parse('{"__proto__": {"polluted": true}}')) as object
    expect(JSON.stringify(copied)).toBe('{"__proto__":{"polluted":true}}')
    expect(Object.getPrototypeOf(copied)).toBe(Object.prototype)
  })

  test('may be an object without a prototype', () => {
    expect(strict(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 })
  })

  test('may hold the same object twice', () => {
    const shared = { a: 1 }
    expect(strict([shared, shared])).toEqual([{ a: 1 }, { a: 1 }])
  })

  test('loses nothing but properties that are undefined', () => {
    expect(strict({ a: undefined, b: [{ c: undefined }] })).toEqual({ b: [{}] })
    expect(strict(undefined)).toBeNull()
  })

  test('runs each getter once', () => {
    let calls = 0
    strict({
      get value() {
        calls += 1
        return calls
      },
    })
    expect(calls).toBe(1)
  })
})

describe('a value JSON cannot carry', () => {
  const holed: unknown[] = []
  holed[1] = 1
  const deep = (): unknown => {
    let value: unknown = null
    for (let level = 0; level < 600; level += 1) value = [value]
    return value
  }
  test.each([
    ['a Set', { tags: new Set(['x']) }, 'payload.tags', { tags: ['x'] }],
    ['a Map', new Map([['a', 1n]]), 'payload', [['a', '1']]],
    ['Infinity', [1, Number.POSITIVE_INFINITY], 'payload[1]', [1, 'Infinity']],
    ['a hole in an array', holed, 'payload[0]', [null, 1]],
    ['bytes', { image: Uint8Array.of(1, 2, 3) }, 'payload.image', { image: 'AQID' }],
    ['an instance of a class', { price: new Money() }, 'payload.price', { price: { amount: 3 } }],
    [
      'an instance with toJSON',
      [new Temperature()],
      'payload[0]',
      [{ celsius: 20, since: '1970-01-01T00:00:00.000Z' }],
    ],
    ['a property under a symbol', { [Symbol('s')]: 1 }, 'payload["Symbol(s)"]', {}],
    ['a promise', Promise.resolve(1), 'payload', '[promise]'],
    ['an invalid Date', new Date(Number.NaN), 'payload', 'Invalid Date'],
  ])('%s is refused, or normalised in an outcome', (...[, value, path, normal]) => {
    expect(() => strict(value)).toThrow(
      expect.objectContaining({ code: 'ES_NOT_SERIALISABLE', path }) as Error,
    )
    expect(lenient(value).value).toEqual(normal)
    expect(lenient(value).normalized[0]).toBe(path)
  })

  test('an Error in an outcome keeps name, message, cause and what was added to it', () => {
    const error = Object.assign(new TypeError('no', { cause: new Error('why') }), { code: 'E_NO' })
    const { value, normalized } = lenient({ error })
    expect(value).toMatchObject({
      error: { name: 'TypeError', message: 'no', code: 'E_NO', cause: { name: 'Error', message: 'why' } },
    })
    expect(normalized).toContain('payload.error')
  })

  test('what is nested too deep is refused before it overflows the stack', () => {
    expect(() => strict(deep())).toThrow(/nested more than 500 levels deep/)
    expect(lenient(deep()).normalized).toHaveLength(1)
  })

  test('the refusal says what it is, what is allowed and what to do', () => {
    expect(() => strict({ when: new Date(0) })).toThrow(
      'payload.when is a Date, which JSON cannot carry. ' +
        'Expected null, booleans, finite numbers, strings, arrays and plain objects only. ' +
        'Turn the value into one of these before appending; nothing was written.',
    )
  })

  test('an outcome is always kept, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
          withSparseArray: true,
          withBoxedValues: true,
        }),
        (value) => {
          const { value: kept } = lenient(value)
          expect(JSON.parse(JSON.stringify(kept))).toEqual(kept)
          expect(lenient(kept).normalized).toEqual([])
        },
      ),
    )
  })
})

describe('the envelope of an event', () => {
  const refusal = (event: unknown): unknown => {
    try {
      admitEvent(event as NewEvent, 'events[0]')
      return undefined
    } catch (error) {
      return error
    }
  }

  test.each([
    [{}, 'events[0].event_type'],
    [{ event_type: '' }, 'events[0].event_type'],
    [{ event_type: 'a\nb' }, 'events[0].event_type'],
    [{ event_type: 'a', timestamp: 'yesterday' }, 'events[0].timestamp'],
    [{ event_type: 'a', timestamp: '2026-13-01T00:00:00.000Z' }, 'events[0].timestamp'],
    [{ event_type: 'a', schema_version: 0 }, 'events[0].schema_version'],
    [{ event_type: 'a', causation_id: 5 }, 'events[0].causation_id'],
    [{ event_type: 'a', paylaod: 5 }, 'events[0].paylaod'],
    [{ event_type: 'a', normalized: ['x', 1] }, 'events[0].normalized[1]'],
    [null, 'events[0]'],
    ['order.paid', 'events[0]'],
  ])('%j is refused with the path to the field', (event, path) => {
    expect(refusal(event)).toMatchObject({ code: 'ES_INVALID_EVENT', path })
  })

  test('is accepted with every field that it may have', () => {
    expect(
      refusal({
        event_type: 'a',
        payload: {},
        event_id: 'e',
        timestamp: '2026-01-01T00:00:00Z',
        source_agent: '',
        correlation_id: '',
        causation_id: null,
        schema_version: 3,
        machine: 'm@1',
        state: 's',
        subject_id: '',
        key_id: '',
        normalized: [],
      }),
    ).toBeUndefined()
  })
})

describe('a value that is JSON already', () => {
  test('is copied without anything in common with the copy', () => {
    const parts = (value: unknown): object[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(parts)] : []
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text) as JsonValue
        const copy = cloneJson(value)
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value))
        expect(Object.getPrototypeOf(Object(copy))).toBe(Object.getPrototypeOf(Object(value)))
        const shared = new Set(parts(value))
        expect(parts(copy).some((part) => shared.has(part))).toBe(false)
      }),
    )
  })

  test('keeps a property called __proto__, and takes none from elsewhere', () => {
    const value = JSON.parse('{"__proto__":{"a":{"b":1}}}') as JsonValue
    expect(JSON.stringify(cloneJson(value))).toBe('{"__proto__":{"a":{"b":1}}}')
    const inherited = Object.assign(Object.create({ foreign: { a: 1 } }) as object, { own: {} })
    expect(Object.keys(cloneJson(inherited as JsonValue) as object)).toEqual(['own'])
  })
})

describe('an event as it was appended', () => {
  test.each([
    ['with nothing left out', { payload: { n: 1 }, state: 'open' }, false],
    ['that lost something on its way into JSON', { payload: { when: new Date(0) } }, true],
  ])('is the one that is read, field by field in one order: %s', async (_which, event, outcome) => {
    const store = createMemoryEventStore()
    const { events } = await store.append('a', [{ event_type: 'made', ...event }], { outcome })
    const { value: read } = await store.readStream('a')[Symbol.asyncIterator]().next()
    expect(JSON.stringify(read)).toBe(JSON.stringify(events[0]))
    expect(Object.keys(read ?? {}).at(-1)).toBe('hash')
  })
})
