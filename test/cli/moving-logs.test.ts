/** Logs on the move: exported and imported, exported as a test, saved from damage, archived. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClassicLevel } from 'classic-level'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { storyProject } from '../query/story.ts'
import { evidence } from './evidence.ts'
import { agentctl, type Ran } from './in-process.ts'
import { ORDER_MODULE } from './order-module.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
/** Below the package, so that a module in it can import what the package depends on. */
const modules = join(root, 'node_modules/.cache', `agentctl-moving-${process.pid}`)
let folder = ''
let project = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moving-'))
  project = join(folder, 'demo', '.project')
  await storyProject(project)
  await mkdir(modules, { recursive: true })
  await writeFile(join(modules, 'orders.mjs'), ORDER_MODULE)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await rm(modules, { recursive: true, force: true })
})

const ask = (...argv: string[]): Promise<Ran> => agentctl(argv, { cwd: join(folder, 'demo') })

describe('export and import', () => {
  test('give the same log in another folder, hashes and all', async () => {
    const before = await evidence(project)
    const out = join(folder, 'log.ndjson')
    expect(await ask('export', '--out', out)).toMatchObject({ code: EXIT.ok, stdout: '' })
    const into = join(folder, 'copy')
    const imported = await ask('import', out, '--into', into, '--json')
    expect(imported.code).toBe(EXIT.ok)
    expect(JSON.parse(imported.stdout)).toMatchObject({
      imported: { imported: 92, skipped: 0, samePositions: true },
    })
    const original = await ask('log', '--json')
    expect((await ask('log', '--json', '--project', into)).stdout).toBe(original.stdout)
    expect(await evidence(project)).toEqual(before)

    const again = await ask('import', out, '--into', into)
    expect(again.stdout).toContain('92 events were there already')
    expect((await ask('export')).stdout).toBe(await readFile(out, 'utf8'))
  })

  test('of one stream leave the others out, by id or by name', async () => {
    const { stdout } = await ask('export', 'order-1', 'janitor')
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const streams = new Set(lines.flatMap(({ stream_id }) => (stream_id === undefined ? [] : [stream_id])))
    expect(streams).toEqual(new Set(['order-1', 'run_00000000-0000-7000-8000-000000000003']))
  })

  test('refuse what is cut off, what is there already, and what is not there', async () => {
    const cut = join(folder, 'cut.ndjson')
    await writeFile(cut, (await ask('export')).stdout.slice(0, -200))
    const told = await ask('import', cut, '--into', join(folder, 'cut'))
    expect(told.code).toBe(EXIT.unexpected)
    expect(told.stderr).toContain('ES_IMPORT_REFUSED')
    expect(await ask('export', '--out', cut)).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(await ask('import', join(folder, 'nothing'), '--into', folder)).toMatchObject({
      code: EXIT.notFound,
    })
    expect(await ask('import', '-', '--into', folder)).toMatchObject({ code: EXIT.usage })
  })
})

describe('a stream exported as a test', () => {
  /** Runs a generated file with the package's sources under its names. */
  async function vitest(dir: string): Promise<{ passed: boolean; told: string }> {
    const config = join(dir, 'vitest.config.mjs')
    await writeFile(
      config,
      `import base from ${JSON.stringify(join(root, 'vitest.config.ts'))}
       export default { ...base, root: ${JSON.stringify(dir)}, test: { include: ['*.test.ts'] } }`,
    )
    const vitestPath = join(root, 'node_modules/vitest/vitest.mjs')
    return run(process.execPath, [vitestPath, 'run', '--config', config], { cwd: dir }).then(
      ({ stdout }) => ({ passed: true, told: stdout }),
      (error: { stdout: string; stderr: string }) => ({ passed: false, told: error.stdout + error.stderr }),
    )
  }

  test('passes with the code that wrote it, and fails with one that decides otherwise', async () => {
    const dir = join(modules, 'generated')
    await mkdir(dir)
    const machines = join(dir, 'orders.mjs')
    await cp(join(modules, 'orders.mjs'), machines)
    for (const [stream, file] of [
      ['order-1', 'order.test.ts'],
      ['janitor', 'janitor.test.ts'],
      ['call_…00008', 'refused-call.test.ts'],
    ] as const) {
      const told = await ask('export', '--as-test', stream, '--machines', machines, '--out', join(dir, file))
      expect({ stream, code: told.code }).toEqual({ stream, code: EXIT.ok })
    }
    const good = await vitest(dir)
    expect(good.told).toContain('3 passed')
    expect(good.passed).toBe(true)

    await writeFile(machines, ORDER_MODULE.replace("pay: { target: 'paid'", "pay: { target: 'shipped'"))
    const bad = await vitest(dir)
    expect(bad.passed).toBe(false)
    expect(bad.told).toContain('QUERY_REPLAY_DIVERGED')
    expect(bad.told).toMatch(/leads to "shipped" now, and led to "paid"/)
  }, 120_000)

  test('needs the code, and one stream that a machine wrote', async () => {
    const without = await ask('export', '--as-test', 'order-1')
    expect(without).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(without.stderr).toContain('--machines ./dist/machines.js')
    expect(await ask('export', '--as-test')).toMatchObject({ code: EXIT.usage })
    expect(await ask('export', '--as-test', 'order-1~refused')).toMatchObject({ code: EXIT.usage })
  })
})

