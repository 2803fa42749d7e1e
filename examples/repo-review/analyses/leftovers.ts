/** Leftovers of builds and editors: tracked ones are findings, lying ones are proposals; nothing is ever deleted here. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Analysis,
  type AnalysisInput,
  compareText,
  type Finding,
  measured,
  notMeasured,
} from './finding.ts'
import { git, gitFields } from './git.ts'
import { isFixture, isTestFile } from './source-files.ts'
import { openTree, type Tree } from './tree.ts'

export type CleanUpProposal = {
  readonly path: string
  readonly bytes: number
  readonly why: string
  /** For a POSIX shell in the reviewed folder; shown to the user, never run. */
  readonly command: string
}

type Kind = { readonly why: string; readonly pattern: RegExp }

/** Nobody ever means to track these. */
const JUNK: readonly Kind[] = [
  { why: 'a file manager made it', pattern: /^(\.DS_Store|Thumbs\.db|desktop\.ini)$/ },
  { why: 'an editor or a merge left it', pattern: /(\.orig|\.rej|\.swp|\.swo|~)$/ },
  { why: 'compiled code', pattern: /\.(pyc|pyo|class)$|^__pycache__$/ },
  { why: 'a compiler’s notes to itself', pattern: /\.tsbuildinfo$|^\.eslintcache$|^\.stylelintcache$/ },
  { why: 'a crashed command’s log', pattern: /^(npm|yarn|pnpm|lerna)-(debug|error)\.log(\..*)?$/ },
  { why: 'a report of test coverage', pattern: /^(\.nyc_output|\.coverage|htmlcov)$/ },
]

/** Sources in one project, leftovers in another: leftovers only where git is told to ignore them. */
const OUTPUT: readonly Kind[] = [
  {
    why: 'output of a build',
    pattern: /^(dist|build|out|target|\.next|\.nuxt|\.output|\.turbo|\.parcel-cache|\.svelte-kit)$/,
  },
  { why: 'a report of test coverage', pattern: /^coverage$/ },
  { why: 'a cache of a tool', pattern: /^(\.pytest_cache|\.mypy_cache|\.ruff_cache|\.cache|\.tox)$/ },
  { why: 'a log', pattern: /\.log$/ },
  { why: 'a packed package', pattern: /\.tgz$/ },
]

const CONTROL = /\p{Cc}/u

/** Not leftovers: what an install or a run needs. */
const KEPT = /^(node_modules|\.git|\.project|\.venv|venv)$/
const MAX_PROPOSALS = 100
const MAX_COUNTED = 100_000

export const leftovers: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  if (tree.repository.kind === 'folder')
    return notMeasured(`${tree.repository.why}: tracked and untracked look alike`)
  const { tracked, lying } = await readLeftovers(tree, input)
  const findings = tracked.map(findingOf)
  input.log?.(`${tracked.length} tracked, ${lying.length} lying in the tree`)
  const bytes = lying.reduce((sum, one) => sum + one.bytes, 0)
  return measured(findings, { tracked: tracked.length, untracked: lying.length, untracked_bytes: bytes })
}

/** What could be removed, and how; empty where nothing can be said. */
export async function proposeCleanUp(input: AnalysisInput): Promise<CleanUpProposal[]> {
  const tree = await openTree(input)
  if ('unusable' in tree || tree.repository.kind === 'folder') return []
  const { tracked, lying } = await readLeftovers(tree, input)
  const all = [
    ...tracked.map((one) => ({
      ...one,
      command: `${gitFor(one.path)} rm -r --cached -- ${quoted(one.path)}`,
    })),
    ...lying.map((one) => ({ ...one, command: `rm -r -- ${quoted(one.path)}` })),
  ]
  return all.slice(0, MAX_PROPOSALS)
}

