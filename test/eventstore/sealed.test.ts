/** What is sealed by hand, because it is written with every event, is what any value would be sealed as. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { seal, sealHead, sealLink, unseal, type HeadRecord } from '../../eventstore/sealed.ts'

const head: fc.Arbitrary<HeadRecord> = fc
  .record({
    version: fc.nat(),
    position: fc.nat(),
    hash: fc.stringMatching(/^[0-9a-f]{64}$/),
    machine: fc.string(),
    state: fc.jsonValue({ maxDepth: 2 }),
  })
  .map((made) => made as HeadRecord)

test('a head is sealed as any value, to the byte', () => {
  fc.assert(
    fc.property(fc.string(), head, (key, made) => {
      expect(sealHead(key, made)).toBe(seal(key, made))
      expect(unseal(key, sealHead(key, made))).toMatchObject({ type: 'value' })
    }),
  )
})

test('a link is sealed as any value, to the byte', () => {
  const hash = 'ab'.repeat(32)
  for (const link of [
    { first: 7, hash },
    { first: 1, notes: [['del', 'a"b']] as const, hash },
  ]) {
    expect(sealLink('b1', link)).toBe(seal('b1', link))
  }
})
