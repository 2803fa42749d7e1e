/**
 * What a runtime loses when somebody looks at it in an inspector, or follows its log over its socket: the same work
 * with and without, in turns. Who looks is another process; what is compared is the CPU time that this one's main thread
 * takes per event, which other load on the machine does not change much. Each round is held against the one before it.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readStoreOwner } from '../../eventstore/owner.ts'
import { createRuntime, type Runtime } from '../../src/index.ts'
import { counterMachine } from './counter-machine.ts'
import { measure, type Measurement } from './measure.ts'

const LANES = 1000
const ROUNDS = 5

export type Comparison = {
  readonly result: Measurement
  /** Events per CPU second, over what the same runtime did without. */
  readonly share: number
}

export async function measureInspected(folder: string): Promise<readonly Comparison[]> {
  const path = join(folder, 'inspected')
  const runtime = await createRuntime({
    path,
    machines: [counterMachine],
    inspect: true,
    logger: { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false },
  })
  const { host, hash } = new URL(runtime.inspectorUrl ?? '')
  const owner = await readStoreOwner(join(path, 'log'))
  const { socket, token } = owner.type === 'live' ? owner.owner : {}
  const cases = [
    { name: "actors: 1000, with Stately's Inspector open", url: `ws://${host}/?token=${hash.slice(1)}` },
    { name: 'actors: 1000, with `log --follow` attached', socket, token },
  ]
  const compared: Comparison[] = []
  for (const { name, ...looker } of cases) compared.push(await compare(runtime, name, looker))
  await runtime.close()
  return compared
}

type Run = { readonly result: Measurement; readonly perCpuSecond: number }

async function compare(runtime: Runtime, name: string, looker: object): Promise<Comparison> {
  const step = await stepper(runtime)
  const run = async (): Promise<Run> => {
    let steps = 0
    const before = busyUs()
    const result = await measure({ name, concurrency: LANES, forMs: 2_000 }, async (lane) => {
      await step(lane)
      steps += 1
    })
    return { result, perCpuSecond: (steps * 1e6) / (busyUs() - before) }
  }
  await run()
  const without: Run[] = []
  const looked: Run[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    without.push(await run())
    const child = fork(fileURLToPath(new URL('looker.js', import.meta.url)), [JSON.stringify(looker)])
    await once(child, 'message')
    looked.push(await run())
    const gone = once(child, 'close')
    child.kill('SIGKILL')
    await gone
  }
  const shares = looked.map(({ perCpuSecond }, round) => perCpuSecond / (without[round]?.perCpuSecond ?? 0))
  const share = shares.toSorted((a, b) => a - b)[shares.length >> 1] ?? Number.NaN
  return { result: median(looked).result, share }
}

/** µs that the main thread was on a CPU; where the system does not tell them apart, all threads. */
function busyUs(): number {
  if (process.platform === 'linux') {
    const [onCpuNs] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
    return Number(onCpuNs) / 1000
  }
  const { user, system } = process.cpuUsage()
  return user + system
}

async function stepper(runtime: Runtime): Promise<(lane: number) => Promise<void>> {
  const ids = Array.from({ length: LANES }, () => runtime.newId('counter'))
  const actors = await Promise.all(ids.map((id) => runtime.spawn(counterMachine, { id })))
  return async (lane) => {
    const receipt = await actors[lane]?.send({ type: 'step', by: 1 })
    if (receipt?.accepted !== true) throw new Error('a step was not accepted')
  }
}

function median(all: readonly Run[]): Run {
  return all.toSorted((a, b) => a.perCpuSecond - b.perCpuSecond)[all.length >> 1] as Run
}
