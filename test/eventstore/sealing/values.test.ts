/** What is sealed opens again, exactly, with its key and in its place, and not otherwise. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../../eventstore/index.ts'
import { decrypt, encrypt } from '../../../eventstore/sealing/cipher.ts'
import { newKey } from '../../../eventstore/sealing/key-ring.ts'
import { isSealedValue, openValue, sealValue } from '../../../eventstore/sealing/sealed-value.ts'

const at = {
  subject_id: 'person-1',
  key_id: 'key-1',
  scope: 'stream',
  place: ['event', 's', 'e-1', 'said', '1'],
} as const

const bits = (length: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: length * 8 - 1 })

const flipped = (sealed: string, bit: number): string => {
  const bytes = Buffer.from(sealed, 'base64')
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return bytes.toString('base64')
}

describe('a sealed value (X-10)', () => {
  test('opens to what it was, whatever JSON it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (given) => {
        const value = JSON.parse(JSON.stringify(given)) as JsonValue
        const key = newKey()
        const sealed = sealValue(key, value, at)
        expect(openValue(key, JSON.parse(JSON.stringify(sealed)) as typeof sealed, at.place)).toEqual({
          value,
        })
        expect(isSealedValue(sealed)).toBe(true)
      }),
    )
  })

  test('does not open when any bit of nonce, ciphertext or tag is flipped', () => {
    const key = newKey()
    const sealed = sealValue(key, { note: 'a word' }, at)
    const { length } = Buffer.from(sealed.data, 'base64')
    fc.assert(
      fc.property(bits(length), (bit) => {
        expect(openValue(key, { ...sealed, data: flipped(sealed.data, bit) }, at.place)).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })

  test('does not open in another place, for another subject, under another key id or in another scope', () => {
    const key = newKey()
    const sealed = sealValue(key, 'a word', at)
    for (const [index] of at.place.entries()) {
      const place = at.place.map((part, nth) => (nth === index ? `${part}x` : part))
      expect(openValue(key, sealed, place)).toBeUndefined()
    }
    expect(openValue(key, { ...sealed, subject_id: 'person-2' }, at.place)).toBeUndefined()
    expect(openValue(key, { ...sealed, key_id: 'key-2' }, at.place)).toBeUndefined()
    expect(openValue(key, { ...sealed, scope: 'value' }, at.place)).toBeUndefined()
    expect(openValue(key, sealed, at.place)).toEqual({ value: 'a word' })
  })

  test('does not open with another key, nor when it was cut off or written in another way', () => {
    const [key, other] = [newKey(), newKey()]
    const sealed = encrypt(key, 'a word', 'here')
    expect(decrypt(other, sealed, 'here')).toBeUndefined()
    for (const changed of ['', sealed.slice(0, -4), `${sealed}AAAA`, `${sealed} `, sealed.slice(1)])
      expect(decrypt(key, changed, 'here')).toBeUndefined()
  })

  test('is never sealed the same twice, so that equal values do not show', () => {
    const key = newKey()
    const sealed = new Set(Array.from({ length: 100 }, () => encrypt(key, 'a word', 'here')))
    expect(sealed.size).toBe(100)
  })
})
