/** Holds the documents to the code: each error code explained, each example compiles, each link leads somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readMarkdown, type MarkdownFile } from '../examples/repo-review/analyses/markdown.ts'
import { compilerWords } from './architecture/compiler-words.ts'
import { root } from './architecture/source-file.ts'

const PAGES = ['README.md', 'DESIGN.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...listed('docs', '.md')].filter(
  (page) => existsSync(join(root, page)),
)
const sources = ['eventstore', 'machines', 'actors', 'src']
  .flatMap((folder) => listed(folder, '.ts'))
  .map(read)

const UNION = /type \w*ErrorCode\s*=(?:\s*\|?\s*'\w+')+/g

describe('docs/errors.md', () => {
  const rows = new Map(
    Array.from(
      read('docs/errors.md').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|(.*)\|$/gm),
      ([, code = '', cells = '']) => [code, cells.split(' | ').map((cell) => cell.trim())] as const,
    ),
  )

  test('the codes are found where they are declared', () => {
    expect(codes()).toEqual(expect.arrayContaining(['ES_LOCKED', 'PM_DENIED', 'COMMAND_FAILED', 'CLI_USAGE']))
    expect(codes().length).toBeGreaterThan(60)
  })

  test('every code that is declared can happen', () => {
    expect(codes().filter((code) => !canHappen(code))).toEqual([])
  })

  test.each(codes().filter(canHappen))('says when %s happens and what to do', (code) => {
    const [when = '', todo = ''] = rows.get(code) ?? []
    expect({ code, when: when.length > 10, todo: todo.length > 10 }).toEqual({ code, when: true, todo: true })
  })

  test('explains no code that is gone', () => {
    const known = new Set(codes())
    expect([...rows.keys()].filter((code) => !known.has(code))).toEqual([])
  })
})

test.each(PAGES)('%s names nothing in capitals that the sources do not know', (page) => {
  const text = sources.join('\n')
  const named = Array.from(read(page).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g), ([, name = '']) => name)
  expect(named.filter((name) => !text.includes(name))).toEqual([])
})

test.each(PAGES)('%s has only links that lead somewhere', (page) => {
  const dead = readMarkdown(read(page)).links.filter(({ target }) => !leadsSomewhere(page, target))
  expect(dead).toEqual([])
})

test('every TypeScript example in the documents compiles strictly against the package', async () => {
  const folder = join(root, 'node_modules/.cache/docs-examples')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const files = PAGES.flatMap(examplesOf)
  expect(files.length).toBeGreaterThan(5)
  for (const { name, code } of files) await writeFile(join(folder, name), code)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(configFor(files.map(({ name }) => name))))
  // Each file is named after its page and line, so that the compiler's words lead there.
  expect(await compilerWords(folder)).toEqual([])
}, 120_000)

type Example = { readonly name: string; readonly code: string }

/** The `ts` blocks of a page, each a module of its own; a block marked `ts continued` goes on where the last ended. */
function examplesOf(page: string): Example[] {
  const text = read(page)
  const examples: { name: string; code: string }[] = []
  for (const match of text.matchAll(/^```ts( continued)?\n([^]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split('\n').length
    const last = examples.at(-1)
    if (match[1] !== undefined && last !== undefined) last.code += match[2]
    else
      examples.push({
        name: `${page.replaceAll('/', '-')}-line-${line}.mts`,
        code: `export {}\n${match[2]}`,
      })
  }
  return examples
}

/** The project's own strictness; the package's names lead to its sources, so that no build has to come first. */
function configFor(files: readonly string[]): object {
  return {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: true,
      rootDir: '../../..',
      noUnusedLocals: false,
      noUnusedParameters: false,
      paths: {
        '@agent-orchestration/core': ['../../../src/index.ts'],
        '@agent-orchestration/core/eventstore': ['../../../eventstore/index.ts'],
        '@agent-orchestration/core/testing': ['../../../src/testing/index.ts'],
      },
    },
    include: [],
    files,
  }
}

/** Every error code in the sources: those of the unions called `…ErrorCode`, and those given as `code` alone. */
function codes(): string[] {
  const found = new Set<string>()
  for (const text of sources) {
    for (const [union] of text.matchAll(UNION)) {
      for (const [, code = ''] of union.matchAll(/'(\w+)'/g)) found.add(code)
    }
    for (const [, code = ''] of text.matchAll(/\bcode(?::| =)\s*'([A-Z][A-Z0-9_]+)'/g)) found.add(code)
  }
  return [...found].sort()
}

/** Whether a code stands anywhere but in its declaration. */
function canHappen(code: string): boolean {
  const uses = (text: string): number => text.split(`'${code}'`).length - 1
  return sources.some((text) => uses(text) > uses([...text.matchAll(UNION)].join('\n')))
}

function leadsSomewhere(page: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true
  const [path = '', anchor = ''] = target.split('#')
  const file = path === '' ? page : join(dirname(page), path)
  if (!existsSync(join(root, file))) return false
  return anchor === '' || markdown(file).anchors.has(anchor)
}

function markdown(file: string): MarkdownFile {
  return readMarkdown(read(file))
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function listed(folder: string, end: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(end))
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .sort()
}
