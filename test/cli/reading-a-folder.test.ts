/** How a command comes by the log: a dead folder stays as it is, a live one is left alone, a damaged one is named. */
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { evidence } from './evidence.ts'
import { agentctl } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

let folder = ''
const TMPDIR = process.env['TMPDIR']
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reading-'))
  project = await recordProject(folder)
  // Others copy folders as well, at the same time.
  await mkdir(join(folder, 'tmp'))
  process.env['TMPDIR'] = join(folder, 'tmp')
})
afterAll(async () => {
  if (TMPDIR === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = TMPDIR
  await rm(folder, { recursive: true, force: true })
})

const copies = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('agentctl-')).sort()

describe('a folder that no process owns', () => {
  const questions = [
    ['log'],
    ['log', '--follow'],
    ['show', 'tidy-up'],
    ['why', 'tidy-up'],
    ['why', 'nothing-of-it'],
  ]

  test.each(questions)('is not changed by %s %s, and no copy of it stays behind', async (...argv) => {
    const before = await evidence(project.path)
    expect(before.length).toBeGreaterThan(5)
    const copiesBefore = await copies()
    await agentctl([...argv, '--project', project.path])
    expect(await evidence(project.path)).toEqual(before)
    expect((await copies()).filter((name) => !copiesBefore.includes(name))).toEqual([])
  })

  test('is opened itself with --in-place: the same answer, no copy, and its files are not as they were', async () => {
    const path = join(folder, 'in-place')
    await cp(project.path, path, { recursive: true })
    const before = await evidence(path)
    const copiesBefore = await copies()
    const copied = await agentctl(['log', '--json', '--project', path])
    expect(await evidence(path)).toEqual(before)
    const opened = await agentctl(['log', '--json', '--in-place', '--project', path])
    expect(opened).toEqual(copied)
    expect(await evidence(path)).not.toEqual(before)
    expect((await copies()).filter((name) => !copiesBefore.includes(name))).toEqual([])
  })

  test('may be one that cannot be written at all', async () => {
    const frozen = join(folder, 'frozen')
    await cp(project.path, frozen, { recursive: true })
    const log = join(frozen, 'log')
    for (const path of [join(log, 'db'), log]) await chmod(path, 0o500)
    try {
      expect(await agentctl(['show', 'tidy-up', '--project', frozen])).toMatchObject({ code: 0, stderr: '' })
    } finally {
      for (const path of [log, join(log, 'db')]) await chmod(path, 0o700)
    }
  })

  test('may be reached through a link, and what the link leads to is not changed', async () => {
    const linked = join(folder, 'linked')
    await mkdir(linked)
    await symlink(join(project.path, 'log'), join(linked, 'log'))
    const before = await evidence(project.path)
    expect(await agentctl(['log', '--project', linked])).toMatchObject({ code: 0 })
    expect(await evidence(project.path)).toEqual(before)
  })

  test('leaves no copy behind when Ctrl-C ends the command, which exits with 130', async () => {
    const before = await copies()
    const ran = await agentctl(['log', '--project', project.path], {
      onInterrupt: (listener) => {
        queueMicrotask(listener)
        return () => {}
      },
    })
    expect(ran.code).toBe(130)
    expect(ran.stderr).toContain('CLI_INTERRUPTED')
    expect((await copies()).filter((name) => !before.includes(name))).toEqual([])
  })
})

describe('a folder whose live owner lets nobody attach', () => {
  test.each([['log'], ['log', '--follow'], ['show', 'tidy-up'], ['why', 'tidy-up']])(
    'is left alone by %s %s: exit code 5, with the owner and what to do',
    async (...argv) => {
      const path = await mkdtemp(join(folder, 'live-'))
      await using runtime = await createRuntime({ path, attach: false })
      await runtime.sessions.start({ role: 'orchestrator', name: 'tidy-up' })
      // What the owner itself writes in its own time is not ours.
      const withoutNotes = async () => (await evidence(path)).filter((line) => !line.includes('/high-water '))
      const before = await withoutNotes()
      const told = await agentctl([...argv, '--project', path])
      expect(told).toMatchObject({ code: 5, stdout: '' })
      expect(told.stderr).toMatch(
        new RegExp(`CLI_LOCKED.*process ${process.pid}.*wait until process ${process.pid}`),
      )
      const asJson = await agentctl([...argv, '--json', '--project', path])
      expect(JSON.parse(asJson.stderr)).toMatchObject({
        error: { code: 'CLI_LOCKED', exit_code: 5, details: { pid: process.pid } },
      })
      expect(await withoutNotes()).toEqual(before)
    },
  )

  test('is dead when its process is gone, whatever owner.json says', async () => {
    const path = join(folder, 'stale')
    await cp(project.path, path, { recursive: true })
    const owner = { pid: 2 ** 22 + 1, pid_start: null, host: (await import('node:os')).hostname() }
    const record = { ...owner, started_at: '2026-01-01T00:00:00.000Z' }
    await writeFile(join(path, 'log', 'owner.json'), JSON.stringify(record))
    const told = await agentctl(['log', '--limit', '1', '--project', path])
    expect(told.code).toBe(0)
    expect(told.stderr).toContain(`process ${owner.pid} on ${owner.host}`)
    expect(told.stderr).toContain('ended without closing it')
    expect((await agentctl(['log', '--project', path, '--quiet'])).stderr).toBe('')
  })
})

