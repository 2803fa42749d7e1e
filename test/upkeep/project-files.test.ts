/** The billing files and the archive in the project's folder: derived from the log, idempotent, there again when they were lost. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineAgent, type Runtime } from '../../src/index.ts'
import { createTestClock } from '../../src/testing/index.ts'
import { projectFolder, until } from '../agents/project-folder.ts'

const project = projectFolder()
const HOUR = 3_600_000
const clock = () => createTestClock('2026-01-05T13:00:00Z')
const billingFile = (): string => join(project.path(), 'billing', '.tracking-2026-01-05.jsonl')
const archived = (file: string): string => join(project.path(), 'archive', file)
const read = (file: string): Promise<string> => readFile(file, 'utf8')

async function oneSession(runtime: Runtime, reason: 'completed' | 'exit' = 'completed'): Promise<string> {
  const { id } = await runtime.sessions.start({ role: 'supervisor', name: 'a-session' })
  await runtime.sessions.spend(id, { usd: 12.6, tokens: 42_000 })
  await runtime.sessions.end(id, { reason })
  return id
}

describe('billing/.tracking-{date}.jsonl (O-117, X-12)', () => {
  test('has one line for each end, in the order of the log, once the log has it', async () => {
    const time = clock()
    const runtime = await project.open({ clock: time })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await time.advance(67 * 60_000)
    await runtime.sessions.spend(session, { usd: 12.6, tokens: 42_000 })
    await runtime.sessions.end(session)
    await oneSession(runtime, 'exit')
    await runtime.filesSettled()
    const lines = (await read(billingFile())).split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toBe(
      `{"timestamp":"2026-01-05T14:07:00Z","session_id":"${session.id}","role":"supervisor","duration_minutes":67,"tokens_used":42000,"estimated_cost":12.60,"reason":"completed"}`,
    )
    expect(lines[1]).toContain('"reason":"exit"')
  })

  test('one file for each UTC day of an end', async () => {
    const time = clock()
    const runtime = await project.open({ clock: time })
    await oneSession(runtime)
    await time.advance(11 * HOUR)
    await oneSession(runtime)
    await runtime.filesSettled()
    expect((await readdir(join(project.path(), 'billing'))).toSorted()).toEqual([
      '.tracking-2026-01-05.jsonl',
      '.tracking-2026-01-06.jsonl',
    ])
  })

  test.each([
    ['deleted', () => rm(billingFile())],
    [
      'torn in the middle of a line',
      async () => writeFile(billingFile(), (await read(billingFile())).slice(0, 40)),
    ],
    [
      'without its last line',
      async () => writeFile(billingFile(), `${(await read(billingFile())).split('\n')[0]}\n`),
    ],
    [
      'with a line too many',
      async () => writeFile(billingFile(), `${await read(billingFile())}{"more":1}\n`),
    ],
    ['as it was', async () => {}],
  ])('is right again after reopening when it was found %s', async (_what, damage) => {
    const first = await project.open({ clock: clock() })
    await oneSession(first)
    await oneSession(first)
    await first.close()
    const before = await read(billingFile())
    await damage()
    const second = await project.open({ clock: clock() })
    await second.filesSettled()
    expect(await read(billingFile())).toBe(before)
  })

  test('a folder that cannot be written is told, and nothing else stops', async () => {
    const errors: unknown[] = []
    await mkdir(project.path(), { recursive: true })
    await writeFile(join(project.path(), 'billing'), 'a file of another tool')
    const runtime = await project.open({ onError: (error) => errors.push(error) })
    const id = await oneSession(runtime)
    await runtime.filesSettled()
    expect(errors.length).toBeGreaterThan(0)
    expect((await runtime.sessions.get(id)).status).toBe('completed')
  })
})

describe('archive/ (O-102, O-111, O-233, ruling 6)', () => {
  const textOf = async (id: string) => {
    const summary = JSON.parse(await read(archived(`${id}.json`))) as {
      session: { name: string }
      archive: { sha256: string; events: number; file: string }
      billing: { reason: string; tokens_used: number }[]
      compliance: { rule: string }[]
    }
    return { summary, events: await read(archived(summary.archive.file)) }
  }

  test('a session is archived a minute after its completion, with its events, its bill and its issues', async () => {
    const time = clock()
    const runtime = await project.open({ clock: time })
    const id = await oneSession(runtime)
    await time.advance(59_000)
    expect((await runtime.sessions.get(id)).status).toBe('completed')
    await time.advance(1_000)
    await until(async () => (await runtime.sessions.get(id)).status === 'archived', 'the archive')
    const { summary, events } = await textOf(id)
    expect(summary.archive.sha256).toBe(createHash('sha256').update(events).digest('hex'))
    const recorded = events
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event_type: string; stream_id: string })
    expect(recorded.map(({ event_type }) => event_type)).toEqual([
      'session.created',
      'session.active',
      'session.spent',
      'session.completed',
    ])
    expect(summary).toMatchObject({
      session: { name: 'a-session' },
      billing: [{ reason: 'completed', tokens_used: 42_000 }],
      compliance: [{ rule: 'missing_handoff' }],
    })
    // Nothing was taken out of the log, and the completed are still found.
    expect((await runtime.sessions.list({ status: 'completed' })).map((entry) => entry.id)).toEqual([id])
    expect((await runtime.store.head(id))?.version).toBe(5)
  })

  test('waits for what the session started, which could still report to it', async () => {
    const time = clock()
    const working = defineAgent('working', () => new Promise<never>(() => {}))
    const runtime = await project.open({ clock: time, agents: [working] })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const run = await runtime.agents.startById({ agent_id: 'working', parent_id: session.id })
    await runtime.sessions.end(session)
    await time.advance(HOUR)
    expect((await runtime.sessions.get(session)).status).toBe('completed')
    await run.cancel()
    await until(async () => {
      await time.advance(1)
      return (await runtime.sessions.get(session)).status === 'archived'
    }, 'the archive')
  })

  test('a copy that was lost is written again at the next opening, the same', async () => {
    const first = await project.open({ clock: clock() })
    const id = await oneSession(first)
    await first.archive(id)
    const before = await textOf(id)
    await first.close()
    await rm(join(project.path(), 'archive'), { recursive: true })
    await project.open({ clock: clock() })
    expect((await textOf(id)).events).toBe(before.events)
    expect((await textOf(id)).summary.archive).toEqual(before.summary.archive)
  })

  test('what was due while no process was there is archived at the next opening', async () => {
    const first = await project.open({ clock: clock() })
    const id = await oneSession(first)
    await first.close()
    const second = await project.open({ clock: createTestClock('2026-02-01T00:00:00Z') })
    await until(async () => {
      await (second.clock as ReturnType<typeof createTestClock>).advance(0)
      return (await second.sessions.get(id)).status === 'archived'
    }, 'the archive')
    expect(await readdir(join(project.path(), 'archive'))).toEqual([`${id}.json`, `${id}.jsonl`])
  })

  test('a session that is at work is not archived by hand', async () => {
    const runtime = await project.open({ clock: clock() })
    const { id } = await runtime.sessions.start({ role: 'supervisor' })
    await expect(runtime.archive(id)).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
    expect((await runtime.sessions.get(id)).status).toBe('active')
    expect(await readdir(join(project.path(), 'archive')).catch(() => [])).toEqual([])
  })
})
