/** Closed streams go into files, the log keeps what its chains need, and everything still verifies. */
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  archiveStreams,
  createMemoryEventStore,
  createMemoryIndexes,
  exportLog,
  importLog,
  openLevelEventStore,
  salvage,
  verifyExport,
  type EventStore,
  type RecordedEvent,
} from '../../eventstore/index.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-archive-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const fill = async (store: EventStore): Promise<RecordedEvent[]> => {
  for (let n = 0; n < 40; n += 1) {
    await store.append(
      `order/${n % 4}`,
      [{ event_type: 'counted', payload: { n, filler: 'x'.repeat(500) } }],
      {
        commandId: `command-${n}`,
      },
    )
  }
  await store.append('order/1', [{ event_type: 'closed', state: 'closed' }])
  return collect(store.readAll())
}

const archive = async (store: EventStore) =>
  archiveStreams(store, { folder: join(folder, 'archive'), isClosed: (head) => head.state === 'closed' })

const stores: [name: string, open: () => Promise<EventStore>][] = [
  ['memory', async () => createMemoryEventStore()],
  ['LevelDB', async () => openLevelEventStore({ path: join(folder, 'store') })],
]

describe.each(stores)('archiving in %s', (_name, open) => {
  test('leaves a tombstone, and a log that verifies and goes on', async () => {
    const store = await open()
    const events = await fill(store)
    const [archived] = await archive(store)
    expect(archived).toMatchObject({ stream_id: 'order/1', version: 11 })
    expect(await collect(store.readStream('order/1'))).toMatchObject([
      { event_type: 'stream.archived', version: 12, position: 42, payload: archived },
    ])
    const others = events.filter((event) => event.stream_id !== 'order/1')
    expect((await collect(store.readAll())).slice(0, -1)).toEqual(others)
    expect((await collect(store.readAll({ fromPosition: 7 })))[0]?.position).toBe(8)
    expect(
      (await collect(store.follow({ fromPosition: 41, signal: AbortSignal.timeout(20) })))[0]?.version,
    ).toBe(12)
    expect(await store.verify()).toMatchObject({ ok: true, events: 31, problems: [] })
    await expect(
      store.append('order/1', [{ event_type: 'again' }], { expectedVersion: 'no_stream' }),
    ).rejects.toMatchObject({ code: 'ES_VERSION_CONFLICT', actual: 12 })
    expect((await store.append('order/0', [{ event_type: 'more' }], { expectedVersion: 10 })).position).toBe(
      43,
    )
    expect(await archive(store)).toEqual([])
    await store.compact?.()
    expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
    await store.close()
  })

  test('the file holds the stream, whole, and can be imported again', async () => {
    const store = await open()
    const events = await fill(store)
    const [archived] = await archive(store)
    await store.close()
    const file = join(folder, 'archive', archived?.file ?? '')
    expect(await readdir(join(folder, 'archive'))).toEqual([archived?.file])
    expect(await verifyExport(createReadStream(file))).toEqual({ lines: 13 })
    const other = createMemoryEventStore()
    await importLog(other, createReadStream(file))
    const content = ({ event_id, version, payload }: RecordedEvent) => ({ event_id, version, payload })
    expect((await collect(other.readStream('order/1'))).map(content)).toEqual(
      events.filter((event) => event.stream_id === 'order/1').map(content),
    )
    await writeFile(file, (await readFile(file, 'utf8')).replace('"n":5', '"n":6'))
    await expect(verifyExport(createReadStream(file))).rejects.toMatchObject({ code: 'ES_IMPORT_REFUSED' })
  })

  test('readers that are level, indexes and commands are not disturbed', async () => {
    const store = await open()
    await fill(store)
    const indexes = createMemoryIndexes(store)
    expect(await collect(indexes.byType('counted'))).toHaveLength(40)
    const live: number[] = []
    store.subscribe({ fromPosition: 'now' }).subscribe((event) => live.push(event.position))
    await archive(store)
    expect(live).toEqual([42])
    expect(await collect(indexes.byType('counted'))).toHaveLength(30)
    expect((await collect(indexes.byState('closed'))).map((head) => head.stream_id)).toEqual(['order/1'])
    const retry = await store.append('order/1', [], { commandId: 'command-1' })
    expect(retry).toMatchObject({ duplicate: true, version: 1, events: [] })
    await indexes.close()
    await store.close()
  })

  test('export and import keep the log as it is, archived streams included', async () => {
    const store = await open()
    await fill(store)
    await archive(store)
    const copy = createMemoryEventStore()
    const pieces = await collect(exportLog(store))
    expect(await importLog(copy, Readable.from(pieces))).toMatchObject({ imported: 42, samePositions: true })
    expect(await collect(copy.readAll())).toEqual(await collect(store.readAll()))
    const records = (from: EventStore) => collect(from.readRecords?.() ?? Readable.from([]))
    expect(await records(copy)).toEqual(await records(store))
    expect(await copy.verify()).toMatchObject({ ok: true, problems: [] })
    await store.close()
  })
})

test('a stream that was appended to meanwhile is not truncated', async () => {
  const store = createMemoryEventStore()
  await fill(store)
  const tombstone = { event_type: 'stream.archived' }
  await expect(store.truncate?.('order/1', { tombstone, expectedVersion: 10 })).rejects.toMatchObject({
    code: 'ES_VERSION_CONFLICT',
  })
  expect(await collect(store.readStream('order/1'))).toHaveLength(11)
})

test('salvage keeps archived streams archived', async () => {
  const path = join(folder, 'store')
  const store = await openLevelEventStore({ path })
  await fill(store)
  await archive(store)
  const log = await collect(store.readAll())
  await store.close()
  const report = await salvage({ from: path, into: join(folder, 'salvaged') })
  expect(report).toMatchObject({ lost: [], cutOff: 0, events: 42 })
  const salvaged = await openLevelEventStore({ path: join(folder, 'salvaged') })
  expect(await collect(salvaged.readAll())).toEqual(log)
  await salvaged.close()
})

test('compaction gives the space of archived events back', async () => {
  const path = join(folder, 'store')
  const store = await openLevelEventStore({ path })
  const noise = (): string => Array.from({ length: 300 }, () => Math.random().toString(36)).join('')
  for (let n = 0; n < 200; n += 1) {
    await store.append('large', [{ event_type: 'counted', payload: noise(), state: 'closed' }])
  }
  const size = async (): Promise<number> => {
    const names = (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.ldb'))
    const files = await Promise.all(
      names.map(async (name) => (await readFile(join(path, 'db', name))).length),
    )
    return files.reduce((sum, bytes) => sum + bytes, 0)
  }
  await store.compact?.()
  const before = await size()
  await archive(store)
  await store.compact?.()
  expect(await size()).toBeLessThan(before / 4)
  expect(await store.verify()).toMatchObject({ ok: true })
  await store.close()
})
