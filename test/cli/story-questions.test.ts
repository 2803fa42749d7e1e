/** What each command answers about the checked-in story, word for word: piped, in terminals of two widths, as JSON. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { storyProject } from '../query/story.ts'
import { evidence } from './evidence.ts'
import { agentctl, type RunOptions } from './in-process.ts'
import { ORDER_MODULE } from './order-module.ts'

/** Below the package, so that the module in it can import what the package depends on. */
const folder = join(import.meta.dirname, '../../node_modules/.cache', `agentctl-story-${process.pid}`)
const NOW = Date.parse('2026-11-20T10:00:00.000Z')
let project = ''
let before: string[] = []

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'story-'))
  await storyProject(join(project, '.project'))
  before = await evidence(project)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'orders.mjs'), ORDER_MODULE)
})
afterAll(async () => {
  await rm(project, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
})

const RUN = 'run_00000000-0000-7000-8000-000000000003'

const GOLDEN: readonly (readonly [file: string, argv: readonly string[], now?: number])[] = [
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
  ['compliance', ['compliance']],
  ['compliance-a-week-later', ['compliance'], NOW + 8 * 24 * 3_600_000],
  ['compliance-trend', ['compliance', 'shop', '--trend', '3']],
  ['replay', ['replay', 'order-1', '--machines', 'ORDERS']],
  ['replay-until', ['replay', 'order-1', '--until-state', 'paid', '--machines', 'ORDERS']],
  ['replay-moves', ['replay', 'janitor', '--from', '16', '--do', 'back', '--do', 'to 2', '--do', 'context']],
  ['replay-without-code', ['replay', 'order-2']],
  ['doctor', ['doctor']],
  ['export-a-stream', ['export', 'order-2']],
  ['export-as-test', ['export', '--as-test', 'order-1', '--machines', 'ORDERS']],
  ['archive-listed', ['archive', '--into', 'nowhere', '--before', 'today']],
  ['machines', ['machines']],
  ['machines-stately', ['machines', 'toolCall']],
  ['machines-mermaid', ['machines', 'session', '--format', 'mermaid']],
  ['machines-scxml', ['machines', 'order@3', '--format', 'scxml']],
]

const ask = async (argv: readonly string[], options: RunOptions): Promise<string> => {
  const given = argv.map((word) => (word === 'ORDERS' ? join(folder, 'orders.mjs') : word))
  const told = await agentctl(given, { cwd: project, now: NOW, env: { NO_COLOR: '1' }, ...options })
  // A line of the checklist that fails is told by the exit code as well.
  const ok = argv[0] === 'doctor' ? EXIT.unexpected : EXIT.ok
  expect({ argv, code: told.code, stderr: told.code === ok ? '' : told.stderr }).toEqual({
    argv,
    code: ok,
    stderr: '',
  })
  // Where the module lies is this machine's own.
  return `${told.stdout}--- stderr\n${told.stderr}`.replaceAll(/"[^"]*orders\.mjs"/g, '"./orders.mjs"')
}

/** What is made to be taken elsewhere, or is one JSON value, is not cut; a line of the log names its stream in full. */
const WHOLE =
  /^(?:log|show|why-denied|machines|timeline-mermaid|permissions-explain|export|doctor|replay-moves)/

describe('each answer is the recorded one, fits into a terminal, and has no secret in it', () => {
  const cases = GOLDEN.map(([file, argv, now = NOW]) => ({ file, argv, now }))
  test.each(cases)('$file', async ({ file, argv, now }) => {
    const narrow = await ask(argv, { now, terminal: true, columns: 80 })
    const wide = await ask(argv, { now, terminal: true, columns: 120 })
    const answers = {
      piped: await ask(argv, { now }),
      '80 columns': narrow,
      '120 columns': wide,
      json: await ask([...argv, '--json'], { now }),
    }
    const text = Object.entries(answers).map(([how, answer]) => `=== ${how}\n${answer}`)
    await expect(text.join('\n')).toMatchFileSnapshot(`golden/story/${file}.txt`)
    const tooWide = [
      ...linesOver(80, narrow.split('--- stderr')[0]),
      ...linesOver(120, wide.split('--- stderr')[0]),
    ]
    expect(WHOLE.test(file) ? [] : tooWide).toEqual([])
    // Events as they are stored are covered by their hashes.
    const stored = argv[0] === 'log' || file === 'export-a-stream' ? answers.json : ''
    expect(text.join('').replace(stored, '')).not.toMatch(/hunter2|sk-not-for-everybody/)
  })
})

function linesOver(columns: number, text = ''): string[] {
  return text.split('\n').filter((line) => line.length > columns)
}

test('colour says nothing that the words do not: without it the words are the same', async () => {
  const options = { cwd: project, now: NOW, terminal: true, columns: 120 }
  for (const argv of [
    ['ps', '--all'],
    ['log', '--tail', '9'],
    ['diff', '34'],
    ['permissions'],
    ['timeline'],
    ['doctor'],
  ]) {
    const plain = await agentctl(argv, { ...options, env: { NO_COLOR: '1' } })
    const coloured = await agentctl(argv, options)
    expect(coloured.stdout).not.toBe(plain.stdout)
    // oxlint-disable-next-line no-control-regex -- escape sequences are what is taken away
    expect(coloured.stdout.replaceAll(/\u001B\[\d+m/g, '')).toBe(plain.stdout)
  }
})

test('a test that was exported has no secret in it', async () => {
  const text = await ask(['export', '--as-test', 'call_…00008'], {})
  expect(text).toContain('[redacted]')
  expect(text).not.toContain('hunter2')
  expect(await ask(['export', '--as-test', 'call_…00008', '--with-secrets'], {})).toContain('hunter2')
})

test('a project that the log does not have is answered with those it has: exit code 4', async () => {
  const told = await agentctl(['compliance', 'shpo'], { cwd: project, now: NOW })
  expect(told).toMatchObject({ code: EXIT.notFound, stdout: '' })
  expect(told.stderr).toContain('Did you mean shop?')
})

test('a run is found by its agent, and by its id', async () => {
  const byName = await ask(['show', 'janitor', '--json'], {})
  expect(await ask(['show', RUN, '--json'], {})).toBe(byName)
})

test('after all these questions not one byte of the folder has changed', async () => {
  expect(before.length).toBeGreaterThan(4)
  expect(await evidence(project)).toEqual(before)
})
