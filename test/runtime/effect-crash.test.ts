/** A process that is killed at any moment repeats no effect that it completed, and the others only by their policies. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { notesIn } from '../faults/ledger.ts'
import { runAndKill } from '../faults/run-and-kill.ts'

const program = fileURLToPath(new URL('../../dist/test/faults/programs/engine-effects.js', import.meta.url))
const KILLS = Number(process.env['CRASH_ROUNDS'] ?? 12)
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'effect-crash-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Executions = ReadonlyMap<string, { readonly action: string; begun: number; ended: number }>

/** What the world saw, by key. */
async function executions(): Promise<Executions> {
  const seen = new Map<string, { readonly action: string; begun: number; ended: number }>()
  for (const line of notesIn(join(folder, 'executions.log'))) {
    const [action = '', key = '', what] = line.split(' ')
    const count = seen.get(key) ?? { action, begun: 0, ended: 0 }
    if (what === 'begun') count.begun += 1
    else count.ended += 1
    seen.set(key, count)
  }
  return seen
}

/** The keys of effects, by what the log says last of them, and what each was for. */
async function recorded(): Promise<{
  done: Set<string>
  owed: Map<string, string>
  attempts: Map<string, number>
}> {
  const done = new Set<string>()
  const owed = new Map<string, string>()
  const attempts = new Map<string, number>()
  const store = await openLevelEventStore({ path: join(folder, 'log') })
  for await (const { event_type, payload } of store.readAll()) {
    const { key, action } = payload as { key: string; action: string }
    if (event_type === 'effect.owed') owed.set(key, action)
    if (event_type === 'effect.started') attempts.set(key, (attempts.get(key) ?? 0) + 1)
    if (event_type === 'effect.done') done.add(key)
  }
  await store.close()
  return { done, owed, attempts }
}

describe.skipIf(!existsSync(program))('killed effects (need the build: npm run build)', () => {
  test(
    `are completed once, and repeated by their policy alone, over ${KILLS} kills (CRASH_SEED=${SEED})`,
    async () => {
      const settled = new Map<string, unknown>()
      for (let round = 0; round < KILLS; round += 1) {
        await runAndKill([program, folder, String(SEED + round), 'run'], 2 + ((SEED + round * 37) % 60))
        const seen = await executions()
        const { done, owed } = await recorded()
        // What was done at the last look has not been begun since.
        for (const [key, before] of settled)
          expect({ key, ...seen.get(key) }).toEqual({ key, ...(before as object) })
        for (const key of done) settled.set(key, { ...seen.get(key) })
        for (const [key, { action, begun, ended }] of seen) {
          // Nothing is begun whose intent is not on disk, and under its own key.
          expect({ key, action: owed.get(key) }).toEqual({ key, action })
          const limits = { asked: begun <= 1, verified: ended <= 1, retried: true }
          expect({ key, action, begun, ended, holds: limits[action as keyof typeof limits] }).toMatchObject({
            holds: true,
          })
        }
      }
      const before = await executions()
      const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(SEED), 'check'])
      const result = JSON.parse(stdout) as { asked: string[]; parked: number }
      expect(result).toMatchObject({ ok: true, dead: [], errors: [], parked: result.asked.length })

      const seen = await executions()
      const { done, owed, attempts } = await recorded()
      expect(done.size).toBeGreaterThan(KILLS)
      const asked = new Set(result.asked)
      const actions = new Set(owed.values())
      const wrong = [...owed].filter(([key, action]) => {
        const { begun = 0, ended = 0 } = seen.get(key) ?? {}
        // It was marked once and has not been begun since; not at all, if the process died between mark and world.
        if (asked.has(key)) {
          const untouched = begun === (before.get(key)?.begun ?? 0)
          return !(action === 'asked' && attempts.get(key) === 1 && begun <= 1 && untouched)
        }
        // Everything else that was owed has an outcome.
        return !(done.has(key) && (action === 'retried' ? ended >= 1 : ended === 1))
      })
      expect(wrong).toEqual([])
      expect(actions).toEqual(new Set(['retried', 'verified', 'asked']))
    },
    120_000 + KILLS * 10_000,
  )
})
