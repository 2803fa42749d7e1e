/** The whole log is read batch by batch: from any position, and nothing of a batch that does not verify. */
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import { eventKey } from '../../eventstore/keys.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Batches of three events, of none, and of more than a page of the storage holds; 2,018 events. */
const open = async () => {
  const storage = new MemoryStorage()
  const log = new EventLog({ storage, end: FIRST_BATCH, close: () => storage.close() })
  for (let n = 0; n < 6; n += 1) {
    await log.append(
      `s-${n % 2}`,
      Array.from({ length: 3 }, () => ({ event_type: 'x', payload: n })),
    )
    if (n % 2 === 0) await log.appendBatch({ appends: [], entries: [{ key: 'k', value: n }] })
  }
  await log.append(
    'long',
    Array.from({ length: 2000 }, (_, n) => ({ event_type: 'x', payload: n })),
  )
  return { storage, log }
}

/** Stores another text at a position, with a checksum that holds. */
const replace = async (storage: MemoryStorage, position: number, change: (text: string) => string) => {
  const text = change(storage.getSync(eventKey(position))?.slice(8) ?? '')
  const batch = storage.batch()
  batch.put(eventKey(position), crc32(text).toString(16).padStart(8, '0') + text)
  await batch.write({ sync: true })
}

/** The positions that a reader was given before it failed. */
const readPositions = async (log: EventLog, fromPosition = 0): Promise<number[]> => {
  const positions: number[] = []
  try {
    for await (const { position } of log.readAll({ fromPosition })) positions.push(position)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ES_CORRUPT' })
    positions.push(-1)
  }
  return positions
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

test('a read begins after any position, also in the middle of a batch, and ends with the log', async () => {
  const { log } = await open()
  for (const from of [0, 1, 2, 3, 17, 18, 19, 700, 1500, 2017, 2018]) {
    expect(await readPositions(log, from)).toEqual(upTo(2018).slice(from))
  }
})

test('archived events are passed over, and their batches still verify', async () => {
  const { log } = await open()
  await log.truncate('s-0', { tombstone: { event_type: 'archived' }, expectedVersion: 9 })
  const kept = (await collect(log.readAll())).filter(({ position }) => position <= 18)
  expect(kept.map(({ stream_id }) => stream_id)).toEqual(Array.from({ length: 9 }, () => 's-1'))
  const records = await collect(log.readRecords())
  expect(records.map(({ position }) => position)).toEqual(upTo(2019))
})

test('a record whose hash is another one is found by its batch, however well its checksum holds', async () => {
  const { storage, log } = await open()
  await replace(storage, 8, (text) => `${'0'.repeat(64)}${text.slice(64)}`)
  expect(await readPositions(log)).toEqual([...upTo(7), -1])
})

test('a record that is damaged ends the read right before it', async () => {
  const { storage, log } = await open()
  const batch = storage.batch()
  batch.put(eventKey(1500), `${storage.getSync(eventKey(1500)) ?? ''} `)
  await batch.write({ sync: true })
  expect(await readPositions(log)).toEqual([...upTo(1499), -1])
  expect((await log.verify()).problems).toMatchObject([{ kind: 'unreadable', position: 1500 }])
})

test('a record that stands in the place of another is found, and one that is missing', async () => {
  const { storage, log } = await open()
  const batch = storage.batch()
  batch.put(eventKey(20), storage.getSync(eventKey(21)) ?? '')
  await batch.write({ sync: true })
  expect(await readPositions(log)).toEqual([...upTo(19), -1])
  const second = await open()
  const removal = second.storage.batch()
  removal.del(eventKey(20))
  await removal.write({ sync: true })
  expect(await readPositions(second.log)).toEqual([...upTo(19), -1])
})

test('a body rewritten under its old hash does not pass whoever reads the stream, nor verify', async () => {
  const { storage, log } = await open()
  await replace(storage, 5, (text) => text.replace('"payload":1', '"payload":7'))
  await expect(collect(log.readStream('s-1'))).rejects.toMatchObject({ code: 'ES_CORRUPT', position: 5 })
  expect((await log.verify()).problems).toMatchObject([{ kind: 'chain', position: 5, stream_id: 's-1' }])
})
