/** A process that is killed at any moment restarts no child twice, forgets no restart, and keeps parked what was parked. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore, type RecordedEvent } from '../../eventstore/index.ts'
import { eventsOf } from './engine-under-test.ts'
import { notesIn } from '../faults/ledger.ts'
import { runAndKill } from '../faults/run-and-kill.ts'

const program = fileURLToPath(
  new URL('../../dist/test/faults/programs/engine-supervision.js', import.meta.url),
)
const KILLS = Number(process.env['CRASH_ROUNDS'] ?? 12)
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000)
/** What the program allows. */
const BUDGET = { max: 3, withinMs: 400 }
const TEAMS = ['alone-1', 'together-1']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'supervision-crash-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Crash = {
  readonly crashed?: string
  readonly children?: readonly string[]
  readonly error?: { message: string }
}

const told = ({ payload }: RecordedEvent): Crash => payload as Crash

/** The worker that an event of its team is about: its error names it. */
const workerOf = (event: RecordedEvent): string => told(event).error?.message.split(' ')[0] ?? ''

/** How often a child of each name had begun anew when `event` came, within the time that counts. */
function renewals(history: readonly RecordedEvent[], event: RecordedEvent): number {
  const name = workerOf(event)
  const since = Date.parse(event.timestamp) - BUDGET.withinMs
  return history.filter((one) => {
    if (one.version >= event.version || Date.parse(one.timestamp) <= since) return false
    if (one.event_type === 'xstate.revive') return true
    // With all for one, the restart of one is that of the other.
    return one.event_type === 'xstate.restart' && (told(one).children?.length !== 1 || workerOf(one) === name)
  }).length
}

describe.skipIf(!existsSync(program))('killed teams (need the build: npm run build)', () => {
  test(
    `have each crash seen to once and within the budget, over ${KILLS} kills (CRASH_SEED=${SEED})`,
    async () => {
      let revived = 0
      for (let round = 0; round < KILLS; round += 1) {
        const told = await runAndKill(
          [program, folder, String(SEED + round), 'run'],
          4 + ((SEED + round * 37) % 60),
        )
        const lines = told.map((line) => line.split(' '))
        revived += lines.filter(([what]) => what === 'revived').length
        const store = await openLevelEventStore({ path: join(folder, 'log') })
        for (const [what, id = '', version] of lines) {
          if (what !== 'sent') continue
          expect((await eventsOf(store, id))[Number(version) - 1]).toMatchObject({ event_type: 'to' })
        }
        await store.close()
      }
      const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(SEED), 'check'])
      const result = JSON.parse(stdout) as {
        found: { id: string; wasParked: boolean; wasInError: boolean }[]
      }
      expect(result).toMatchObject({ ok: true, parked: [] })
      // It is in error exactly if it was parked at the opening.
      expect(result.found.map(({ wasParked }) => wasParked)).toEqual(
        result.found.map(({ wasInError }) => wasInError),
      )

      const store = await openLevelEventStore({ path: join(folder, 'log') })
      let restarts = 0
      for (const id of TEAMS) {
        const history = await eventsOf(store, id)
        const seenTo = history.filter(
          ({ event_type }) => event_type === 'xstate.restart' || event_type.startsWith('xstate.error.actor.'),
        )
        const restarted = seenTo.filter(({ event_type }) => event_type === 'xstate.restart')
        restarts += restarted.length
        const keys = restarted.map((event) => told(event).crashed)
        expect(new Set(keys).size).toBe(keys.length)
        // Within the budget it is restarted, beyond it that is escalated: by the log alone, whoever was alive.
        const judged = seenTo.map((event) => ({
          version: event.version,
          restarted: event.event_type === 'xstate.restart',
          within: renewals(history, event) < BUDGET.max,
        }))
        expect(judged.filter(({ restarted: was, within }) => was !== within)).toEqual([])
        // Each crash is answered by its parent; each escalation by somebody who revives.
        let crashes = 0
        for await (const { stream_id } of store.heads(`${id}:`)) {
          const last = (await eventsOf(store, stream_id)).at(-1)
          if (last?.event_type === 'crash') crashes += 1
        }
        expect(seenTo).toHaveLength(crashes)
        const revivals = history.filter(({ event_type }) => event_type === 'xstate.revive')
        expect(revivals).toHaveLength(seenTo.length - restarted.length)
        // A leaf begins with its process, after a revival, and with the others if all are for one: never beside that.
        const starts = notesIn(join(folder, 'starts.log'))
        const begun = starts.filter((line) => line.endsWith(` ${id.replace('-1', '')}`)).length
        const together = id === 'together-1' ? restarted.length : 0
        expect(begun).toBeLessThanOrEqual(KILLS + 1 + revivals.length + together)
        expect(begun).toBeGreaterThan(KILLS / 2)
      }
      await store.close()
      expect(restarts).toBeGreaterThan(KILLS)
      expect(revived).toBeGreaterThan(0)
    },
    120_000 + KILLS * 10_000,
  )
})
