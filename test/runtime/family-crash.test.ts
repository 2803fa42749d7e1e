/** A process that is killed at any moment leaves parents and children that agree, and mail that comes once and in order. */
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
import { runAndKill } from '../faults/run-and-kill.ts'

const program = fileURLToPath(new URL('../../dist/test/faults/programs/engine-family.js', import.meta.url))
const KILLS = Number(process.env['CRASH_ROUNDS'] ?? 12)
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'family-crash-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Kills the program once it has told that many lines; the version of each parent that it last acknowledged. */
async function acknowledgedBefore(count: number): Promise<Map<string, number>> {
  const lines = await runAndKill([program, folder, 'run'], count)
  const sent = lines.filter((line) => line.startsWith('sent ')).map((line) => line.split(' '))
  return new Map(sent.map(([, index, version]) => [`parent-${index}`, Number(version)]))
}

describe.skipIf(!existsSync(program))('killed families (need the build: npm run build)', () => {
  test(
    `agree, and have all their mail once and in order, over ${KILLS} kills (CRASH_SEED=${SEED})`,
    async () => {
      for (let round = 0; round < KILLS; round += 1) {
        const acknowledged = await acknowledgedBefore(2 + ((SEED + round * 37) % 120))
        const store = await openLevelEventStore({ path: join(folder, 'log') })
        for (const [id, version] of acknowledged) {
          expect((await eventsOf(store, id))[version - 1]).toMatchObject({ event_type: 'add' })
        }
        await store.close()
      }
      const { stdout } = await promisify(execFile)(process.execPath, [program, folder, 'check'])
      const result = JSON.parse(stdout) as {
        parents: { n: number; heard: number; ordered: boolean }[]
        children: number[]
      }
      expect(result).toMatchObject({ ok: true, parked: [], dead: [], errors: [] })
      expect(result.parents.map(({ n }) => n)).toEqual(result.children)
      expect(result.parents.filter(({ ordered }) => !ordered)).toEqual([])
      expect(Math.min(...result.parents.map(({ heard }) => heard))).toBeGreaterThan(KILLS)
    },
    60_000 + KILLS * 10_000,
  )
})
