/** A store with many events: reading all of it, opening it, and what it takes on disk. */
import { cp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { alternate, comparison, pick, type Comparison, type Figures } from './alternate.ts'
import { openBareLevel, readCheckAndParse } from './bare-level.ts'
import { sampleEvent } from './sample-events.ts'

const ROUNDS = 5
const STREAMS = 10_000
const PER_BATCH = 500

/** A store of `events` events over up to 10,000 streams, a multiple of 500. */
export async function measureScale(folder: string, events: number): Promise<Comparison[]> {
  const path = join(folder, 'scale')
  await fill(path, events)
  const opening = await compareOpening(path, events)
  const json = await compact(path)
  return [await compareScan(path, events), opening, await compareSize(path, { events, json })]
}

async function fill(path: string, events: number): Promise<void> {
  const store = await openLevelEventStore({ path })
  const waiting: Promise<unknown>[] = []
  for (let first = 0; first < events; first += PER_BATCH) {
    const appends = Array.from({ length: PER_BATCH }, (_, at) => ({
      stream_id: `order-${(first + at) % STREAMS}`,
      events: [sampleEvent(first + at)],
    }))
    waiting.push(store.appendBatch({ appends }))
    if (waiting.length === 4) await waiting.shift()
  }
  await Promise.all(waiting)
  await store.close()
}

/** The folder as the writer left it, with a write-ahead log to recover; each opening has a copy of its own. */
async function compareOpening(path: string, events: number): Promise<Comparison> {
  const copy = `${path}-copy`
  const opened = async (open: () => Promise<{ close: () => Promise<void> }>): Promise<Figures> => {
    await rm(copy, { recursive: true, force: true })
    await cp(path, copy, { recursive: true })
    const start = performance.now()
    const store = await open()
    const ms = performance.now() - start
    await store.close()
    return { ms }
  }
  const { ours, raw } = await alternate(
    {
      ours: () => opened(() => openLevelEventStore({ path: copy })),
      raw: () => opened(() => openBareLevel(join(copy, 'db'))),
    },
    ROUNDS,
  )
  await rm(copy, { recursive: true, force: true })
  return comparison({
    name: `open with ${events.toLocaleString('en')} events: ms beyond LevelDB's own recovery`,
    unit: 'ms',
    goal: { atMost: 50 },
    ours: pick(ours, 'ms'),
    raw: pick(raw, 'ms'),
    relate: (store, bare) => store - bare,
  })
}

/** Compacts the store; the bytes of its events as JSON. */
async function compact(path: string): Promise<number> {
  const store = await openLevelEventStore({ path })
  await store.compact?.()
  let json = 0
  for await (const event of store.readAll()) json += Buffer.byteLength(JSON.stringify(event))
  await store.close()
  return json
}

async function compareScan(path: string, events: number): Promise<Comparison> {
  const scanned = async (scan: () => Promise<number>): Promise<Figures> => {
    const start = performance.now()
    const count = await scan()
    if (count !== events) throw new Error(`there are ${count} of ${events} events`)
    return { rate: (count * 1000) / (performance.now() - start) }
  }
  const store = async (): Promise<Figures> => {
    const opened = await openLevelEventStore({ path })
    const figures = await scanned(async () => {
      let count = 0
      for await (const _ of opened.readAll()) count += 1
      return count
    })
    await opened.close()
    return figures
  }
  const bare = async (): Promise<Figures> => {
    const opened = await openBareLevel(join(path, 'db'))
    const figures = await scanned(() => readCheckAndParse(opened))
    await opened.close()
    return figures
  }
  const { ours, raw } = await alternate({ ours: store, raw: bare }, ROUNDS)
  return comparison({
    name: `full scan of ${events.toLocaleString('en')} events, verified ÷ read + checksum + parse`,
    unit: '/s',
    goal: { atLeast: 0.7 },
    ours: pick(ours, 'rate'),
    raw: pick(raw, 'rate'),
  })
}

async function compareSize(
  path: string,
  { events, json }: { events: number; json: number },
): Promise<Comparison> {
  const database = join(path, 'db')
  const sizes = await Promise.all((await readdir(database)).map((name) => stat(join(database, name))))
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0)
  return comparison({
    name: `${events.toLocaleString('en')} events, compacted: bytes on disk ÷ bytes of JSON`,
    unit: 'MB',
    goal: { atMost: 0.6 },
    ours: [bytes / 1e6],
    raw: [json / 1e6],
  })
}
