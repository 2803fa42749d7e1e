/** kill -9 in the middle of work, event by event, in a real process: what comes afterwards finds it as it was, and ends it once. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Runtime } from '../../src/index.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { STORIES, type Story } from '../faults/programs/office.ts'
import { createRuntime } from '../../src/index.ts'
import { allEvents, projectFolder } from './project-folder.ts'

const project = projectFolder()
const program = fileURLToPath(new URL('../../dist/test/faults/programs/office-worker.js', import.meta.url))

const storyOf = (name: string): Story => STORIES[name] ?? expect.fail(`there is no story "${name}"`)

async function killedAt(path: string, name: string, position: number): Promise<void> {
  const child = spawn(process.execPath, [program, path, name, String(position)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  expect({ position, signal }).toEqual({ position, signal: 'SIGKILL' })
}

/** The positions at which it is killed: each `step`th from the first event of this type on. */
async function momentsOf(name: string, { from, step }: { from: string; step: number }): Promise<number[]> {
  expect(existsSync(program), 'npm run build comes first').toBe(true)
  const { options, tell } = storyOf(name)
  const path = join(project.path(), '..', 'whole', '.project')
  const runtime = await createRuntime({ path, attach: false, ...options })
  await tell(runtime)
  const events = await allEvents(runtime)
  await runtime.close()
  const first = events.findIndex(({ event_type }) => event_type === from)
  expect(first).toBeGreaterThan(0)
  return events
    .slice(first)
    .filter((_event, index) => index % step === 0)
    .map(({ position }) => position)
}

const count = (events: readonly RecordedEvent[], type: string): number =>
  events.filter(({ event_type }) => event_type === type).length

type Case = {
  readonly story: string
  /** From which event on it is killed, and at each how many-th. */
  readonly from: string
  readonly step: number
  readonly end: unknown
  /** How often these are in the log, whatever happened. */
  readonly counts: Readonly<Record<string, number>>
  check?(this: void, runtime: Runtime, path: string): Promise<void>
}

const cases: Case[] = [
  {
    story: 'inbox',
    from: 'step.started',
    step: 2,
    end: { state: 'completed', value: ['done north', 'done south'] },
    counts: { 'agent.created': 3, 'inbox.delivered': 2, 'inbox.acked': 2, 'runtime.dead_letter': 0 },
  },
  {
    story: 'handoff',
    from: 'handoff.generated',
    step: 1,
    end: { state: 'completed', value: 'a chair' },
    counts: { 'agent.created': 2, 'handoff.generated': 2, 'handoff.received': 2, 'handoff.claimed': 2 },
  },
  {
    story: 'archive',
    from: 'session.active',
    step: 1,
    end: 'archived',
    counts: { 'session.completed': 1, 'session.archived': 1 },
    async check(_runtime, path) {
      const folder = join(path, 'archive')
      const summary = JSON.parse(await readFile(join(folder, 'sess_old.json'), 'utf8')) as {
        archive: { sha256: string; file: string; events: number }
      }
      const copy = await readFile(join(folder, summary.archive.file), 'utf8')
      expect(createHash('sha256').update(copy).digest('hex')).toBe(summary.archive.sha256)
      expect(copy.trimEnd().split('\n')).toHaveLength(summary.archive.events)
      expect((await readdir(folder)).filter((file) => file.endsWith('.unfinished'))).toEqual([])
    },
  },
  {
    story: 'question',
    from: 'step.started',
    step: 1,
    end: { state: 'completed', value: 'granted by ann' },
    counts: { 'approval.requested': 1, 'approval.granted': 1, 'approval.consumed': 1 },
    async check(runtime) {
      expect((await runtime.approvals.list({ status: 'all' })).map(({ status }) => status)).toEqual([
        'consumed',
      ])
    },
  },
  {
    story: 'cancel',
    from: 'agent.partial',
    step: 1,
    end: [{ kind: 'cancelled', reason: 'enough', partial: 'b' }],
    counts: { 'agent.cancelled': 1, 'inbox.delivered': 1, 'agent.partial': 2 },
  },
  {
    story: 'team',
    from: 'step.started',
    step: 6,
    end: {
      state: 'completed',
      value: [1, 2, 3, 4].map((n) => [2 * n + 1, n]),
    },
    counts: { 'agent.created': 5, 'agent.succeeded': 5, 'agent.spent': 4 },
  },
]

test.each(cases)(
  'in the middle of: $story',
  async ({ story, from, step, end, counts, check }) => {
    const { options, tell } = storyOf(story)
    const moments = await momentsOf(story, { from, step })
    expect(moments.length).toBeGreaterThan(2)
    for (const position of moments) {
      const path = join(project.path(), '..', `at-${position}`, '.project')
      await killedAt(path, story, position)
      const runtime = await createRuntime({ path, attach: false, logLevel: 'silent', ...options })
      expect({ position, end: await tell(runtime) }).toEqual({ position, end })
      const events = await allEvents(runtime)
      const found = Object.fromEntries(Object.keys(counts).map((type) => [type, count(events, type)]))
      expect({ position, found }).toEqual({ position, found: counts })
      await check?.(runtime, path)
      expect((await runtime.store.verify()).ok).toBe(true)
      expect((await runtime.verify()).problems).toEqual([])
      await runtime.close()
    }
  },
  300_000,
)

test('a run that was killed while it waited for a person has its deadline before it, three weeks later', async () => {
  const { options, tell } = storyOf('question')
  const [position = 0] = await momentsOf('question', { from: 'agent.waiting', step: 1 })
  const path = join(project.path(), '..', 'waiting', '.project')
  await killedAt(path, 'question', position)
  const ahead = 21 * 24 * 60 * 60_000
  const clock = { ...systemClock, now: () => Date.now() + ahead }
  const runtime = await createRuntime({ path, attach: false, logLevel: 'silent', clock, ...options })
  const { state } = await runtime.agents.result({ agent_id: 'run_asker' })
  expect(['running', 'awaiting_approval']).toContain(state)
  expect(await tell(runtime)).toEqual({ state: 'completed', value: 'granted by ann' })
  await runtime.close()
}, 60_000)
