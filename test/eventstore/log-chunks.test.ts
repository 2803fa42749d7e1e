/** A write-ahead log that is read in chunks holds what it holds as a whole, also if it is damaged. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { checkWriteAheadLogs, readWriteAheadLogs } from '../../eventstore/leveldb/database-files.ts'
import { BLOCK, LogChunks, readLogFile, type LogItem } from '../../eventstore/leveldb/log-file.ts'

let folder: string
/** Four blocks and some: records within a block, and records over two and three of them. */
let log: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-chunks-'))
  const store = await openLevelEventStore({ path: join(folder, 'store') })
  for (const size of [10, 40_000, 300, 70_000, 5, 20_000, 20]) {
    await store.append('a', [{ event_type: 'made', payload: { text: 'x'.repeat(size) } }])
  }
  await store.close()
  const database = join(folder, 'store/db')
  const [name = ''] = (await readdir(database)).filter((file) => file.endsWith('.log'))
  log = await readFile(join(database, name))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

type Told = { readonly type: string; readonly offset: number; readonly text?: string }

const tell = (item: LogItem): Told =>
  item.type === 'record'
    ? { type: item.type, offset: item.offset, text: item.bytes().toString('latin1') }
    : { type: item.type, offset: item.offset }

/** What counts: the whole records, and where the first bad stretch is. */
const essence = (items: readonly Told[]): unknown => ({
  records: items.filter(({ type }) => type === 'record'),
  bad: items.find(({ type }) => type === 'bad'),
  torn: items.filter(({ type }) => type === 'torn'),
})

const whole = (bytes: Buffer): unknown => essence(Array.from(readLogFile(bytes), tell))

const inChunks = (bytes: Buffer, blocks: number): unknown => {
  const chunks = new LogChunks()
  const told: Told[] = []
  for (let at = 0; at <= bytes.length; at += blocks * BLOCK) {
    const chunk = bytes.subarray(at, at + blocks * BLOCK)
    told.push(...Array.from(chunks.take(chunk, { isLast: at + blocks * BLOCK > bytes.length }), tell))
  }
  return essence(told)
}

const harm = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), at: fc.nat(), length: fc.nat(80_000) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('room' as const), length: fc.nat(80_000) }),
)

const harmed = (
  bytes: Buffer,
  harms: readonly (typeof harm extends fc.Arbitrary<infer T> ? T : never)[],
): Buffer => {
  let result = Buffer.from(bytes)
  for (const one of harms) {
    if (one.kind === 'room') result = Buffer.concat([result, Buffer.alloc(one.length)])
    else {
      const at = one.at % Math.max(result.length, 1)
      if (one.kind === 'cut') result = result.subarray(0, at)
      else if (one.kind === 'zero') result.fill(0, at, Math.min(at + one.length, result.length))
      else result[at] = (result[at] ?? 0) ^ (1 << one.bit)
    }
  }
  return result
}

describe('a log that is read in chunks', () => {
  test('holds what it holds as a whole', () => {
    expect(log.length).toBeGreaterThan(4 * BLOCK)
    for (const blocks of [1, 2, 3, 32]) expect(inChunks(log, blocks)).toEqual(whole(log))
  })

  test('holds the same, bad stretches and all, after any harm', () => {
    fc.assert(
      fc.property(
        fc.array(harm, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (harms, blocks) => {
          const bytes = harmed(log, harms)
          expect(inChunks(bytes, blocks)).toEqual(whole(bytes))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('gives each record when it is asked for', async () => {
    const files = { firstLog: 0, tables: [] }
    const database = join(folder, 'store/db')
    const [read, checked] = [
      await readWriteAheadLogs(database, files),
      await checkWriteAheadLogs(database, files),
    ]
    const bytes = await Promise.all(
      checked.map(({ records }) => Promise.all(records.map((record) => record()))),
    )
    expect(bytes).toEqual(read.map(({ records }) => records.map((record) => record())))
    expect(bytes.flat()).toHaveLength(8)
  })

  test('is found whole and bad where it is longer than a chunk', async () => {
    const long = Buffer.concat(Array.from({ length: 24 }, () => log.subarray(0, 2 * BLOCK)))
    await writeFile(join(folder, '000007.log'), long)
    const files = { firstLog: 7, tables: [] }
    const [read] = await readWriteAheadLogs(folder, files)
    const [checked] = await checkWriteAheadLogs(folder, files)
    expect(checked?.bad).toEqual(read?.bad)
    expect(checked?.records.length).toBe(read?.records.length)
    expect(checked?.recordsAfter.length).toBe(read?.recordsAfter.length)
    expect(checked?.recordsAfter.length).toBeGreaterThan(20)
    expect(await checked?.recordsAfter.at(-1)?.()).toEqual(read?.recordsAfter.at(-1)?.())
  })
})
