/** Whatever is typed: an answer or an error with a code, never a stack trace, and never anything else on stdout. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { storyProject } from '../query/story.ts'
import { agentctl } from './in-process.ts'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'any-arguments-'))
  await storyProject(join(folder, '.project'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Those that read; what a person types after them is anything. */
const COMMANDS = [
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
  'verify',
  'doctor',
  'machines',
  'completion',
  'help',
]

const OPTIONS = [
  '--at',
  '--from',
  '--to',
  '--since',
  '--until',
  '--limit',
  '--type',
  '--actor',
  '--by',
  '--do',
  '--until-state',
  '--format',
  '--verdict',
  '--machines',
  '--failed',
  '--all',
  '--pending',
  '--mermaid',
  '--json',
  '--quiet',
  '--no-color',
  '--in-place=',
  '--nonsense',
]

const WORDS = [
  'release-7',
  'janitor',
  'order-1',
  'order-1~refused',
  'order-3~dead',
  'machine/agent@1',
  '33',
  '#33',
  '0',
  '-1',
  '9'.repeat(30),
  '1e9',
  'yesterday',
  '2026-02-30',
  'explain',
  'context.items[0]',
  'a[',
  'bash',
  '__proto__',
  'constructor',
  '%s%n',
  '../../etc/passwd',
  '',
  ' ',
  '\u0000',
  '\u001B[31m',
  '💥',
  '\uD800',
]

const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 2, arbitrary: fc.constantFrom(...OPTIONS) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
)

test('never gives a stack trace', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...COMMANDS),
      fc.array(word, { maxLength: 5 }),
      async (command, words) => {
        const told = await agentctl([command, ...words], {
          cwd: folder,
          now: Date.parse('2026-11-20T10:00:00Z'),
        })
        const trouble = `${told.code} ${told.stdout}${told.stderr}`
        expect(Object.values(EXIT)).toContain(told.code)
        expect(trouble).not.toMatch(/^\s+at .*(?:\.ts|\.js|node:)/m)
        // A line of the checklist that fails is an answer; any other 1 is something that nobody thought of.
        expect(told.code === EXIT.unexpected && command !== 'doctor' ? trouble : '').toBe('')
        const isSilent = told.code !== EXIT.ok && command !== 'doctor' && told.stderr === ''
        expect(isSilent ? trouble : '').toBe('')
      },
    ),
    { numRuns: Number(process.env['ARGUMENT_RUNS'] ?? 150) },
  )
}, 300_000)
