/** What verifies is copied out of a damaged store, what is lost is named, and the damaged store stays as it was. */
import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  openLevelEventStore,
  salvage,
  type Entry,
  type EventStore,
  type RecordedEvent,
  type SalvageReport,
} from '../../eventstore/index.ts'

let folder = ''
let path = ''
let events: RecordedEvent[] = []
let entries: Entry[] = []

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const noise = (seed: number): string => createHash('sha512').update(String(seed)).digest('base64').repeat(4)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-salvage-'))
  path = join(folder, 'store')
  const first = await openLevelEventStore({ path })
  await fill(first, 0, 75)
  await first.close()
  // Opening turns the write-ahead log into a table: half of the events are in one, half in the other.
  const second = await openLevelEventStore({ path })
  await fill(second, 75, 150)
  events = await collect(second.readAll())
  entries = await collect(second.entries(''))
  await second.close()
})

const fill = async (store: EventStore, from: number, to: number): Promise<void> => {
  for (let n = from; n < to; n += 1) {
    await store.appendBatch({
      appends: [
        {
          stream_id: `stream-${n % 7}`,
          events: [{ event_type: 'counted', payload: { n, noise: noise(n) } }],
        },
        { stream_id: 'audit', events: n % 3 === 0 ? [{ event_type: 'seen' }] : [] },
      ],
      entries: [
        { key: `owed/${n}`, value: n },
        { key: `owed/${n - 5}`, value: undefined },
      ],
      commandId: `command-${n}`,
    })
  }
}

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

let copies = 0
const copyOf = async (): Promise<string> => {
  copies += 1
  const copy = join(folder, `copy-${copies}`)
  await cp(path, copy, { recursive: true })
  return copy
}

const damaged = async (ending: RegExp, change: (bytes: Buffer) => Buffer): Promise<string> => {
  const copy = await copyOf()
  const [file = ''] = (await readdir(join(copy, 'db'))).filter((name) => ending.test(name)).sort()
  await writeFile(join(copy, 'db', file), change(await readFile(join(copy, 'db', file))))
  return copy
}

const withFlip = (at: number) => (bytes: Buffer) => {
  const place = Math.floor(bytes.length * at)
  bytes[place] = (bytes[place] ?? 0) ^ 4
  return bytes
}

const content = ({ event_id, stream_id, version, payload }: RecordedEvent) => ({
  event_id,
  stream_id,
  version,
  payload,
})

/** Salvages and checks what must hold whatever was damaged. */
const salvageFrom = async (
  from: string,
): Promise<{ report: SalvageReport; kept: RecordedEvent[]; into: string }> => {
  const into = `${from}-salvaged`
  const report = await salvage({ from, into })
  const store = await openLevelEventStore({ path: into })
  expect(await store.verify()).toMatchObject({ ok: true, events: report.events, problems: [] })
  const kept = await collect(store.readAll())
  const originals = new Map(events.map((event) => [event.event_id, content(event)]))
  for (const event of kept) expect(content(event)).toEqual(originals.get(event.event_id))
  const missing = report.lost.filter(({ kind }) => kind === 'missing')
  for (const { position, stream_id, version } of missing.filter((problem) => problem.stream_id !== '')) {
    expect(events[position - 1]).toMatchObject({ stream_id, version })
  }
  expect(report.events + report.cutOff + missing.length).toBe(events.length)
  await store.close()
  return { report, kept, into }
}

describe('salvage', () => {
  test('of a sound store is the same log, with its entries and commands', async () => {
    const from = await copyOf()
    const { report, kept, into } = await salvageFrom(from)
    expect(report).toMatchObject({ events: events.length, lost: [], cutOff: 0, entries: entries.length })
    expect(kept).toEqual(events)
    const store = await openLevelEventStore({ path: into })
    expect(await collect(store.entries(''))).toEqual(entries)
    const retry = await store.appendBatch({
      appends: [
        { stream_id: 'stream-4', events: [{ event_type: 'counted' }] },
        { stream_id: 'audit', events: [] },
      ],
      commandId: 'command-4',
    })
    expect(retry.duplicate).toBe(true)
    expect(retry.events[0]?.payload).toMatchObject({ n: 4 })
    await store.close()
  })

  test('of a damaged write-ahead log keeps what is before and after the bad stretch, and sets aside what follows a gap', async () => {
    const { report } = await salvageFrom(await damaged(/\.log$/, withFlip(0.5)))
    expect(report.lost.map(({ kind }) => kind)).toContain('file')
    expect(report.events).toBeGreaterThan(80)
    expect(report.cutOff).toBeGreaterThan(0)
  })

  test('of a damaged table names what was in the block', async () => {
    const { report } = await salvageFrom(await damaged(/\.ldb$/, withFlip(0.5)))
    expect(report.lost.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['file', 'missing']))
  })

  test('works where LevelDB cannot even open', async () => {
    for (const ending of [/^MANIFEST/, /^CURRENT/]) {
      const { report } = await salvageFrom(await damaged(ending, () => Buffer.from('nonsense')))
      expect(report.events).toBe(events.length)
      expect(report.lost[0]).toMatchObject({
        kind: 'file',
        detail: expect.stringContaining('MANIFEST') as string,
      })
    }
  })

  test('of a store that lost its end names the last events', async () => {
    const { report } = await salvageFrom(
      await damaged(/\.log$/, (bytes) => bytes.subarray(0, bytes.length / 2)),
    )
    const missing = report.lost.filter(({ kind }) => kind === 'missing').map(({ position }) => position)
    expect(missing.at(-1)).toBe(events.length)
    expect(report.cutOff).toBe(0)
  })

  test('puts what was cut off beside the new store, one event per line', async () => {
    const { report, into } = await salvageFrom(await damaged(/\.log$/, withFlip(0.3)))
    const lines = (await readFile(join(into, 'cut-off.ndjson'), 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(report.cutOff)
    expect(events.map((event) => JSON.stringify(event))).toEqual(expect.arrayContaining(lines))
  })

  test('does not touch a store that is open, nor write into one with events', async () => {
    const store = await openLevelEventStore({ path: await copyOf() })
    const from = join(folder, `copy-${copies}`)
    await expect(salvage({ from, into: `${from}-salvaged` })).rejects.toMatchObject({ code: 'ES_LOCKED' })
    await store.close()
    await expect(salvage({ from, into: await copyOf() })).rejects.toMatchObject({ code: 'ES_STREAM_EXISTS' })
  })
})
