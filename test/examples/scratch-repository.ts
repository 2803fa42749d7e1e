/** Small real git repositories in the temporary folder, the same commits on every machine; gone after each test. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { devNull, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'

export type Author = { readonly name: string; readonly email: string }

export const ANNA: Author = { name: 'Anna', email: 'anna@example.org' }
export const BEN: Author = { name: 'Ben', email: 'ben@example.org' }
export const CLEO: Author = { name: 'Cleo', email: 'cleo@example.org' }

/** The recorded start of the reviews in these tests. */
export const STARTED_AT = '2026-03-01T00:00:00.000Z'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

export function scratchFolder(): string {
  // The real path: git and the analyses answer with it where the temporary folder is a link.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'repo-review-')))
  folders.push(folder)
  return folder
}

export class ScratchRepository {
  readonly root: string

  constructor(files: Readonly<Record<string, string | Buffer>> = {}) {
    this.root = scratchFolder()
    this.git('init', '--quiet', '--initial-branch=main')
    if (Object.keys(files).length > 0) {
      this.write(files)
      this.commit()
    }
  }

  get input(): { root: string; startedAt: string } {
    return { root: this.root, startedAt: STARTED_AT }
  }

  write(files: Readonly<Record<string, string | Buffer>>): this {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, name)), { recursive: true })
      writeFileSync(join(this.root, name), content)
    }
    return this
  }

  /** Everything that lies there, at noon of a day. */
  commit(options: { day?: string; author?: Author; message?: string } = {}): this {
    const { day = '2026-01-01', author = ANNA, message = 'change' } = options
    this.git('add', '--all', '--force')
    const date = `${day}T12:00:00Z`
    this.git(
      '-c',
      `user.name=${author.name}`,
      '-c',
      `user.email=${author.email}`,
      ...commitWith(message),
      `--date=${date}`,
    )
    return this
  }

  git(...args: string[]): string {
    return execFileSync(
      'git',
      ['-C', this.root, '-c', 'commit.gpgsign=false', '-c', 'core.autocrlf=false', ...args],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          GIT_CONFIG_GLOBAL: devNull,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_COMMITTER_DATE: '2026-01-01T12:00:00Z',
        },
      },
    )
  }
}

function commitWith(message: string): string[] {
  return ['commit', '--quiet', '--allow-empty', `--message=${message}`]
}
