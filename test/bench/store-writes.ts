/** Appends beside the raw limits: one writer beside the disk, a thousand beside LevelDB without the store. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { openLevelEventStore, type EventStore } from '../../eventstore/index.ts'
import { alternate, comparison, pick, type Comparison, type Figures } from './alternate.ts'
import { openBareLevel, putEach, writeBatches } from './bare-level.ts'
import { PutRecorder, type Put } from './recorded-puts.ts'
import { sampleEvent } from './sample-events.ts'

const ROUNDS = 15
const APPENDS = 300
/** Rounds of one writer before the first that counts: V8 goes on compiling for some 3,000 appends. */
const WARM_UP = 14
const WRITERS = 1000
const PER_WRITER = 20
const EVENTS = WRITERS * PER_WRITER
/** A synced put of its own costs so much that fewer must do. */
const PUTS = WRITERS * 3
/** Made beforehand: what it costs to think them up is not the store's. */
const events = Array.from({ length: EVENTS }, (_, index) => [sampleEvent(index)])
/** Puts per batch of the ceiling: those of as many events as there are writers. */
const CEILING_BATCH = 3 * WRITERS

export async function measureWrites(folder: string): Promise<Comparison[]> {
  const recorder = new PutRecorder()
  const comparisons = [...(await compareOneWriter(folder, recorder)), ...(await compareManyWriters(folder))]
  await recorder.close()
  return comparisons
}

async function compareOneWriter(folder: string, recorder: PutRecorder): Promise<Comparison[]> {
  const store = await openLevelEventStore({ path: join(folder, 'one-writer') })
  const file = await open(join(folder, 'one-writer-raw'), 'a')
  const [first] = eventsIn(
    await recorder.record((log) => log.append('orders', events[0] ?? []).then(() => {})),
  )
  const record = Buffer.from(first?.[1] ?? '')
  let index = 0
  const { ours, raw } = await alternate(
    {
      ours: () => timed(() => store.append('orders', events[(index += 1) % EVENTS] ?? [])),
      raw: () =>
        timed(async () => {
          await file.write(record)
          await file.datasync()
        }),
    },
    ROUNDS,
    { warmUp: WARM_UP },
  )
  await store.close()
  await file.close()
  const figures = (name: string) => ({ ours: pick(ours, name), raw: pick(raw, name) })
  return [
    comparison({
      name: 'one writer: appends/s ÷ fdatasync/s',
      unit: '/s',
      goal: { atLeast: 0.85 },
      ...figures('rate'),
    }),
    comparison({
      name: 'one writer: p50 of an append ÷ p50 of fdatasync',
      unit: 'ms',
      goal: { atMost: 1.25 },
      ...figures('p50'),
    }),
  ]
}

/** Rate and median of one operation after the other. */
async function timed(operation: () => Promise<unknown>): Promise<Figures> {
  const samples: number[] = []
  const start = performance.now()
  for (let count = 0, from = start; count < APPENDS; count += 1) {
    await operation()
    const until = performance.now()
    samples.push(until - from)
    from = until
  }
  samples.sort((a, b) => a - b)
  return { rate: (APPENDS * 1000) / (performance.now() - start), p50: samples[APPENDS >> 1] ?? Number.NaN }
}

async function compareManyWriters(folder: string): Promise<Comparison[]> {
  const store = await openLevelEventStore({ path: join(folder, 'many-writers') })
  const bare = await openBareLevel(join(folder, 'many-writers-raw'))
  const alone = await openBareLevel(join(folder, 'many-puts-raw'))
  // LevelDB compacts what is written in order by moving files; so each round has keys of its own, as in a store.
  const recorder = new PutRecorder()
  const singles = new PutRecorder()
  const rates = await alternate(
    {
      ours: () => rate(EVENTS, () => manyWriters(store)),
      chained: async () => {
        const puts = await recorder.record(manyWriters)
        const batches = Array.from({ length: Math.ceil(puts.length / CEILING_BATCH) }, (_, at) =>
          puts.slice(at * CEILING_BATCH, (at + 1) * CEILING_BATCH),
        )
        return rate(EVENTS, () => writeBatches(bare, batches))
      },
      puts: async () => {
        const records = eventsIn(await singles.record(manyWriters)).slice(0, PUTS)
        return rate(PUTS, () => putEach(alone, records, WRITERS))
      },
    },
    ROUNDS,
  )
  await recorder.close()
  await singles.close()
  await alone.close()
  await store.close()
  await bare.close()
  const ours = pick(rates.ours, 'rate')
  return [
    comparison({
      name: '1,000 writers: events/s ÷ chained batches of the same keys',
      unit: '/s',
      goal: { atLeast: 0.7 },
      ours,
      raw: pick(rates.chained, 'rate'),
    }),
    comparison({
      name: '1,000 writers: events/s ÷ 1,000 concurrent put(sync)',
      unit: '/s',
      goal: { atLeast: 12 },
      ours,
      raw: pick(rates.puts, 'rate'),
    }),
  ]
}

const eventsIn = (puts: readonly Put[]): Put[] => puts.filter(([key]) => key.startsWith('e'))

async function rate(count: number, work: () => Promise<void>): Promise<Figures> {
  const start = performance.now()
  await work()
  return { rate: (count * 1000) / (performance.now() - start) }
}

/** Each writer appends to a stream of its own, the next event when the last one is on disk. */
async function manyWriters(store: EventStore): Promise<void> {
  const writer = async (_: unknown, lane: number): Promise<void> => {
    const stream_id = `order-${lane}`
    for (let count = 0; count < PER_WRITER; count += 1) {
      await store.append(stream_id, events[lane * PER_WRITER + count] ?? [])
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
}
