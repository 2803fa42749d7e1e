/** A damaged store is refused untouched, what it lost is named, and reading it needs no LevelDB. */
import { createHash } from 'node:crypto'
import { cp, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore, type RecordedEvent } from '../../eventstore/index.ts'
import { readDatabaseFiles } from '../../eventstore/leveldb/database-files.ts'
import { decodeRecord } from '../../eventstore/record.ts'

let folder = ''
let path = ''
let events: RecordedEvent[] = []

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Bytes that do not compress, so that each event takes place in the file. */
const noise = (seed: number): string => createHash('sha512').update(String(seed)).digest('base64').repeat(8)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-evidence-'))
  path = join(folder, 'store')
  const store = await openLevelEventStore({ path })
  for (let n = 0; n < 200; n += 1) {
    await store.append(`stream-${n % 5}`, [{ event_type: 'counted', payload: { n, noise: noise(n) } }])
  }
  events = await collect(store.readAll())
  await store.close()
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const copyOf = async (name: string): Promise<string> => {
  const copy = join(folder, name)
  await cp(path, copy, { recursive: true })
  return copy
}

/** The files with one ending, in a store's database. */
const filesOf = async (store: string, ending: string): Promise<string[]> =>
  (await readdir(join(store, 'db')))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(store, 'db', name))

const flipMiddle = async (file: string): Promise<void> => {
  const handle = await open(file, 'r+')
  const at = Math.floor((await handle.stat()).size / 2)
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at)
  await handle.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, at)
  await handle.close()
}

const fingerprint = async (store: string): Promise<string[]> => {
  const names = await readdir(store, { recursive: true })
  const files = await Promise.all(
    names.sort().map(async (name) => {
      const file = join(store, name)
      if ((await stat(file)).isDirectory()) return name
      return `${name} ${createHash('sha256')
        .update(await readFile(file))
        .digest('hex')}`
    }),
  )
  return files
}

describe('a damaged store', () => {
  test('is refused before LevelDB rewrites it, and is left as it was', async () => {
    const copy = await copyOf('write-ahead')
    const [file = ''] = await filesOf(copy, '.log')
    await flipMiddle(file)
    const before = await fingerprint(copy)
    await expect(openLevelEventStore({ path: copy })).rejects.toMatchObject({
      code: 'ES_CORRUPT',
      kind: 'file',
      message: expect.stringMatching(/\d+\.log at byte \d+: a checksum that does not hold/) as string,
    })
    expect(await fingerprint(copy)).toEqual(before)
  })

  test('that lost its end is refused, although LevelDB sees nothing wrong', async () => {
    const copy = await copyOf('cut')
    const [file = ''] = await filesOf(copy, '.log')
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length - 100))
    await expect(openLevelEventStore({ path: copy })).rejects.toMatchObject({
      code: 'ES_CORRUPT',
      kind: 'tail',
      position: 200,
      message: expect.stringContaining('ends at position 199, but it had reached 200') as string,
    })
  })

  test('names each event that was in a damaged block, with its stream and version', async () => {
    const copy = await copyOf('table')
    await (await openLevelEventStore({ path: copy })).close()
    const store = await openLevelEventStore({ path: copy })
    const [file = ''] = await filesOf(copy, '.ldb')
    await flipMiddle(file)
    const { ok, problems } = await store.verify()
    expect(ok).toBe(false)
    expect(problems[0]).toMatchObject({
      kind: 'file',
      detail: expect.stringContaining('.ldb at byte') as string,
    })
    const lost = problems.filter((problem) => problem.kind === 'unreadable')
    expect(lost.length).toBeGreaterThan(0)
    for (const { position, stream_id, version } of lost) {
      expect(events[position - 1]).toMatchObject({ position, stream_id, version })
    }
    await store.close()
  })
})

describe("LevelDB's files, read without LevelDB", () => {
  const eventsIn = async (store: string): Promise<RecordedEvent[]> => {
    const found = new Map<number, RecordedEvent>()
    for await (const item of readDatabaseFiles(join(store, 'db'))) {
      expect(item.type).toBe('entries')
      if (item.type !== 'entries') continue
      for (const { key, value } of item.entries()) {
        const record = key.startsWith('e') && value !== undefined ? decodeRecord(value) : undefined
        if (record?.type === 'record') found.set(record.record.event.position, record.record.event)
      }
    }
    return Array.from(found.values()).sort((a, b) => a.position - b.position)
  }

  test('hold every event, in the write-ahead log', async () => {
    expect(await eventsIn(path)).toEqual(events)
  })

  test('and in the tables', async () => {
    const copy = await copyOf('raw-tables')
    await (await openLevelEventStore({ path: copy })).close()
    expect(await filesOf(copy, '.ldb')).not.toEqual([])
    expect(await eventsIn(copy)).toEqual(events)
  })
})
