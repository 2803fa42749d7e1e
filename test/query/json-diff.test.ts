/** The difference of two JSON values: changed places only, and enough of them to get from one to the other. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffJson, diffPlaces, sameJson } from '../../src/query/json-diff.ts'
import { parsePath, pathText, valueAt, type JsonPath } from '../../src/query/json-path.ts'

describe('the difference', () => {
  test('names what was added, removed and changed, and nothing else', () => {
    const before = { a: 1, b: { c: [1, 2], 'x.y': true }, gone: 'so' }
    const after = { a: 1, b: { c: [1, 3], 'x.y': false }, here: null }
    expect(diffJson(before, after)).toEqual([
      { kind: 'removed', path: 'gone', before: 'so', after: null },
      { kind: 'changed', path: 'b.c[1]', before: 2, after: 3 },
      { kind: 'changed', path: 'b["x.y"]', before: true, after: false },
      { kind: 'added', path: 'here', before: null, after: null },
    ])
  })

  test('of lists leaves out what is equal at both ends', () => {
    expect(diffJson([1, 2, 3], [0, 1, 2, 3])).toEqual([
      { kind: 'added', path: '[0]', before: null, after: 0 },
    ])
    expect(diffJson([1, 2, 3], [1, 3])).toEqual([{ kind: 'removed', path: '[1]', before: 2, after: null }])
    expect(diffJson([{ n: 1 }], [{ n: 2 }, { n: 3 }])).toMatchObject([
      { kind: 'changed', path: '[0].n' },
      { kind: 'added', path: '[1]' },
    ])
  })

  test('is empty exactly when the values are equal as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(diffJson(a, structuredClone(a))).toEqual([])
        expect(sameJson(a, b)).toBe(canonical(a) === canonical(b))
      }),
    )
  })

  test('says of each place what was there and what is there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const places = diffPlaces(a, b)
        expect(
          places.map(({ kind, path, before }) => (kind === 'added' ? before : valueAt(a, path))),
        ).toEqual(places.map(({ before }) => before))
        expect(
          places.map(({ kind, path, after }) => (kind === 'removed' ? after : valueAt(b, path))),
        ).toEqual(places.map(({ after }) => after))
      }),
    )
  })
})

describe('a path', () => {
  test('reads back as it was written, whatever the names in it', () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('a', 'a.b', '[0]', '"', '', '0', 'é', '\\', '__proto__'),
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(name, fc.nat(99)), { minLength: 1 }), (path: JsonPath) => {
        expect(parsePath(pathText(path))).toEqual(path)
      }),
    )
  })

  test.each(['', '.', 'a..b', 'a.', '.a', 'a[', 'a[x]', 'a["b]', 'a b', '[-1]'])(
    '"%s" is none, and the error says from where on',
    (text) => {
      expect(() => parsePath(text)).toThrow(expect.objectContaining({ code: 'QUERY_INVALID' }))
    },
  )
})

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (Object.is(inner, -0)) return 0
    return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  })
}
