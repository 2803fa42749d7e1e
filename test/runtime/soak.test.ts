/**
 * Many actors, many events and many wakes in bounded memory. Small by default; `SOAK_ACTORS`, `SOAK_EVENTS` and
 * `SOAK_CYCLES` make it long.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { createRuntime, type Runtime } from '../../src/create-runtime.ts'

const ACTORS = Number(process.env['SOAK_ACTORS'] ?? 600)
const EVENTS = Number(process.env['SOAK_EVENTS'] ?? 6_000)
const CYCLES = Number(process.env['SOAK_CYCLES'] ?? 300)
const LANES = 200
/** Caches that fill up, code that is compiled: what may come on top of what was there before. */
const SLACK_BYTES = 24 * 1024 * 1024
const TIMEOUT_MS = 1_800_000

const counter = setup({
  types: { context: {} as { n: number }, events: {} as { type: 'add' } },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  initial: 'even',
  states: {
    even: { on: { add: { target: 'odd', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
    odd: { on: { add: { target: 'even', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
  },
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use once all that can be collected is. */
async function heap(): Promise<number> {
  for (let i = 0; i < 5; i += 1) {
    collect()
    await turn()
  }
  return process.memoryUsage().heapUsed
}

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'soak-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Calls `work` with 0, 1, 2 … in some lanes; returns how long each call took, in ms, in the order of their ends. */
async function inLanes(total: number, work: (index: number) => Promise<void>): Promise<number[]> {
  const took: number[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < total) {
      const start = performance.now()
      await work(next++)
      took.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return took
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function countAll(runtime: Runtime): Promise<number> {
  let events = 0
  for await (const { version } of runtime.store.heads('actor-')) events += version - 1
  return events
}

test(
  `${ACTORS} actors take ${EVENTS} events in bounded memory, and none is lost`,
  { timeout: TIMEOUT_MS },
  async () => {
    await using runtime = await createRuntime({
      path: join(folder, 'project'),
      machines: [counter],
      maxResident: Math.ceil(ACTORS / 10),
    })
    await inLanes(ACTORS, async (i) => void (await runtime.spawn(counter, { id: `actor-${i}` })))
    let at = 0
    // Not in turn: the same few would never be in memory. Not at random: a run is as the one before.
    const send = async (): Promise<void> => {
      at = (at * 1_103_515_245 + 12_345) % 2_147_483_648
      const receipt = await runtime.send(`actor-${at % ACTORS}`, { type: 'add' })
      if (!receipt.accepted) throw new Error(receipt.reason)
    }
    const first = Math.floor(EVENTS / 5)
    const before = await inLanes(first, send)
    const early = await heap()
    const after = await inLanes(EVENTS - first, send)
    const late = await heap()
    expect(late).toBeLessThan(early * 1.1 + SLACK_BYTES)
    // Nothing that grows with the log is in the way of an event; how fast one is, is not asked here.
    expect(median(after.slice(-first))).toBeLessThan(median(before) * 10)
    expect(await countAll(runtime)).toBe(EVENTS)
  },
)

test(
  `an actor that leaves memory and wakes ${CYCLES} times leaves nothing behind`,
  { timeout: TIMEOUT_MS },
  async () => {
    await using runtime = await createRuntime({
      path: join(folder, 'project'),
      machines: [counter],
      maxResident: 1,
      snapshotEvery: 20,
    })
    const ids = Array.from({ length: 24 }, (_, i) => `actor-${i}`)
    for (const id of ids) await runtime.spawn(counter, { id })
    const cycle = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i += 1) {
        await runtime.send(ids[i % ids.length] ?? '', { type: 'add' })
      }
    }
    const warm = Math.floor(CYCLES / 5)
    await cycle(0, warm)
    const early = await heap()
    await cycle(warm, CYCLES)
    const late = await heap()
    // A hundred bytes for each cycle would be a leak.
    expect(late).toBeLessThan(early + CYCLES * 100 + 4 * 1024 * 1024)
    expect(await countAll(runtime)).toBe(CYCLES)
    const actor = await runtime.get(counter, 'actor-0')
    expect(actor?.getSnapshot().context.n).toBe(Math.ceil(CYCLES / ids.length))
  },
)
