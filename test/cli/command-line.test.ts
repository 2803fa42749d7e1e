/** What the program makes of a command line: help, version, mistakes, colour. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { agentctl } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

const root = join(import.meta.dirname, '../..')
/** Below the package, so that a module in it can import what the package depends on. */
const modules = join(root, 'node_modules/.cache', `agentctl-modules-${process.pid}`)
let folder = ''
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'command-line-'))
  project = await recordProject(folder)
  await mkdir(modules, { recursive: true })
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await rm(modules, { recursive: true, force: true })
})

const COMMANDS = [
  'run',
  'ps',
  'log',
  'show',
  'diff',
  'blame',
  'replay',
  'causes',
  'timeline',
  'why',
  'permissions',
  'billing',
  'compliance',
  'pause',
  'resume',
  'cancel',
  'approve',
  'deny',
  'retry',
  'verify',
  'fork',
  'export',
  'import',
  'salvage',
  'archive',
  'erase',
  'migrate',
  'du',
  'doctor',
  'inspect',
  'machines',
  'completion',
]

describe('help', () => {
  test.each(COMMANDS)('of %s has an example and the options that every command has', async (command) => {
    const told = await agentctl([command, '--help'])
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(/Examples?:\n +agentctl /)
    for (const option of ['--project', '--json', '--quiet', '--no-color'])
      expect(told.stdout).toContain(option)
    expect(await agentctl(['help', command])).toEqual(told)
  })

  test('lists each command with what its own help says', async () => {
    const { stdout } = await agentctl(['--help'])
    const listed = stdout.replaceAll(/\s+/g, ' ')
    for (const command of COMMANDS) {
      const own = await agentctl([command, '--help'])
      const summary = own.stdout.split('\n\n')[1] ?? 'missing'
      expect(listed).toContain(`${command} ${summary.replaceAll(/\s+/g, ' ')}`)
    }
  })

  test('comes on stderr with exit code 2 when no command is given', async () => {
    const told = await agentctl([])
    expect(told).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(told.stderr).toContain('Usage: agentctl')
  })

  test('--version prints that of the package', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await agentctl(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('a mistake on the command line exits with 2, writes nothing to stdout, and says what to do', () => {
  test.each([
    ['an unknown command', ['lgo'], 'Did you mean log?'],
    ['help for an unknown command', ['help', 'lgo'], 'Did you mean log?'],
    ['an unknown option', ['log', '--limits', '3'], 'Did you mean --limit?'],
    ['an argument that is missing', ['show'], "Missing required argument 'id'"],
    ['an argument too many', ['show', 'a', 'b'], 'See agentctl show --help.'],
    [
      'a version that is no number',
      ['show', 'tidy-up', '--at', 'nonsense'],
      'Expected a version (7), a position (#57) or a moment',
    ],
    ['a version of 0', ['show', 'tidy-up', '--at', '0'], 'Expected a whole number, 1 or more.'],
    ['a version with a fraction', ['show', 'tidy-up', '--at', '1.5'], 'Expected a version (7)'],
    ['a limit that is negative', ['log', '--limit', '-5'], 'Expected a whole number, 1 or more.'],
    ['a rate of nobody', ['billing', '--rate', 'boss=1'], 'Expected a role'],
    ['a rate below nothing', ['billing', '--rate', 'supervisor=-1'], 'Expected a role'],
    ['a limit without a value', ['log', '--limit'], 'argument missing'],
  ])('%s', async (_what, argv, says) => {
    const told = await agentctl([...argv, '--project', project.path])
    expect(told).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(told.stderr).toMatch(/^error CLI_USAGE: /)
    expect(told.stderr).toContain(says)
    const asJson = await agentctl([...argv, '--json'])
    const { error } = JSON.parse(asJson.stderr) as { error: Record<string, unknown> }
    expect(error).toMatchObject({ code: 'CLI_USAGE', exit_code: 2 })
  })

  test.each([
    ['rubbish', ['\u0000', '--', '-'], undefined],
    ['an option of a prototype', ['log', '--__proto__=1'], undefined],
    ['a very long word', ['x'.repeat(10_000)], undefined],
    ['an empty word', [''], undefined],
  ])('%s, without a stack trace', async (_what, argv) => {
    const told = await agentctl(argv)
    expect(told).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(told.stderr).not.toMatch(/\n\s+at /)
  })
})

describe('an id that is not there exits with 4', () => {
  test.each([['show'], ['why'], ['log']])('%s says what it may have been meant to be', async (command) => {
    const told = await agentctl([command, 'tidy-pu', '--project', project.path])
    expect(told).toMatchObject({ code: EXIT.notFound, stdout: '' })
    expect(told.stderr).toContain('The log has nothing called "tidy-pu"')
    expect(told.stderr).toContain('Did you mean tidy-up?')
    const cut = await agentctl([command, project.cleaner.slice(0, -1), '--json', '--project', project.path])
    expect(JSON.parse(cut.stderr)).toMatchObject({
      error: { code: 'QUERY_NOT_FOUND', details: { did_you_mean: [project.cleaner] } },
    })
  })

  test('a version that the stream does not have is named with those it has', async () => {
    const told = await agentctl(['show', 'tidy-up', '--at', '99', '--project', project.path])
    expect(told).toMatchObject({ code: EXIT.notFound, stdout: '' })
    expect(told.stderr).toContain('a whole number from 1 to 3')
  })
})

test('ps says that nobody matches, or that nobody is at work', async () => {
  const ps = (...argv: string[]) => agentctl(['ps', ...argv, '--project', project.path])
  expect((await ps('--agent', 'nobody')).stderr).toMatch(/^nobody matches\n/)
  expect((await ps()).stderr).not.toContain('nobody')
})

describe('permissions explain', () => {
  test('of somebody whom the log does not know exits with 4, and says who may be meant', async () => {
    const told = await agentctl(['permissions', 'explain', 'claener', 'remove', '--project', project.path])
    expect(told).toMatchObject({ code: EXIT.notFound, stdout: '' })
    expect(told.stderr).toContain('Did you mean cleaner?')
  })

  test.each(['cleaner', 'workagent'])('knows %s', async (who) => {
    const told = await agentctl(['permissions', 'explain', who, 'remove', '--project', project.path])
    expect(told.stdout).toContain(`${who}, remove: no`)
  })

  test('knows a run by its id, cut as a table cuts it', async () => {
    const cut = `run_…${project.cleaner.slice(-8)}`
    const told = await agentctl(['permissions', 'explain', cut, 'remove', '--project', project.path])
    expect(told.stdout).toContain('remove: no')
  })
})

describe('--machines', () => {
  const module = async (name: string, text: string): Promise<string> => {
    const file = join(modules, name)
    await writeFile(file, text)
    return file
  }
  const order = (target: string): string => `
    import { setup } from 'xstate'
    export const anything = [setup({ guards: { inStock: () => false } }).createMachine({
      id: 'order', version: '3', initial: 'open',
      states: { open: { on: { pay: '${target}' } }, paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } }, shipped: {} },
    })]`

  test('replays with the machines of a module, whatever they are exported as', async () => {
    const file = await module('order.mjs', order('paid'))
    const argv = ['show', 'order-1', '--json', '--project', project.path]
    const without = JSON.parse((await agentctl(argv)).stdout) as unknown
    expect(without).toMatchObject({ value: 'paid', source: 'recorded', context: null, needs_machines: true })
    const told = await agentctl([...argv, '--machines', join('.', 'order.mjs')], { cwd: dirname(file) })
    expect(JSON.parse(told.stdout)).toMatchObject({
      value: 'paid',
      source: 'replay',
      status: 'active',
      context: {},
      needs_machines: false,
    })
  })

  test('exits with 7 and names the record when the code does not do today what it did', async () => {
    const file = await module('changed-order.mjs', order('shipped'))
    const told = await agentctl(['show', 'order-1', '--project', project.path, '--machines', file])
    expect(told).toMatchObject({ code: EXIT.integrity, stdout: '' })
    expect(told.stderr).toMatch(
      /error QUERY_REPLAY_DIVERGED: Event 2 \("pay"\) of "order-1", at position \d+/,
    )
    expect(told.stderr).toContain('it leads to "shipped" now, and led to "paid"')
  })

  test('exits with 7 and names the record when the code throws today', async () => {
    const text = order('paid').replace(
      "initial: 'open'",
      "context: () => { throw new Error('gone') }, initial: 'open'",
    )
    const file = await module('throwing-order.mjs', text)
    const told = await agentctl(['show', 'order-1', '--project', project.path, '--machines', file])
    expect(told).toMatchObject({ code: EXIT.integrity, stdout: '' })
    expect(told.stderr).toContain('QUERY_REPLAY_DIVERGED: Event 1 ("actor.created") of "order-1"')
    expect(told.stderr).toContain('its code throws now: gone')
  })

  test.each([
    { what: 'is not there', name: 'missing.mjs', text: undefined, code: EXIT.notFound },
    { what: 'does not load', name: 'broken.mjs', text: 'throw new Error("no")', code: EXIT.usage },
    { what: 'exports no machine', name: 'empty.mjs', text: 'export const a = 1', code: EXIT.usage },
  ])('refuses a module that $what', async ({ name, text, code }) => {
    const file = text === undefined ? join(modules, name) : await module(name, text)
    const told = await agentctl(['show', 'order-1', '--project', project.path, '--machines', file])
    expect(told).toMatchObject({ code, stdout: '' })
    expect(told.stderr).toContain(file)
  })
})

describe('colour', () => {
  const log = ['log', '--limit', '3']

  const terminal = { env: {}, argv: [] as string[], terminal: true, coloured: false }

  test.each([
    { ...terminal, what: 'is there for a person at a terminal', coloured: true },
    { ...terminal, what: 'is not there in a pipe', terminal: false },
    { ...terminal, what: 'is not there with NO_COLOR', env: { NO_COLOR: '1' } },
    { ...terminal, what: 'is there with an empty NO_COLOR', env: { NO_COLOR: '' }, coloured: true },
    { ...terminal, what: 'is not there with --no-color', argv: ['--no-color'] },
    { ...terminal, what: 'is not there with --json', argv: ['--json'] },
  ])('$what', async ({ env, argv, terminal, coloured }) => {
    const told = await agentctl([...log, ...argv, '--project', project.path], { env, terminal })
    expect(told.code).toBe(0)
    expect(told.stdout.includes('\u001B[')).toBe(coloured)
    const failed = await agentctl(['show', 'nothing', ...argv, '--project', project.path], { env, terminal })
    expect(failed.stderr.includes('\u001B[')).toBe(coloured)
  })

  test('at a terminal no line of the log is wider than the terminal', async () => {
    const { stdout } = await agentctl(
      ['log', '--no-color', '--type', 'step.failed', '--project', project.path],
      {
        terminal: true,
      },
    )
    expect(stdout).toContain('…')
  })
})
