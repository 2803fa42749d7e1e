/** Reads the commits behind a folder, newest first, from one `git log`; file names are those of today. */
import { gitFields } from './git.ts'
import type { Repository } from './repository.ts'

export type CommitFile = {
  /** The name the file has today, or had last. */
  readonly file: string
  readonly added: number
  readonly deleted: number
}

export type Commit = {
  readonly hash: string
  /** Author time in milliseconds. */
  readonly time: number
  /** Who, by the mail map; the address in lower case tells people apart. */
  readonly author: { readonly name: string; readonly email: string }
  readonly subject: string
  /** Text files only. */
  readonly files: readonly CommitFile[]
}

/** Enough to know a project by, and read in seconds. */
export const MAX_COMMITS = 5000

const HEADER = '\u0001'

export async function* readHistory(
  repository: Extract<Repository, { kind: 'repository' }>,
  signal?: AbortSignal,
): AsyncGenerator<Commit> {
  const scope = repository.work_tree === repository.root ? [] : ['--relative']
  const fields = gitFields(
    repository,
    [
      'log',
      '-z',
      `--max-count=${MAX_COMMITS}`,
      '--no-merges',
      '--no-ext-diff',
      '--no-textconv',
      '--ignore-submodules=all',
      '--find-renames',
      '--numstat',
      `--format=${HEADER}%H%x00%at%x00%aN%x00%aE%x00%s`,
      ...scope,
      repository.head,
      '--',
      '.',
    ],
    { signal },
  )
  const names = new Map<string, string>()
  let commit: (Omit<Commit, 'files'> & { files: CommitFile[] }) | undefined
  let renames: [from: string, to: string][] = []
  for (let next = await fields.next(); next.done !== true; next = await fields.next()) {
    const field = next.value
    if (field.startsWith(HEADER)) {
      if (commit !== undefined) yield commit
      // A rename holds for what is older than its commit only.
      for (const [from, to] of renames) names.set(from, to)
      renames = []
      commit = await readHeader(field.slice(1), fields)
      continue
    }
    const stat = /^\n?(\d+|-)\t(\d+|-)\t(.*)$/s.exec(field)
    if (stat === null || commit === undefined) continue
    let path = stat[3] ?? ''
    if (path === '') {
      const from = await following(fields)
      path = await following(fields)
      renames.push([from, names.get(path) ?? path])
    }
    if (stat[1] === '-') continue
    commit.files.push({ file: names.get(path) ?? path, added: Number(stat[1]), deleted: Number(stat[2]) })
  }
  if (commit !== undefined) yield commit
}

/** Machines commit too, and know nothing. */
export function isBot(author: Commit['author']): boolean {
  return /\[bot\]|\bbot$|^(renovate|dependabot|github-actions|greenkeeper|semantic-release)/i.test(
    author.name,
  )
}

async function readHeader(
  hash: string,
  fields: AsyncGenerator<string>,
): Promise<Omit<Commit, 'files'> & { files: CommitFile[] }> {
  const time = Number(await following(fields)) * 1000
  const name = await following(fields)
  const email = (await following(fields)).toLowerCase()
  return { hash, time, author: { name, email }, subject: await following(fields), files: [] }
}

async function following(fields: AsyncGenerator<string>): Promise<string> {
  const next = await fields.next()
  return next.done === true ? '' : next.value
}
