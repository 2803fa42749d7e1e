/** `agentctl verify`: does the log hold, and do today's machines still agree with it? */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { agentctl, type Ran, type RunOptions } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

/** Below the package, so that a module in it can import what the package depends on. */
const modules = join(import.meta.dirname, '../../node_modules/.cache', `agentctl-verify-${process.pid}`)
let folder = ''
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-verify-'))
  project = await recordProject(folder)
  await mkdir(modules, { recursive: true })
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await rm(modules, { recursive: true, force: true })
})

const verify = (argv: readonly string[] = [], options: RunOptions = {}): Promise<Ran> =>
  agentctl(['verify', ...argv, '--project', project.path], options)

/** The order's machine as the project recorded it, with what a test changes. */
async function orders(name: string, change: { guard?: string; target?: string } = {}): Promise<string> {
  const file = join(modules, name)
  await writeFile(
    file,
    `import { setup } from 'xstate'
    export const order = setup({ guards: { solvent: () => ${change.guard ?? 'true'}, inStock: () => false } }).createMachine({
      id: 'order', version: '3', initial: 'open',
      states: {
        open: { on: { pay: { guard: 'solvent', target: '${change.target ?? 'paid'}' } } },
        paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } },
        shipped: { type: 'final' },
      },
    })`,
  )
  return file
}

describe('agentctl verify', () => {
  test('of a good folder exits with 0, says what it checked, and lists what it needs the code for', async () => {
    const told = await verify()
    expect(told).toMatchObject({ code: EXIT.ok, stderr: '' })
    expect(told.stdout).toMatch(
      /^needs --machines {2}order@3: 1 stream, such as order-1\nok: \d+ records checked, \d+ streams, \d+ events folded\n$/,
    )
  })

  test('folds the machines of a module as well', async () => {
    const told = await verify(['--json', '--machines', await orders('good.mjs')])
    expect(told.code).toBe(EXIT.ok)
    expect(JSON.parse(told.stdout)).toMatchObject({
      ok: true,
      integrity: { ok: true, problems: [] },
      problem_count: 0,
      problems: [],
      needs_machines: [],
    })
  })

  test('exits with 7 and names the guard that refuses now', async () => {
    const told = await verify(['--machines', await orders('guard.mjs', { guard: 'false' })])
    expect(told).toMatchObject({ code: EXIT.integrity, stderr: '' })
    expect(told.stdout.replace(/at position \d+/, 'at position N')).toContain(
      [
        'refused  order-1',
        '  event         version 2 pay, at position N',
        '  machine       order@3',
        '  expected      paid',
        '  got           open',
        '  guard         solvent',
        '  why           it is refused now: guard "solvent" said no to "pay" in state "open"',
      ].join('\n'),
    )
    expect(told.stdout).toMatch(
      /\n1 stream that does not fold as recorded; \d+ records checked, .* folded\n$/,
    )
  })

  test('exits with 7 and names the state that was expected and the one it got', async () => {
    const told = await verify(['--json', '--machines', await orders('target.mjs', { target: 'shipped' })])
    expect(told.code).toBe(EXIT.integrity)
    expect(JSON.parse(told.stdout)).toMatchObject({
      ok: false,
      problem_count: 1,
      problems: [
        { kind: 'led_elsewhere', stream_id: 'order-1', version: 2, expected: 'paid', got: 'shipped' },
      ],
    })
  })

  test('of one stream looks at that alone', async () => {
    const changed = await orders('one.mjs', { guard: 'false' })
    const other = await verify(['tidy-up', '--machines', changed])
    expect(other).toMatchObject({ code: EXIT.ok, stdout: 'ok: 1 stream, 3 events folded\n' })
    expect(await verify(['order-1', '--machines', changed])).toMatchObject({ code: EXIT.integrity })
    expect(await verify(['tidy-pu'])).toMatchObject({ code: EXIT.notFound, stdout: '' })
  })

  test('exits with 7 and names the damaged record and the stream that has it', async () => {
    const path = join(folder, 'damaged')
    await cp(project.path, path, { recursive: true })
    const database = new Level(join(path, 'log', 'db'))
    await database.open()
    for await (const [key, value] of database.iterator()) {
      if (value.includes('waiting for a review')) {
        await database.put(key, value.replace('waiting for a review', 'waiting for a preview'))
      }
    }
    await database.close()
    const told = await agentctl(['verify', '--project', path])
    expect(told.code).toBe(EXIT.integrity)
    expect(told.stdout).toMatch(/^unreadable {2}position \d+, /)
    expect(told.stdout).toContain(`damaged  ${project.session}`)
    expect(told.stdout).toMatch(/\n1 damaged place, 1 stream that does not fold as recorded; /)
    expect(told.stdout + told.stderr).not.toContain(join(tmpdir(), 'agentctl-'))
  })

  test('shows progress at a terminal, on stderr, and takes it away; not with --quiet or --json', async () => {
    const told = await verify([], { terminal: true })
    expect(told.stderr).toContain('checking every record …')
    expect(told.stderr.endsWith('\r\u001B[2K')).toBe(true)
    expect(told.stdout).not.toContain('\r')
    for (const flag of ['--quiet', '--json']) {
      expect((await verify([flag], { terminal: true })).stderr).toBe('')
    }
  })
})
