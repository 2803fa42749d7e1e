/** Measures the heap in a process of its own: `node --expose-gc engine-memory-child.js <what> <how many> <folder>`. */
import { createActor } from 'xstate'
import { createRuntime } from '../../src/index.ts'
import { counterMachine } from './counter-machine.ts'

const [what = '', many = '', path = ''] = process.argv.slice(2)
const count = Number(many)
const AT_ONCE = 2_000

/** Bytes that are in use once all that can be collected is. */
async function heap(): Promise<number> {
  for (let i = 0; i < 4; i += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

async function resident(): Promise<object> {
  const runtime = await createRuntime({ path, machines: [counterMachine], maxResident: count + 1 })
  const actors: unknown[] = []
  await spawnAll(async (i) => void (await runtime.spawn(counterMachine, { id: `warm-${i}` })), 2_000)
  const before = await heap()
  await spawnAll(async (i) => {
    const actor = await runtime.spawn(counterMachine, { id: `counter-${i}` })
    await actor.send({ type: 'step', by: 1 })
    actors.push(actor)
  }, count)
  const perActor = ((await heap()) - before) / count
  await runtime.close()
  return { perActor, held: actors.length }
}

async function plain(): Promise<object> {
  const actors: unknown[] = []
  const before = await heap()
  for (let i = 0; i < count; i += 1) {
    const actor = createActor(counterMachine, { id: `counter-${i}` }).start()
    actor.send({ type: 'step', by: 1 })
    actors.push(actor)
  }
  return { perActor: ((await heap()) - before) / count, held: actors.length }
}

async function dormant(): Promise<object> {
  const few = 10_000
  const runtime = await createRuntime({ path, machines: [counterMachine], maxResident: 1_000 })
  const spawn = async (i: number): Promise<void> =>
    void (await runtime.spawn(counterMachine, { id: `counter-${i}` }))
  await spawnAll(spawn, few)
  const atFew = await heap()
  await spawnAll((i) => spawn(few + i), count - few)
  const atMany = await heap()
  await runtime.close()
  return { atFew, atMany }
}

async function opening(): Promise<object> {
  const start = performance.now()
  const runtime = await createRuntime({ path, machines: [counterMachine] })
  const actor = await runtime.get(counterMachine, `counter-${count >> 1}`)
  const receipt = await actor?.send({ type: 'step', by: 1 })
  const ms = performance.now() - start
  if (receipt?.accepted !== true) throw new Error('a step was not accepted')
  await runtime.close()
  return { ms }
}

async function spawnAll(spawn: (index: number) => Promise<void>, total: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < total) await spawn(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

const measures: Readonly<Record<string, () => Promise<object>>> = { resident, plain, dormant, opening }
console.log(JSON.stringify(await measures[what]?.()))
