/** A process that is killed at any moment loses nothing it acknowledged, finishes what it owed, and repeats nothing finished. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { eventsOf } from './engine-under-test.ts'
import { notesIn } from '../faults/ledger.ts'
import { runAndKill } from '../faults/run-and-kill.ts'

const program = fileURLToPath(new URL('../../dist/test/faults/programs/engine-counter.js', import.meta.url))
const KILLS = Number(process.env['CRASH_ROUNDS'] ?? 12)
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-crash-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Acknowledged = { readonly id: string; readonly version: number; readonly by: number }

/** Runs the program, kills it once it has acknowledged `count` events and a little more, and says which. */
async function acknowledgedBefore(seed: number, count: number): Promise<Acknowledged[]> {
  const lines = await runAndKill([program, folder, String(seed), 'run'], count)
  return lines
    .filter((line) => line.startsWith('actor-'))
    .map((line) => {
      const [id = '', version, by] = line.split(' ')
      return { id, version: Number(version), by: Number(by) }
    })
}

type Executions = ReadonlyMap<string, { begun: number; ended: number }>

async function executions(): Promise<Executions> {
  const counts = new Map<string, { begun: number; ended: number }>()
  for (const line of notesIn(join(folder, 'executions.log'))) {
    const [actor, job, what] = line.split(' ')
    const count = counts.get(`${actor} ${job}`) ?? { begun: 0, ended: 0 }
    if (what === 'begun') count.begun += 1
    else count.ended += 1
    counts.set(`${actor} ${job}`, count)
  }
  return counts
}

describe.skipIf(!existsSync(program))('a killed engine (needs the build: npm run build)', () => {
  test(
    `has every acknowledged event, gapless, over ${KILLS} kills (CRASH_SEED=${SEED})`,
    async () => {
      const acknowledged: Acknowledged[] = []
      for (let round = 0; round < KILLS; round += 1) {
        acknowledged.push(...(await acknowledgedBefore(SEED + round, 1 + ((SEED + round * 37) % 150))))
        const recorded = await recordedJobs()
        await assertExecutedOnceOrUnfinished(recorded)
      }
      expect(acknowledged.length).toBeGreaterThan(KILLS)

      const store = await openLevelEventStore({ path: join(folder, 'log') })
      const streams = new Map<string, Awaited<ReturnType<typeof eventsOf>>>()
      for await (const { stream_id } of store.heads('actor-'))
        streams.set(stream_id, await eventsOf(store, stream_id))
      await store.close()
      for (const [, events] of streams) {
        expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1))
      }
      for (const { id, version, by } of acknowledged) {
        expect(streams.get(id)?.[version - 1]).toMatchObject({ event_type: 'add', payload: { by } })
      }

      // Every actor that owed work finishes it without being asked, and the fold of the log is what it says.
      const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(SEED), 'check'])
      const result = JSON.parse(stdout) as {
        ok: boolean
        actors: Record<string, { context: { n: number } }>
        parked: unknown[]
        errors: unknown[]
      }
      expect(result).toMatchObject({ ok: true, parked: [], errors: [] })
      for (const [id, { context }] of Object.entries(result.actors)) {
        const added = (streams.get(id) ?? [])
          .filter(({ event_type }) => event_type === 'add')
          .map(({ payload }) => (payload as { by: number }).by)
        expect(context.n).toBe(added.reduce((sum, by) => sum + by, 0))
      }
      await assertExecutedOnceOrUnfinished(await recordedJobs())
    },
    60_000 + KILLS * 10_000,
  )
})

/** The last job of each actor whose end is in the log. */
async function recordedJobs(): Promise<ReadonlyMap<string, number>> {
  const jobs = new Map<string, number>()
  const store = await openLevelEventStore({ path: join(folder, 'log') })
  for await (const event of store.readAll()) {
    if (event.event_type !== 'xstate.done.actor.work') continue
    jobs.set(event.stream_id, (event.payload as { output: number }).output)
  }
  await store.close()
  return jobs
}

const finishedBefore = new Map<string, { begun: number; ended: number }>()

/** A job whose end was in the log at the last look has not been begun since. */
async function assertExecutedOnceOrUnfinished(recorded: ReadonlyMap<string, number>): Promise<void> {
  const counts = await executions()
  for (const [job, before] of finishedBefore) expect({ job, ...counts.get(job) }).toEqual({ job, ...before })
  for (const [job, count] of counts) {
    const [actor = '', number] = job.split(' ')
    if (Number(number) > (recorded.get(actor) ?? 0)) continue
    expect(count.ended).toBeGreaterThan(0)
    finishedBefore.set(job, { ...count })
  }
}