/** One argument of a POSIX shell, whatever is in it. */
export function quoted(path: string): string {
  if (/^[\w./@+,-]+$/.test(path)) return path
  // Control characters would break the line they are shown in.
  if (CONTROL.test(path)) {
    const escaped = path.replace(/[\\']/g, '\\$&').replace(new RegExp(CONTROL, 'gu'), octal)
    return `$'${escaped}'`
  }
  return `'${path.replaceAll("'", `'\\''`)}'`
}

type Leftover = { readonly path: string; readonly bytes: number; readonly why: string }

async function readLeftovers(
  tree: Tree,
  input: AnalysisInput,
): Promise<{ tracked: Leftover[]; lying: Leftover[] }> {
  const { repository } = tree
  if (repository.kind === 'folder' || repository.kind === 'unusable') return { tracked: [], lying: [] }
  const { signal } = input
  const [ignored, others] = await Promise.all([
    git(repository, ['ls-files', '-z', '--cached', '--ignored', '--exclude-standard'], { signal }),
    untracked(tree, signal),
  ])
  const againstRules = new Set(ignored.split('\0'))
  const found = new Map<string, string>()
  for (const file of tree.files) {
    if (isFixture(file) || isTestFile(file)) continue
    const junk = firstMatch(file, JUNK)
    const output = againstRules.has(file) ? firstMatch(file, OUTPUT) : undefined
    const hit = junk ?? output
    if (hit !== undefined)
      found.set(hit.path, hit.why + (junk === undefined ? ', tracked although .gitignore excludes it' : ''))
  }
  const lying = new Map<string, string>()
  for (const path of others) {
    const hit = firstMatch(path, [...JUNK, ...OUTPUT])
    if (hit !== undefined && !found.has(hit.path)) lying.set(hit.path, hit.why)
  }
  return {
    tracked: await withBytes(tree.root, found, signal),
    lying: await withBytes(tree.root, lying, signal),
  }
}

/** What git does not track: whole folders as one, ignored or not. */
async function untracked(tree: Tree, signal?: AbortSignal): Promise<string[]> {
  const { repository } = tree
  if (repository.kind !== 'repository' && repository.kind !== 'no_commits') return []
  const paths: string[] = []
  const args = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory']
  for await (const path of gitFields(repository, args, { signal })) paths.push(path)
  const plain = ['ls-files', '-z', '--others', '--exclude-standard']
  if (repository.kind === 'repository')
    for await (const path of gitFields(repository, plain, { signal })) {
      // Not ignored: perhaps work in progress, so only what is junk by name.
      if (firstMatch(path, JUNK) !== undefined) paths.push(path)
    }
  return paths.filter((path) => !path.split('/').some((part) => KEPT.test(part)))
}

/** The outermost part of the path that is a leftover; a folder with its slash. */
function firstMatch(path: string, kinds: readonly Kind[]): { path: string; why: string } | undefined {
  const parts = path.split('/')
  for (const [index, part] of parts.entries()) {
    const kind = part === '' ? undefined : kinds.find(({ pattern }) => pattern.test(part))
    if (kind === undefined) continue
    const upTo = parts.slice(0, index + 1).join('/')
    return { path: index < parts.length - 1 ? `${upTo}/` : upTo, why: kind.why }
  }
  return undefined
}

async function withBytes(
  root: string,
  found: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<Leftover[]> {
  const all: Leftover[] = []
  for (const [path, why] of [...found].sort((a, b) => compareText(a[0], b[0]))) {
    all.push({ path, why, bytes: await bytesOf(join(root, path), signal) })
  }
  return all
}

async function bytesOf(path: string, signal?: AbortSignal): Promise<number> {
  let bytes = 0
  const left = [path]
  for (let counted = 0; left.length > 0 && counted < MAX_COUNTED; counted += 1) {
    signal?.throwIfAborted()
    const next = left.pop() ?? ''
    const found = await lstat(next).catch(() => undefined)
    if (found?.isDirectory() === true) {
      for (const name of await readdir(next).catch(() => [])) left.push(join(next, name))
    } else bytes += found?.size ?? 0
  }
  return bytes
}

function findingOf({ path, why }: Leftover): Finding {
  return {
    rule: 'leftover.tracked',
    severity: 'medium',
    area: 'code',
    file: path,
    line: null,
    message: `${why}: git should not track it`,
  }
}

/** Git reads some names as patterns. */
function gitFor(path: string): string {
  return /^:|[*?[\\]/.test(path) ? 'git --literal-pathspecs' : 'git'
}

function octal(char: string): string {
  return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
}
