/** Durable transitions: one actor, many actors, and one actor with many sends in flight. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createRuntime, type DurableActor, type Runtime } from '../../src/index.ts'
import { counterMachine } from './counter-machine.ts'
import { measure, type Load, type Measurement } from './measure.ts'

/** Room for what is young, in MB: twice what Node 20 gives. */
const MORE_ROOM = '--max-semi-space-size=32'

export async function* measureActors(folder: string): AsyncGenerator<Measurement> {
  const runtime = await createRuntime({ path: join(folder, 'actors'), machines: [counterMachine] })
  for (const count of [1, 32, 1000]) {
    yield await measureMany(runtime, { name: `actors: ${count}, each send awaited`, concurrency: count })
  }
  yield await measureWithMoreRoom(join(folder, 'actors-child'))
  const [one] = await counters(runtime, 1)
  const name = 'actors: 1, 500 sends in flight'
  yield await measure({ name, concurrency: 500 }, () => step(one))
  await runtime.close()
}

/** One actor for each lane, which sends its next event when the last one is on disk. */
export async function measureMany(
  runtime: Runtime,
  load: Load & { readonly concurrency: number },
): Promise<Measurement> {
  const actors = await counters(runtime, load.concurrency)
  return measure(load, (lane) => step(actors[lane]))
}

async function measureWithMoreRoom(path: string): Promise<Measurement> {
  const child = fileURLToPath(new URL('actors-child.js', import.meta.url))
  const name = `actors: 1000, each send awaited, under node ${MORE_ROOM}`
  const { stdout } = await promisify(execFile)(process.execPath, [MORE_ROOM, child, path, name])
  return JSON.parse(stdout) as Measurement
}

type Counter = DurableActor<typeof counterMachine>

async function counters(runtime: Runtime, count: number): Promise<Counter[]> {
  const ids = Array.from({ length: count }, () => runtime.newId('counter'))
  return Promise.all(ids.map((id) => runtime.spawn(counterMachine, { id })))
}

async function step(actor: Counter | undefined): Promise<void> {
  const receipt = await actor?.send({ type: 'step', by: 1 })
  if (receipt?.accepted !== true) throw new Error('a step was not accepted')
}
