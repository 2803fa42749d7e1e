/** What an event is stored as, to the byte: how it is put together must never show. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventBody } from '../../eventstore/event.ts'
import { checksum, encodeRecord, GENESIS, readRecord, sha256 } from '../../eventstore/record.ts'

const body: fc.Arbitrary<EventBody> = fc
  .record({
    event_id: fc.string({ unit: 'binary' }),
    event_type: fc.string({ unit: 'grapheme' }),
    timestamp: fc.string(),
    source_agent: fc.string({ unit: 'binary' }),
    payload: fc.jsonValue({ maxDepth: 3 }),
    correlation_id: fc.string({ unit: 'grapheme' }),
    causation_id: fc.option(fc.string()),
    stream_id: fc.string({ unit: 'binary' }),
    version: fc.nat(),
    position: fc.nat(),
    schema_version: fc.nat(),
    machine: fc.string(),
    state: fc.jsonValue({ maxDepth: 2 }),
    subject_id: fc.string(),
    key_id: fc.string(),
  })
  .map((made) => made as EventBody)

const hash = fc.oneof(fc.constant(GENESIS), fc.stringMatching(/^[0-9a-f]{64}$/))

test('a record is its checksum, its hash and its body as JSON, whatever characters that has', () => {
  fc.assert(
    fc.property(body, hash, (made, previous) => {
      const text = JSON.stringify(made)
      const encoded = encodeRecord(made, previous)
      expect(encoded.hash).toBe(sha256(previous + text))
      expect(encoded.value).toBe(checksum(encoded.hash + text) + encoded.hash + text)
      expect(readRecord(encoded.value)).toEqual({ ...(JSON.parse(text) as object), hash: encoded.hash })
    }),
  )
})

test('a checksum of two pieces is that of both together', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (one, other) => {
      expect(checksum(one, other)).toBe(checksum(one + other))
    }),
  )
})
