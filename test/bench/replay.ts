/** What coming back costs: the fold alone, the replay of one long stream, and opening a folder with a log in it. */
import { join } from 'node:path'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { createRuntime, type RuntimeOptions } from '../../src/index.ts'
import { durableMachine } from '../../src/runtime/fold/durable-machine.ts'
import { createFolder, type CellState } from '../../src/runtime/fold/fold.ts'
import { counterMachine } from './counter-machine.ts'
import { measure, summary, type Measurement } from './measure.ts'

const EVENTS = 10_000
const WAKES = 10
const ID = 'counter-long'

export async function measureReplay(folder: string): Promise<Measurement[]> {
  const path = join(folder, 'replay')
  const options = { path, machines: [counterMachine] }
  const written = await createRuntime(options)
  const actor = await written.spawn(counterMachine, { id: ID })
  // The first event is the one that created it.
  await Promise.all(Array.from({ length: EVENTS - 1 }, () => actor.send({ type: 'step', by: 1 })))
  await written.close()

  const opened = (name: string): { name: string; unit: string } => ({ name, unit: 'openings' })
  return [
    await measure({ name: 'fold: in memory, no disk', size: 1000 }, fold1000),
    await measureWake(options),
    await measure(opened('open: the store'), async () => {
      const store = await openLevelEventStore({ path: join(path, 'log') })
      await store.close()
    }),
    await measure(opened(`open: a runtime over ${EVENTS} events`), async () => {
      const runtime = await createRuntime(options)
      await runtime.close()
    }),
  ]
}

async function fold1000(): Promise<void> {
  const folder = createFolder(durableMachine(counterMachine), ID)
  let state: CellState | undefined
  for (let version = 1; version <= 1000; version += 1) {
    const event = version === 1 ? { type: 'actor.created' } : { type: 'step', by: 1 }
    const outcome = folder.fold(state, { version, time: version, eventId: `e${version}`, event })
    if (outcome.kind !== 'accepted') throw new Error(outcome.reason)
    state = outcome.state
  }
}

/** Reads, checks and folds the stream, each time in a runtime that was just opened; the opening is not timed. */
async function measureWake(options: RuntimeOptions): Promise<Measurement> {
  const samples: number[] = []
  for (let round = 0; round < WAKES + 1; round += 1) {
    const runtime = await createRuntime(options)
    const from = performance.now()
    const actor = await runtime.get(counterMachine, ID)
    // The first round warms up.
    if (round > 0) samples.push(performance.now() - from)
    if (actor?.version !== EVENTS) throw new Error(`the stream has ${actor?.version} events`)
    await runtime.close()
  }
  const elapsed = samples.reduce((sum, ms) => sum + ms, 0)
  return summary({ name: `replay: a stream of ${EVENTS} events`, size: EVENTS }, samples, elapsed)
}