describe('a folder that cannot be read', () => {
  test('is named, when there is none, with how to name another: exit code 4', async () => {
    const missing = join(folder, 'nowhere')
    const told = await agentctl(['log', '--project', missing])
    expect(told).toMatchObject({ code: 4, stdout: '' })
    expect(told.stderr).toContain(`error CLI_NOT_FOUND: There is no log in ${join(missing, 'log')}.`)
    expect(told.stderr).toContain('--project <folder>')
  })

  test('is found to be the log itself, when that was given instead of the project', async () => {
    const told = await agentctl(['log', '--project', join(project.path, 'log')])
    expect(told.code).toBe(4)
    expect(told.stderr).toContain('pass the folder above it')
  })

  test('is by default .project in the current directory', async () => {
    const told = await agentctl(['log', '--limit', '1'], { cwd: join(project.path, '..') })
    expect(told).toMatchObject({ code: 0 })
    expect((await agentctl(['log'], { cwd: folder })).stderr).toContain(join(folder, '.project', 'log'))
  })

  test('exits with 7 and names the record that does not verify', async () => {
    const path = await damaged('a-record', async (database) => {
      for await (const [key, value] of database.iterator()) {
        if (!value.includes('waiting for a review')) continue
        await database.put(key, value.replace('waiting for a review', 'waiting for a preview'))
      }
    })
    for (const argv of [['log'], ['show', 'tidy-up'], ['why', project.session]]) {
      const told = await agentctl([...argv, '--project', path])
      expect({ argv, code: told.code }).toEqual({ argv, code: 7 })
      expect(told.stderr).toMatch(/error ES_CORRUPT: The log is damaged .* at position \d+/)
      expect(told.stderr).not.toContain(tmpdir() + '/agentctl-')
      expect(told.stderr).toContain('agentctl salvage --into <folder>')
    }
    const asJson = await agentctl(['log', '--json', '--project', path])
    expect(JSON.parse(asJson.stderr)).toMatchObject({
      error: { code: 'ES_CORRUPT', exit_code: 7, details: { position: expect.any(Number) } },
    })
  })

  test('exits with 7 when what marks the log is garbage', async () => {
    const path = join(folder, 'unmarked')
    await cp(project.path, path, { recursive: true })
    await writeFile(join(path, 'log', 'store.json'), 'garbage')
    const told = await agentctl(['log', '--project', path])
    expect(told).toMatchObject({ code: 7, stdout: '' })
    expect(told.stderr).toContain('ES_NOT_A_STORE')
  })

  test('is refused with 2 when a later version of the package wrote it', async () => {
    const path = join(folder, 'later')
    await cp(project.path, path, { recursive: true })
    await writeFile(join(path, 'format'), '99\n')
    const told = await agentctl(['ps', '--project', path])
    expect(told).toMatchObject({ code: 2, stdout: '' })
    expect(told.stderr).toContain('PROJECT_FORMAT')
  })

  test('is named when it is empty, in words of the command line: exit code 4', async () => {
    const path = join(folder, 'hollow')
    await mkdir(join(path, 'log'), { recursive: true })
    const told = await agentctl(['log', '--project', path])
    expect(told).toMatchObject({ code: 4, stdout: '' })
    expect(told.stderr).toContain('CLI_NOT_FOUND')
    expect(told.stderr).not.toContain('create: true')
  })

  test('exits with 7 when the database is gone, and names the folder, not a copy of it', async () => {
    const path = join(folder, 'gone')
    await cp(project.path, path, { recursive: true })
    await rm(join(path, 'log', 'db', 'CURRENT'))
    const told = await agentctl(['log', '--project', path])
    expect(told.code).toBe(7)
    expect(told.stderr).toContain(join(path, 'log'))
    expect(told.stderr).not.toContain(tmpdir() + '/agentctl-')
  })
})

/** A copy of the project whose database was changed behind the store's back. */
async function damaged(name: string, change: (database: Level) => Promise<void>): Promise<string> {
  const path = join(folder, name)
  await cp(project.path, path, { recursive: true })
  const database = new Level(join(path, 'log', 'db'))
  await database.open()
  await change(database)
  await database.close()
  return path
}
