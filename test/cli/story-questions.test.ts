/** What each command answers about the checked-in story, word for word: piped, in terminals of two widths, as JSON. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { storyProject } from '../query/story.ts'
import { agentctl, type RunOptions } from './in-process.ts'
import { ORDER_MODULE } from './order-module.ts'

/** Below the package, so that the module in it can import what the package depends on. */
const folder = join(import.meta.dirname, '../../node_modules/.cache', `agentctl-story-${process.pid}`)
const NOW = Date.parse('2026-11-20T10:00:00.000Z')
let project = ''

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'story-'))
  await storyProject(join(project, '.project'))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'orders.mjs'), ORDER_MODULE)
})
afterAll(async () => {
  await rm(project, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
})

const RUN = 'run_00000000-0000-7000-8000-000000000003'

const GOLDEN: readonly (readonly [file: string, argv: readonly string[]])[] = [
  ['ps', ['ps']],
  ['ps-all-pending', ['ps', '--all', '--pending']],
  ['ps-below', ['ps', 'lead', '--all']],
  ['log-denied', ['log', '--verdict', 'denied']],
  ['log-since-text', ['log', '--since', 'today', '--text', 'payer']],
  ['log-actor-tail', ['log', '--actor', 'lead', '--tail', '5']],
  ['show-at-position', ['show', 'order-1', '--at', '#64', '--machines', 'ORDERS']],
  ['show-at-moment', ['show', 'release-7', '--at', 'yesterday 09:00:01']],
  ['show-without-code', ['show', 'order-1']],
  ['diff', ['diff', 'order-1', '--from', '2', '--machines', 'ORDERS']],
  ['diff-from-nothing', ['diff', 'order-1', '--from', '0', '--to', '1', '--machines', 'ORDERS']],
  ['diff-of-an-event', ['diff', '34']],
  ['diff-without-code', ['diff', 'order-1']],
  ['blame', ['blame', 'order-1', '--machines', 'ORDERS']],
  ['blame-path', ['blame', 'order-1', 'context.items', '--machines', 'ORDERS']],
  ['blame-run', ['blame', 'janitor', 'context.phase']],
  ['causes', ['causes', '33']],
  ['causes-limited', ['causes', '11', '--limit', '5']],
  ['timeline', ['timeline']],
  ['timeline-mermaid', ['timeline', 'janitor', '--mermaid']],
  ['why-failed', ['why', '--failed']],
  ['why-failed-since', ['why', '--failed', '--since', 'today']],
  ['why-denied', ['why', '33']],
  ['permissions', ['permissions']],
  ['permissions-denied', ['permissions', 'lead', '--verdict', 'denied']],
  ['permissions-explain', ['permissions', 'explain', 'janitor', 'execute:file:delete']],
  ['permissions-explain-unknown', ['permissions', 'explain', 'tester', 'remove']],
  ['billing', ['billing']],
  ['billing-by-agent', ['billing', '--by', 'agent']],
  ['billing-by-day', ['billing', 'release-7', '--by', 'day']],
  ['machines', ['machines']],
  ['machines-stately', ['machines', 'toolCall']],
  ['machines-mermaid', ['machines', 'session', '--format', 'mermaid']],
  ['machines-scxml', ['machines', 'order@3', '--format', 'scxml']],
]

const ask = async (argv: readonly string[], options: RunOptions): Promise<string> => {
  const given = argv.map((word) => (word === 'ORDERS' ? join(folder, 'orders.mjs') : word))
  const told = await agentctl(given, { cwd: project, now: NOW, env: { NO_COLOR: '1' }, ...options })
  expect({ argv, code: told.code, stderr: told.code === 0 ? '' : told.stderr }).toEqual({
    argv,
    code: 0,
    stderr: '',
  })
  return `${told.stdout}--- stderr\n${told.stderr}`
}

describe('each answer is the recorded one', () => {
  test.each(GOLDEN)('%s', async (file, argv) => {
    const answers = [
      `=== piped\n${await ask(argv, {})}`,
      `=== 80 columns\n${await ask(argv, { terminal: true, columns: 80 })}`,
      `=== 120 columns\n${await ask(argv, { terminal: true, columns: 120 })}`,
      `=== json\n${await ask([...argv, '--json'], {})}`,
    ]
    await expect(answers.join('\n')).toMatchFileSnapshot(`golden/story/${file}.txt`)
  })
})

describe('in a terminal', () => {
  /** What is made to be taken elsewhere, or is one JSON value, is not cut. */
  const WHOLE = /^(?:show|why|machines|timeline-mermaid|permissions-explain|diff-from-nothing)/

  test.each(GOLDEN.filter(([file]) => !WHOLE.test(file) || file.startsWith('why-failed')))(
    'no line of %s is wider than it',
    async (_file, argv) => {
      for (const columns of [80, 120]) {
        const { stdout } = await agentctl(
          argv.map((word) => (word === 'ORDERS' ? join(folder, 'orders.mjs') : word)),
          { cwd: project, now: NOW, env: { NO_COLOR: '1' }, terminal: true, columns },
        )
        const wide = stdout.split('\n').filter((line) => line.length > columns)
        // A line of the log names its stream and its type in full, or neither could be copied.
        expect(argv[0] === 'log' ? [] : wide).toEqual([])
      }
    },
  )

  test('colour never says what the words do not: without it the words are the same', async () => {
    for (const [, argv] of GOLDEN.filter(([file]) => !file.startsWith('show-at-p'))) {
      if (argv.includes('ORDERS')) continue
      const options = { cwd: project, now: NOW, terminal: true, columns: 120 }
      const plain = await agentctl(argv, { ...options, env: { NO_COLOR: '1' } })
      const coloured = await agentctl(argv, options)
      // oxlint-disable-next-line no-control-regex -- escape sequences are what is taken away
      expect(coloured.stdout.replaceAll(/\u001B\[\d+m/g, '')).toBe(plain.stdout)
    }
  })
})

test('no answer has a secret in it, whatever the command', async () => {
  for (const [, argv] of GOLDEN) {
    for (const options of [[], ['--json']]) {
      // Events as they are stored are covered by their hashes.
      if (argv[0] === 'log' && options.length > 0) continue
      expect(await ask([...argv, ...options], {})).not.toMatch(/hunter2|sk-not-for-everybody/)
    }
  }
})

test('a run is found by its agent, and by its id', async () => {
  const byName = await ask(['show', 'janitor', '--json'], {})
  expect(await ask(['show', RUN, '--json'], {})).toBe(byName)
})
