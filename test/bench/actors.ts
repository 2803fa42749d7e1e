/** Durable transitions: one actor, many actors, and one actor with many sends in flight. */
import { join } from 'node:path'
import { createRuntime, type DurableActor, type Runtime } from '../../src/index.ts'
import { counterMachine } from './counter-machine.ts'
import { measure, type Measurement } from './measure.ts'

export async function* measureActors(folder: string): AsyncGenerator<Measurement> {
  const runtime = await createRuntime({ path: join(folder, 'actors'), machines: [counterMachine] })
  for (const count of [1, 32, 1000]) {
    const actors = await counters(runtime, count)
    const name = `actors: ${count}, each send awaited`
    yield await measure({ name, concurrency: count }, (lane) => step(actors[lane]))
  }
  const [one] = await counters(runtime, 1)
  const name = 'actors: 1, 500 sends in flight'
  yield await measure({ name, concurrency: 500 }, () => step(one))
  await runtime.close()
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