describe('salvage', () => {
  test('saves what verifies, names what is lost, exits with 7, and changes nothing of the damaged folder', async () => {
    const path = join(folder, 'damaged')
    await cp(project, path, { recursive: true })
    const database = new Level(join(path, 'log', 'db'))
    await database.open()
    for await (const [key, value] of database.iterator()) {
      if (value.includes('not allowed to remove')) await database.put(key, value.replace('not', 'now'))
    }
    // Else the record as it was would still be in the files, and would be found there.
    await (database as unknown as ClassicLevel).compactRange('', '\u{10FFFF}')
    await database.close()
    const before = await evidence(path)
    const into = join(folder, 'saved')
    const told = await ask('salvage', '--into', into, '--project', path)
    expect(told.code).toBe(EXIT.integrity)
    expect(told.stdout).toMatch(/^lost {2}position 44, run_0/m)
    expect(told.stdout).toMatch(/saved \d+ events of 20 streams/)
    expect(told.stdout).toContain('1 event after a loss')
    expect(await evidence(path)).toEqual(before)
    expect(await ask('show', 'order-1', '--project', into)).toMatchObject({ code: EXIT.ok })
    expect(
      (await ask('log', 'janitor', '--json', '--project', into)).stdout.trimEnd().split('\n'),
    ).toHaveLength(22)
  })

  test('of a sound log loses nothing, and does not write into the folder itself', async () => {
    const into = join(folder, 'sound')
    expect(await ask('salvage', '--into', into)).toMatchObject({ code: EXIT.ok, stderr: 'nothing is lost\n' })
    expect((await ask('log', '--json', '--project', into)).stdout).toBe((await ask('log', '--json')).stdout)
    expect(await ask('salvage', '--into', project, '--project', project)).toMatchObject({ code: EXIT.usage })
  })
})

describe('a folder of somebody else', () => {
  test.each([
    ['fork', ['fork', 'janitor', '--at', '5']],
    ['import', ['import', 'LOG']],
    ['salvage', ['salvage']],
  ])('is refused by %s --into: exit code 2, and nothing is written into it', async (name, argv) => {
    const log = join(folder, `${name}.ndjson`)
    expect(await ask('export', '--out', log)).toMatchObject({ code: EXIT.ok })
    const theirs = join(folder, `${name}-theirs`)
    await mkdir(theirs)
    await writeFile(join(theirs, 'README.md'), '# Theirs\n')
    const before = await evidence(theirs)
    const told = await ask(...argv.map((word) => (word === 'LOG' ? log : word)), '--into', theirs)
    expect(told).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(told.stderr).toContain('PROJECT_FOLDER_TAKEN')
    expect(await evidence(theirs)).toEqual(before)
    const own = join(folder, `${name}-own`)
    expect(await ask(...argv.map((word) => (word === 'LOG' ? log : word)), '--into', own)).toMatchObject({
      code: EXIT.ok,
    })
    // A folder of ours is marked, so that another version knows it, and git leaves it alone.
    expect(await readFile(join(own, '.gitignore'), 'utf8')).toBe('*\n')
    expect(await readFile(join(own, 'format'), 'utf8')).toMatch(/^\d+\n$/)
  })
})

describe('archive', () => {
  test('lists what it would move and changes nothing; with --yes it moves that, and the log still verifies', async () => {
    const path = join(folder, 'archived')
    await cp(project, path, { recursive: true })
    const before = await evidence(path)
    const files = join(folder, 'archive')
    const listed = await ask('archive', '--into', files, '--project', path)
    expect(listed).toMatchObject({ code: EXIT.ok, stdout: 'order-3\n' })
    expect(await evidence(path)).toEqual(before)
    expect((await ask('archive', '--into', files, '--before', '2026-11-19', '--project', path)).stdout).toBe(
      '',
    )

    const moved = await ask('archive', '--into', files, '--yes', '--project', path)
    expect(moved.code).toBe(EXIT.ok)
    expect(moved.stdout).toMatch(/^order-3 /)
    expect(await readdir(files)).toHaveLength(1)
    expect(await ask('verify', '--project', path)).toMatchObject({ code: EXIT.ok })
    expect((await ask('log', 'order-3', '--project', path)).stdout).toMatch(/^.*stream\.archived.*\n$/)
    expect((await ask('archive', '--into', files, '--project', path)).stdout).toBe('')
  })
})
