/** Coming back: the replay of a whole log, and the wake of an actor with a long stream. */
import { join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { initialTransition, transition, type AnyMachineSnapshot } from 'xstate'
import {
  openLevelEventStore,
  openLevelSnapshots,
  type EventStore,
  type Snapshots,
} from '../../eventstore/index.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { durableMachine, type DurableMachine } from '../../src/runtime/fold/durable-machine.ts'
import { createEngine, type Engine } from '../../src/runtime/engine.ts'
import { Replayer } from '../../src/runtime/fold/replay.ts'
import { alternate, comparison, pick, type Comparison, type Figures } from './alternate.ts'
import { openBareLevel, readCheckAndParse } from './bare-level.ts'
import { counterMachine } from './counter-machine.ts'

const ROUNDS = 5
const STREAMS = 10_000
const LONG = 10_000
/** Halfway between two snapshots. */
const TAIL = 50
const WAKES = 15
const ID = 'counter-long'

export async function measureReplays(folder: string, events: number): Promise<Comparison[]> {
  const path = join(folder, 'replays')
  const written = await openLevelEventStore({ path })
  await fill(written, events)
  await written.close()
  const machine = durableMachine(counterMachine)
  const stock = { ...machine, compiled: undefined }
  const ours = async (as: DurableMachine): Promise<Figures> => {
    const store = await openLevelEventStore({ path })
    const figures = await timed(events, () => replay(store, as))
    await store.close()
    return figures
  }
  const bare = async (): Promise<Figures> => {
    const database = await openBareLevel(join(path, 'db'))
    const figures = await timed(events, () => replayNaively(database))
    await database.close()
    return figures
  }
  const { naive, withStep, withTable } = await alternate(
    { naive: bare, withStep: () => ours(stock), withTable: () => ours(machine) },
    events > 200_000 ? 1 : ROUNDS,
  )
  const raw = pick(naive, 'perSecond')
  const row = (name: string, atLeast: number, side: readonly Figures[]): Comparison =>
    comparison({ name, unit: 'events/s', goal: { atLeast }, ours: pick(side, 'perSecond'), raw })
  const what = `${events.toLocaleString('en')} events of ${STREAMS.toLocaleString('en')} streams`
  return [
    row(`replay ${what} with XState's own step, beside \`transition()\``, 2, withStep),
    row(`replay ${what} with the table of a flat machine, beside \`transition()\``, 6, withTable),
  ]
}

async function timed(events: number, work: () => Promise<number>): Promise<Figures> {
  const start = performance.now()
  const done = await work()
  const seconds = (performance.now() - start) / 1000
  if (done !== events) throw new Error(`${done} of ${events} events were replayed`)
  return { perSecond: events / seconds }
}

async function fill(store: EventStore, events: number): Promise<void> {
  const per = 500
  let waiting: Promise<unknown>[] = []
  for (let first = 0; first < events; first += per) {
    const appends = Array.from({ length: per }, (_, at) => {
      const round = Math.floor((first + at) / STREAMS)
      const event =
        round === 0
          ? { event_type: 'actor.created', payload: {} }
          : { event_type: 'step', payload: { by: 1 } }
      const state = round % 2 === 0 ? 'even' : 'odd'
      return { stream_id: `c-${(first + at) % STREAMS}`, events: [{ ...event, machine: 'counter@1', state }] }
    })
    waiting.push(store.appendBatch({ appends }))
    if (waiting.length < 4) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
}

async function replay(store: EventStore, machine: DurableMachine): Promise<number> {
  const replayers = new Map<string, Replayer>()
  let count = 0
  for await (const record of store.readAll()) {
    let replayer = replayers.get(record.stream_id)
    if (replayer === undefined) {
      replayer = new Replayer(machine, record.stream_id)
      replayers.set(record.stream_id, replayer)
    }
    if (replayer.take(record).kind !== 'agrees') throw new Error('an event does not replay')
    count += 1
  }
  return count
}

async function replayNaively(database: ClassicLevel): Promise<number> {
  const snapshots = new Map<string, AnyMachineSnapshot>()
  return readCheckAndParse(database, ({ stream_id, event_type, payload }) => {
    const before = snapshots.get(stream_id)
    const event = { type: event_type, ...payload } as never
    const [after] =
      before === undefined
        ? initialTransition(counterMachine)
        : transition(counterMachine, before as never, event)
    snapshots.set(stream_id, after)
  })
}

export async function measureWakes(folder: string): Promise<Comparison[]> {
  const store = await openLevelEventStore({ path: join(folder, 'wakes') })
  const snapshots = await openLevelSnapshots({ path: join(folder, 'wakes-snapshots') })
  const writer = await open(store, snapshots)
  for (const [id, length] of [
    [ID, LONG + TAIL],
    ['other-0', 1],
    ['other-1', 1],
    ['other-2', 1],
  ] as const) {
    const actor = await writer.spawn(counterMachine, { id })
    for (let left = length - 1; left > 0; left -= 500) {
      const batch = Math.min(left, 500)
      await Promise.all(Array.from({ length: batch }, () => actor.send({ type: 'step', by: 1 })))
    }
  }
  await writer.close()
  const kept = await openLevelSnapshots({ path: join(folder, 'wakes-snapshots') })
  const fast = await open(store, kept)
  const slow = await open(store)
  const { snapshot, whole } = await alternate(
    { snapshot: () => wake(fast, WAKES), whole: () => wake(slow, 1) },
    ROUNDS,
  )
  await Promise.all([fast.close(), slow.close()])
  await store.close()
  const [ours, raw] = [pick(snapshot, 'ms'), pick(whole, 'ms')]
  const unit = 'ms'
  const events = LONG.toLocaleString('en')
  return [
    comparison({
      name: `wake an actor of ${events} events from its snapshot and ${TAIL} events, ms`,
      unit,
      goal: { atMost: 1 },
      ours,
      raw,
      relate: (ms) => ms,
    }),
    comparison({
      name: `the whole fold of ${events} events ÷ that`,
      unit,
      goal: { atLeast: 50 },
      ours,
      raw,
      relate: (ms, all) => all / ms,
    }),
  ]
}

async function open(store: EventStore, snapshots?: Snapshots): Promise<Engine> {
  const engine = await createEngine({
    store,
    machines: [counterMachine],
    clock: systemClock,
    onError: (error) => {
      throw error
    },
    maxResident: 1,
    openSnapshots: snapshots && (async () => snapshots),
  })
  await engine.recover()
  return engine
}

/** The median of some wakes; in between others crowd it out of memory. */
async function wake(engine: Engine, times: number): Promise<Figures> {
  const samples: number[] = []
  for (let i = 0; i < times; i += 1) {
    for (let round = 0; round < 6; round += 1) await engine.get(counterMachine, `other-${round % 3}`)
    const start = performance.now()
    const actor = await engine.get(counterMachine, ID)
    samples.push(performance.now() - start)
    if (actor?.version !== LONG + TAIL) throw new Error(`it has ${actor?.version} events`)
  }
  return { ms: samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? Number.NaN }
}
