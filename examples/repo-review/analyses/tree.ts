/** The files a review reads: what git tracks, or a bounded walk where there is no git, and their text. */
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AnalysisInput, compareText } from './finding.ts'
import { git, gitFields, type GitPlace } from './git.ts'
import { openRepository, type Repository } from './repository.ts'
import { isGeneratedPath } from './source-files.ts'

export type Tree = {
  readonly repository: Repository
  readonly root: string
  /** Sorted by code unit; some may be missing on disk (deleted, sparse) or be links. */
  readonly files: readonly string[]
  /** Of `files`: what nobody wrote by hand, by `.gitattributes` or by name. */
  readonly generated: ReadonlySet<string>
}

export type TextFile = { readonly file: string; readonly text: string; readonly bytes: number }

const MAX_TEXT_BYTES = 1024 * 1024

const MAX_WALKED = 50_000
const NOT_WALKED = new Set(
  '.git .hg .svn .project node_modules dist coverage .venv venv __pycache__ .tox .next .cache'.split(' '),
)

/** `undefined` if there is nothing to read at that path; ask `openRepository` why. */
export async function openTree(input: AnalysisInput): Promise<Tree | { readonly unusable: string }> {
  const repository = await openRepository(input.root, input.signal)
  if (repository.kind === 'unusable') return { unusable: repository.why }
  const { root } = repository
  if (repository.kind === 'folder') {
    const files = await walk(root, input.signal)
    return { repository, root, files, generated: new Set(files.filter(isGeneratedPath)) }
  }
  const files = await trackedFiles(repository, repository.kind === 'no_commits', input.signal)
  const marked = await markedGenerated(repository, files, input.signal)
  return {
    repository,
    root,
    files,
    generated: new Set(files.filter((f) => marked.has(f) || isGeneratedPath(f))),
  }
}

/** Each file of the list that is text of a readable size; binary, huge, missing and linked ones are passed over. */
export async function* readTexts(
  root: string,
  files: Iterable<string>,
  signal?: AbortSignal,
): AsyncGenerator<TextFile> {
  for (const file of files) {
    signal?.throwIfAborted()
    const read = await readText(root, file)
    if (read !== undefined) yield read
  }
}

export async function readText(root: string, file: string): Promise<TextFile | undefined> {
  if (file.startsWith('/') || file.split('/').includes('..')) return undefined
  const path = join(root, file)
  try {
    const found = await lstat(path)
    if (!found.isFile() || found.size > MAX_TEXT_BYTES) return undefined
    const handle = await open(path, 'r')
    try {
      const data = await handle.readFile()
      if (data.subarray(0, 8000).includes(0)) return undefined
      // The mark is no part of the first line.
      return { file, text: data.toString('utf8').replace(/^\uFEFF/, ''), bytes: data.length }
    } finally {
      await handle.close()
    }
  } catch {
    // Gone or unreadable since it was listed: there is nothing to say about its contents.
    return undefined
  }
}

/** Lines as git counts them: ended by a line feed; a last empty one is none. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

async function trackedFiles(place: GitPlace, untrackedToo: boolean, signal?: AbortSignal): Promise<string[]> {
  const which = untrackedToo ? ['--cached', '--others', '--exclude-standard'] : ['--cached']
  const files = new Set<string>()
  // With a conflict open, git lists a path once per side.
  for await (const file of gitFields(place, ['ls-files', '-z', ...which], { signal })) files.add(file)
  return [...files].sort(compareText)
}

async function markedGenerated(
  place: GitPlace,
  files: readonly string[],
  signal?: AbortSignal,
): Promise<Set<string>> {
  const marked = new Set<string>()
  if (files.length === 0) return marked
  const answer = await git(
    place,
    ['check-attr', '-z', '--stdin', 'linguist-generated', 'linguist-vendored'],
    { signal, input: files.join('\0') + '\0' },
  ).catch(() => '')
  signal?.throwIfAborted()
  const fields = answer.split('\0')
  for (let i = 0; i + 2 < fields.length; i += 3) {
    if (fields[i + 2] === 'set' || fields[i + 2] === 'true') marked.add(fields[i] ?? '')
  }
  return marked
}

async function walk(root: string, signal?: AbortSignal): Promise<string[]> {
  const files: string[] = []
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal?.throwIfAborted()
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])
    // Sorted, so that the limit cuts at the same place every time.
    for (const entry of entries.sort((a, b) => compareText(a.name, b.name))) {
      if (entry.isDirectory() && !NOT_WALKED.has(entry.name)) folders.push(`${folder}${entry.name}/`)
      else if (entry.isFile()) files.push(folder + entry.name)
    }
    if (files.length > MAX_WALKED) break
  }
  return files.slice(0, MAX_WALKED).sort(compareText)
}
