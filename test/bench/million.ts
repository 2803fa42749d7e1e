/** What a question costs on a log of a million events, beside opening it: the answer to one thing must not read the rest. */
import { join } from 'node:path'
import { openLevelEventStore, type EventStore } from '../../eventstore/index.ts'
import { createLogQuery, type LogQuery } from '../../src/index.ts'
import { counterMachine } from './counter-machine.ts'
import { summary, type Measurement } from './measure.ts'

const EVENTS = 1_000_000
const PER_STREAM = 100
const STREAMS_PER_BATCH = 50
const ROUNDS = 9

type Question = readonly [name: string, ask: (query: LogQuery) => Promise<unknown>]

const QUESTIONS: readonly Question[] = [
  ['show', async (query) => query.state({ stream_id: (await query.find({ text: someStream() })).stream_id })],
  ['show --at #500000', (query) => query.state({ stream_id: 'counter-4999', position: 500_000 })],
  ['diff', (query) => query.diff({ stream_id: someStream(), from: { version: 1 } })],
  ['blame', (query) => query.blame({ stream_id: someStream(), path: 'context' })],
  ['log --tail 20', (query) => all(query.events({ limit: 20 }))],
  ['log <stream> --tail 20', (query) => all(query.events({ stream_id: someStream(), limit: 20 }))],
  ['log --type step --tail 20', (query) => all(query.events({ types: ['step'], limit: 20 }))],
]

type Row = Measurement & {
  /** Opening and asking, over opening alone; the median of what each round came to. */
  readonly times: number
}

/** Rows of opening, and of opening and asking once; takes minutes and about a gigabyte. */
export async function measureMillion(folder: string): Promise<Row[]> {
  const path = join(folder, 'million')
  await write(path)
  const openings: number[] = []
  const rows: Row[] = []
  for (const [name, ask] of QUESTIONS) {
    const rounds = await timed(path, ask)
    openings.push(...rounds.map(({ opened }) => opened))
    const answered = rounds.map((round) => round.answered)
    const times = median(rounds.map(({ opened, answered: all }) => all / opened))
    rows.push({ ...rowOf(`open and ${name}`, 'answers', answered), times })
  }
  return [{ ...rowOf(`open: the store over ${EVENTS} events`, 'openings', openings), times: 1 }, ...rows]
}

function rowOf(name: string, unit: string, samples: readonly number[]): Measurement {
  return summary(
    { name, unit },
    samples,
    samples.reduce((sum, ms) => sum + ms, 0),
  )
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Each time in a store that was just opened: ms until it was open, and until there was an answer. */
async function timed(
  path: string,
  ask: (query: LogQuery) => Promise<unknown>,
): Promise<{ opened: number; answered: number }[]> {
  const rounds: { opened: number; answered: number }[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const from = performance.now()
    const store = await openLevelEventStore({ path })
    const opened = performance.now() - from
    await ask(createLogQuery(store, { machines: [counterMachine] }))
    // The first round warms up.
    if (round > 0) rounds.push({ opened, answered: performance.now() - from })
    await store.close()
  }
  return rounds
}

/** As a runtime would have written it, and a hundred times faster. */
async function write(path: string): Promise<void> {
  await using store = await openLevelEventStore({ path })
  for (let first = 0; first < EVENTS / PER_STREAM; first += STREAMS_PER_BATCH)
    await writeStreams(store, first)
}

async function writeStreams(store: EventStore, first: number): Promise<void> {
  await store.appendBatch({
    durability: 'os',
    appends: Array.from({ length: STREAMS_PER_BATCH }, (_, index) => ({
      stream_id: `counter-${first + index}`,
      expectedVersion: 'no_stream',
      events: Array.from({ length: PER_STREAM }, (_event, version) => ({
        event_type: version === 0 ? 'actor.created' : 'step',
        payload: version === 0 ? {} : { by: 1 },
        correlation_id: `counter-${first + index}`,
        machine: 'counter@1',
        state: version % 2 === 0 ? 'even' : 'odd',
      })),
    })),
  })
}

function someStream(): string {
  return `counter-${Math.floor(Math.random() * (EVENTS / PER_STREAM))}`
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
