/** The parts below the log: the order of keys in memory is LevelDB's, ids are in order, one write holds many appends. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import { createEventIds } from '../../eventstore/event-id.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import { rangeOfPrefix } from '../../eventstore/keys.ts'
import { crc32c } from '../../eventstore/leveldb/crc32c.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'
import { FaultyStorage } from './faulty-storage.ts'

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const text = fc.string({ unit: 'grapheme', maxLength: 4 })

describe('the storage in memory', () => {
  test('keeps keys in the order of their bytes, whatever is put and deleted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(text, fc.boolean()), { maxLength: 1500 }),
        text,
        text,
        async (operations, one, other) => {
          const storage = new MemoryStorage()
          const expected = new Set<string>()
          const batch = storage.batch()
          for (const [key, isPut] of operations) {
            if (isPut) batch.put(key, key)
            else batch.del(key)
            if (isPut) expected.add(key)
            else expected.delete(key)
          }
          await batch.write({ sync: true })
          const [gte = '', lt = ''] = [one, other].sort(byBytes)
          const keys = Array.from(expected)
            .sort(byBytes)
            .filter((key) => byBytes(key, gte) >= 0 && byBytes(key, lt) < 0)
          expect((await storage.range({ gte, lt })).map(([key]) => key)).toEqual(keys)
          expect((await storage.range({ gte, lt, reverse: true, limit: 3 })).map(([key]) => key)).toEqual(
            keys.toReversed().slice(0, 3),
          )
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a prefix covers every key that begins with it and no other', () => {
    fc.assert(
      fc.property(
        text.filter((prefix) => prefix !== ''),
        text,
        (prefix, key) => {
          const { gte, lt } = rangeOfPrefix(prefix)
          expect(byBytes(key, gte) >= 0 && byBytes(key, lt) < 0).toBe(key.startsWith(prefix))
          expect(byBytes(prefix + key, gte) >= 0 && byBytes(prefix + key, lt) < 0).toBe(true)
        },
      ),
    )
  })
})

test("the checksum in LevelDB's files is CRC-32C", () => {
  const bytes = Buffer.from('123456789')
  expect(crc32c(bytes, 0, bytes.length)).toBe(0xe3069283)
  expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa)
})

describe('event ids', () => {
  test('are different and in order, also within a millisecond and when the clock goes back', () => {
    let now = Date.UTC(2026, 0, 1)
    const newId = createEventIds(() => (now += now % 3 === 0 ? -2 : 1))
    const ids = Array.from({ length: 5000 }, () => newId())
    expect(new Set(ids).size).toBe(5000)
    expect(ids.toSorted()).toEqual(ids)
    for (const id of ids.slice(0, 10))
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})

describe('group commit', () => {
  const open = () => {
    const storage = new FaultyStorage()
    return { storage, store: new EventLog({ storage, end: FIRST_BATCH, close: async () => {} }) }
  }

  test('writes what is appended in one turn in one batch', async () => {
    const { storage, store } = open()
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.append(`s-${n}`, [{ event_type: 'x' }])))
    expect(storage.writes).toBe(1)
  })

  test('writers who go on when they are told share the next batch', async () => {
    const { storage, store } = open()
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; n < 10; n += 1) await store.append(`s-${writer}`, [{ event_type: 'x' }])
    }
    await Promise.all(Array.from({ length: 50 }, (_, writer) => write(writer)))
    expect(storage.writes).toBe(10)
  })

  test('a batch has a bound, and what is over it follows in the next', async () => {
    const { storage, store } = open()
    await Promise.all(Array.from({ length: 2000 }, (_, n) => store.append(`s-${n}`, [{ event_type: 'x' }])))
    expect(storage.writes).toBeGreaterThanOrEqual(2)
    expect(storage.writes).toBeLessThanOrEqual(5)
  })
})
