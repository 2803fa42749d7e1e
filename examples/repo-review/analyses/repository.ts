/** Looks at a path and says what it is to a review: a repository with or without history, a plain folder, or unusable. */
import { realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { git, GitError, type GitPlace } from './git.ts'

export type Repository =
  | {
      readonly kind: 'repository'
      /** The reviewed folder, without symbolic links; every file name is relative to it. */
      readonly root: string
      /** The top of the work tree that holds it: `root` itself, or above it. */
      readonly work_tree: string
      readonly head: string
      /** The last commits only: ages and histories would be wrong. */
      readonly shallow: boolean
      /** Earlier contents are on a server: reading them would download. */
      readonly partial: boolean
      readonly overrides: readonly string[]
    }
  | {
      readonly kind: 'no_commits'
      readonly root: string
      readonly work_tree: string
      readonly overrides: readonly string[]
      readonly why: string
    }
  | { readonly kind: 'folder'; readonly root: string; readonly reason: FolderReason; readonly why: string }
  | {
      readonly kind: 'unusable'
      readonly root: string
      readonly reason: UnusableReason
      readonly why: string
    }

export type FolderReason = 'not_a_repository' | 'not_tracked' | 'git_missing' | 'git_refused'
export type UnusableReason = 'missing' | 'not_a_folder' | 'unreadable' | 'bare'

/** `Repository` with what a report's head says about it. */
export type RepositoryFacts = Repository & { readonly branch: string | null; readonly dirty: boolean | null }

export async function openRepository(path: string, signal?: AbortSignal): Promise<Repository> {
  const asked = resolve(path)
  const unusable = await whyUnusable(asked)
  if (unusable !== undefined) return { kind: 'unusable', root: asked, ...unusable }
  const root = await realpath(asked)
  const place: GitPlace = { root, overrides: [] }
  try {
    return await openWithGit(place, signal)
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    return { kind: 'folder', root, ...whyFolder(error) }
  }
}

export async function inspectRepository(
  path: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<RepositoryFacts> {
  const repository = await openRepository(path, options.signal)
  if (repository.kind !== 'repository') return { ...repository, branch: null, dirty: null }
  const [branch, changed] = await Promise.all([
    git(repository, ['symbolic-ref', '--quiet', '--short', 'HEAD'], options).catch(nothingIfRefused),
    git(
      repository,
      ['status', '--porcelain', '-z', '--untracked-files=no', '--ignore-submodules=all'],
      options,
    ).catch(nothingIfRefused),
  ])
  return {
    ...repository,
    branch: branch?.trim() ?? null,
    dirty: changed === undefined ? null : changed !== '',
  }
}

/** Why nothing can be said about earlier commits, or `undefined` if it can. */
export function whyNoHistory(repository: Repository): string | undefined {
  if (repository.kind !== 'repository') return repository.why
  if (repository.shallow)
    return 'shallow clone: earlier commits are not here (git fetch --unshallow brings them)'
  if (repository.partial) return 'partial clone: contents of earlier commits are not here'
  return undefined
}

async function openWithGit(place: GitPlace, signal: AbortSignal | undefined): Promise<Repository> {
  const { root } = place
  const options = { signal }
  const flags = await git(
    place,
    ['rev-parse', '--is-bare-repository', '--is-inside-work-tree', '--is-shallow-repository'],
    options,
  )
  const [bare, inside, shallow] = flags.split('\n').map((line) => line === 'true')
  if (bare === true || inside !== true) {
    return { kind: 'unusable', root, reason: 'bare', why: 'a bare repository: it has no files to review' }
  }
  const [top, settings, head, anyTracked] = await Promise.all([
    git(place, ['rev-parse', '--show-toplevel'], options),
    git(place, ['config', '--list', '--name-only', '-z'], options),
    git(place, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], options).catch(nothingIfRefused),
    git(place, ['ls-files', '-z', '--cached', '--', '.'], options),
  ])
  const work_tree = resolve(top.replace(/\n$/, ''))
  const overrides = overridesFor(settings.split('\0'))
  if (work_tree !== root && anyTracked === '') {
    const why = 'not a git repository: the folder lies inside one that tracks nothing of it'
    return { kind: 'folder', root, reason: 'not_tracked', why }
  }
  if (head === undefined) {
    return { kind: 'no_commits', root, work_tree, overrides, why: 'the repository has no commits yet' }
  }
  const partial = settings.split('\0').some((name) => name.toLowerCase() === 'extensions.partialclone')
  return {
    kind: 'repository',
    root,
    work_tree,
    head: head.trim(),
    shallow: shallow === true,
    partial,
    overrides,
  }
}

/** Content filters are commands in the configuration; an empty command is none. */
function overridesFor(names: readonly string[]): string[] {
  const drivers = new Set(names.flatMap((name) => /^filter\.(.+)\.[a-z]+$/is.exec(name)?.[1] ?? []))
  return [...drivers].flatMap((driver) => [
    `filter.${driver}.clean=`,
    `filter.${driver}.smudge=`,
    `filter.${driver}.process=`,
    `filter.${driver}.required=false`,
  ])
}

async function whyUnusable(path: string): Promise<{ reason: UnusableReason; why: string } | undefined> {
  try {
    if ((await stat(path)).isDirectory()) return undefined
    return { reason: 'not_a_folder', why: 'the path is a file: give the folder that holds it' }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return { reason: 'missing', why: 'the path does not exist' }
    return { reason: 'unreadable', why: `the path cannot be read (${code ?? 'unknown reason'})` }
  }
}

function whyFolder(error: GitError): { reason: FolderReason; why: string } {
  if (error.code === 'GIT_MISSING')
    return { reason: 'git_missing', why: 'git is not installed on this machine' }
  if (/not a git repository/.test(error.said))
    return { reason: 'not_a_repository', why: 'not a git repository' }
  // Git's own words can hold absolute paths; the first clause says enough.
  const said = error.said.replace(/ (at|in) '.*$/, '')
  return { reason: 'git_refused', why: `git refuses to read the repository: ${said || 'no reason given'}` }
}

function nothingIfRefused(error: unknown): undefined {
  if (error instanceof GitError && error.code === 'GIT_FAILED') return undefined
  throw error
}
