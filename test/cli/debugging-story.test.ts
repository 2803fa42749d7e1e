/**
 * The story of docs/debugging.md on a real review: each command of the page, as a process of its own, prints what the
 * page says, but for ids, numbers and times. Needs `npm run build`.
 */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../architecture/source-file.ts'
import { evidence } from './evidence.ts'
import { makeSampleRepository } from './sample-repository.ts'

const MAIN = join(root, 'dist/src/cli/main.js')
/** Where the page says it happened. */
const TOLD_IN = '/home/ann/story'

type Told = { readonly command: string; readonly output: readonly string[] }

const page = await readFile(join(root, 'docs/debugging.md'), 'utf8')
const told: Told[] = Array.from(
  page.matchAll(/^```console\n\$ (.*)\n([^]*?)^```$/gm),
  ([, command, output]) => ({
    command: command ?? '',
    output: (output ?? '').trimEnd().split('\n'),
  }),
)
const program = /^```js\n([^]*?)^```$/m.exec(page)?.[1] ?? ''

let home = ''
let folder = ''
/** What the page calls by the ids of its own review. */
const ids = { position: '', call: '', run: '' }
let reviewed: string[] = []

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'debugging-'))
  folder = join(home, 'story')
  await mkdir(join(folder, 'sample'), { recursive: true })
  makeSampleRepository(join(folder, 'sample'))
  // As in a clone of this repository; what is written stays here.
  for (const name of [
    'package.json',
    'dist',
    'examples',
    'node_modules',
    'tsconfig.json',
    'tsconfig.build.json',
  ])
    await symlink(join(root, name), join(folder, name))
  await writeFile(join(folder, 'what-if.mjs'), program)
})
afterAll(() => rm(home, { recursive: true, force: true }))

type Ran = { readonly code: number | null; readonly text: string }

/** Both streams in the order in which they were written, as a person sees them. */
async function run(words: readonly string[]): Promise<Ran> {
  const file = join(home, 'told')
  const output = await open(file, 'w')
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, VITEST: undefined }
  const child = spawn(process.execPath, words, { cwd: folder, env, stdio: ['ignore', output.fd, output.fd] })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  await output.close()
  return { code, text: (await readFile(file, 'utf8')).replaceAll(folder, TOLD_IN) }
}

/** The command line of the page, about what is here. */
function wordsOf(command: string): string[] {
  const here = command
    .replace(/\bcall_[-\da-f]{36}\b/, ids.call)
    .replace(/\brun_[-\da-f]{36}\b/, ids.run)
    .replace(/\bwhy \d+/, `why ${ids.position}`)
  const [name = '', ...rest] = here.split(' ')
  if (name === 'node') return rest
  if (name === 'agentctl') return [MAIN, ...rest]
  if (here.startsWith('npx vitest ')) return [join(root, 'node_modules/vitest/vitest.mjs'), ...rest.slice(1)]
  throw new Error(`the page has a command that is not known here: ${command}`)
}

/** What does not change from one review to another. */
function shape(line: string): string {
  return line
    .replaceAll(/(?:\b([a-z]+_))?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g, '$1id')
    .replaceAll(/\d+(?=ms\b|[smhd]\b)[a-z]+/g, '0t')
    .replaceAll(/\d+/g, '0')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The lines of the page that are not printed, in that order; one that ends with `…` is the beginning of one. */
function missing(output: readonly string[], text: string): string[] {
  const actual = text.split('\n').map(shape)
  let at = 0
  let mayJump = false
  const lost: string[] = []
  for (const line of output.map(shape)) {
    if (line === '…') {
      mayJump = true
      continue
    }
    const fits = (one: string | undefined): boolean =>
      line.endsWith('…') ? one?.startsWith(line.slice(0, -1).trimEnd()) === true : one === line
    const found = mayJump
      ? actual.findIndex((one, index) => index >= at && fits(one))
      : fits(actual[at])
        ? at
        : -1
    if (found < 0) lost.push(line)
    else at = found + 1
    mayJump = false
  }
  // What the page ends with is the end.
  if (output.at(-1) !== '…' && actual.slice(at).some((line) => line !== ''))
    lost.push(`and no more, not: ${actual.slice(at).join('\n')}`)
  return lost
}

describe('a refused deletion', () => {
  test('is told of on the page by every kind of command that the story needs', () => {
    const kinds = told.map(({ command }) => command.split(' ').slice(0, 2).join(' '))
    for (const kind of ['agentctl run', 'agentctl permissions', 'agentctl why', 'agentctl replay'])
      expect(kinds).toContain(kind)
    for (const kind of ['agentctl show', 'agentctl fork', 'agentctl export', 'npx vitest'])
      expect(kinds).toContain(kind)
    expect(program).toContain('resumeFork')
  })

  test.each(told)('$command', async ({ command, output }) => {
    const { code, text } = await run(wordsOf(command))
    expect({ code, text: code === 0 ? '' : text }).toEqual({ code: 0, text: '' })
    expect({ missing: missing(output, text), text }).toEqual({ missing: [], text })
    if (reviewed.length > 0) return
    // The review has just ended.
    const denied = await run([MAIN, 'permissions', '--agent', 'clean-up', '--verdict', 'denied', '--json'])
    const decision = JSON.parse(denied.text) as {
      event: { position: number; stream_id: string }
      who: string
    }
    Object.assign(ids, {
      position: String(decision.event.position),
      call: decision.event.stream_id,
      run: decision.who,
    })
    reviewed = await evidence(join(folder, '.project'))
  })

  test('is in the report, under the name of the agent that asked', async () => {
    const report = await readFile(join(folder, '.project/reports/review-sample.md'), 'utf8')
    expect(report).toContain('clean-up was refused the deletion of 1 build leftovers')
  })

  test('stays as it was recorded, byte for byte, and nothing was deleted', async () => {
    expect(reviewed.length).toBeGreaterThan(4)
    expect(await evidence(join(folder, '.project'))).toEqual(reviewed)
    expect(await readFile(join(folder, 'sample/dist/a.js'), 'utf8')).toBe('built\n')
  })
}, 120_000)

test('a page that tells something else than what happens is found out', () => {
  const text = 'one 1\ntwo 22\nthree\n'
  expect(missing(['one 7', '…'], text)).toEqual([])
  expect(missing(['…', 'thr …'], text)).toEqual([])
  expect(missing(['two 1', '…'], text)).toEqual(['two 0'])
  expect(missing(['…', 'four'], text)).toContain('four')
  expect(missing(['one 1'], text)).toHaveLength(1)
})
