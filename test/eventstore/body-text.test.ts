/** The text that is hashed and stored is JSON as everybody writes it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bodyText } from '../../eventstore/body-text.ts'
import type { EventBody, JsonValue } from '../../eventstore/event.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '"', '\\', ' ', '~', '\u007f', '\u2028', '\ud800', 'a"b', 'back\\slash', 'é', '\u0000'),
)
const json = fc.jsonValue().map((value) => value as JsonValue)

const body: fc.Arbitrary<EventBody> = fc.record(
  {
    event_id: text,
    event_type: text,
    timestamp: text,
    source_agent: text,
    payload: json,
    correlation_id: text,
    causation_id: fc.option(text),
    stream_id: text,
    version: fc.nat(),
    position: fc.nat(Number.MAX_SAFE_INTEGER),
    schema_version: fc.nat(),
    machine: text,
    state: json,
    subject_id: text,
    key_id: text,
    normalized: fc.array(text),
  },
  {
    requiredKeys: [
      'event_id',
      'event_type',
      'timestamp',
      'source_agent',
      'payload',
      'correlation_id',
      'causation_id',
      'stream_id',
      'version',
      'position',
      'schema_version',
      'machine',
      'state',
      'subject_id',
      'key_id',
    ],
  },
)

test('the body of an event is written byte for byte as JSON.stringify would write it', () => {
  fc.assert(
    fc.property(body, (event) => {
      expect(bodyText(event)).toBe(JSON.stringify(event))
    }),
    { numRuns: 500 },
  )
})
