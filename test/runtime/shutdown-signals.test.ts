/** A process that is told to end does so in order, and at once when it is told again; nothing is lost either way. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { eventsOf } from './engine-under-test.ts'
import { notesIn } from '../faults/ledger.ts'

const program = fileURLToPath(new URL('../../dist/test/faults/programs/engine-closer.js', import.meta.url))

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shutdown-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

type End = { readonly code: number | null; readonly lines: string[] }

/** Runs the program; sends SIGTERM when it has acknowledged 20 events, and again when it says `closing`, if wanted. */
async function runAndStop({ graceMs, twice }: { graceMs: number; twice: boolean }): Promise<End> {
  const child = spawn(process.execPath, [program, folder, 'run', String(graceMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  let signals = 0
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    const isDue =
      signals === 0 ? text.split('\n').length > 20 : twice && signals === 1 && text.includes('closing')
    if (!isDue) return
    signals += 1
    child.kill('SIGTERM')
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, lines: text.trimEnd().split('\n') }
}

const acknowledged = ({ lines }: End): number[] =>
  lines.filter((line) => line.startsWith('sent ')).map((line) => Number(line.slice(5)))

/** The keys of actions by how often they were begun and ended in the world, and those whose outcome is in the log. */
async function account() {
  const notes = notesIn(join(folder, 'executions.log'))
  const count = (what: string): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const line of notes) {
      const [action, key, how] = line.split(' ')
      if (how === what) counts.set(`${action} ${key}`, (counts.get(`${action} ${key}`) ?? 0) + 1)
    }
    return counts
  }
  // It opens at once: nothing holds the folder any more.
  const store = await openLevelEventStore({ path: join(folder, 'log') })
  const versions = (await eventsOf(store, 'worker-1')).map(({ version }) => version)
  const done = (await eventsOf(store, 'worker-1~effects'))
    .filter(({ event_type }) => event_type === 'effect.done')
    .map(({ payload }) => `${(payload as { action: string }).action} ${(payload as { key: string }).key}`)
  await store.close()
  return { versions, begun: count('begun'), ended: count('ended'), done }
}

async function finish(): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, folder, 'check'])
  return JSON.parse(stdout) as unknown
}

describe.skipIf(!existsSync(program))('a process (needs the build: npm run build)', () => {
  test('that gets a signal takes nothing more, finishes or leaves owed what runs, and lets go of the log', async () => {
    const end = await runAndStop({ graceMs: 2_000, twice: false })
    expect(end.code).toBe(0)
    expect(end.lines.filter((line) => !line.startsWith('sent '))).toEqual([
      'closing',
      'refused RUNTIME_CLOSED',
      'closed',
    ])
    const { versions, ended, done } = await account()
    expect(versions).toEqual(expect.arrayContaining(acknowledged(end)))
    // What ended in the world while it closed is on the record, and nothing else.
    expect(done.sort()).toEqual([...ended.keys()].sort())
    // The event that was on its way to the disk, if one was, left its action owed.
    expect(acknowledged(end).length - done.length).toBeLessThanOrEqual(2)
    expect(await finish()).toMatchObject({ ok: true, dead: [] })
    const after = await account()
    // The one that did not end was begun again, all others were not.
    expect([...after.begun].filter(([, times]) => times > 1).map(([key]) => key)).toEqual([
      'endless worker-1:2:0',
    ])
    expect(after.done).toContain('endless worker-1:2:0')
  })

  test('that gets a second one quits at once, however long it was to wait, and nothing is lost', async () => {
    const end = await runAndStop({ graceMs: 3_600_000, twice: true })
    expect(end.code).toBe(130)
    expect(end.lines).not.toContain('closed')
    const { versions } = await account()
    expect(versions).toEqual(expect.arrayContaining(acknowledged(end)))
    expect(await finish()).toMatchObject({ ok: true, dead: [], version: versions.length })
    const { begun, ended, done } = await account()
    expect(done.sort()).toEqual([...ended.keys()].sort())
    expect(new Set(done)).toEqual(new Set(begun.keys()))
  })
})
