/** Leftovers of builds; a bug would be a proposal to delete work, or a command that means another file. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { leftovers, proposeCleanUp, quoted } from '../../examples/repo-review/analyses/leftovers.ts'
import { ScratchRepository, scratchFolder, STARTED_AT } from './scratch-repository.ts'

describe('leftovers', () => {
  test('tracked ones are findings; lying ones are proposals; sources and installs are neither', async () => {
    const repository = new ScratchRepository({
      '.gitignore': 'dist/\n*.log\nnode_modules/\n.env\n',
      '.DS_Store': 'x',
      'src/a.ts.orig': 'x',
      'dist/a.js': 'xx',
      'dist/b.js': 'xx',
      'build/make.ts': 'x',
      'src/a.ts': 'x',
      'test/fixtures/x.log': 'x',
    }).write({
      'packages/p/dist/c.js': 'xxx',
      'debug.log': 'xxxx',
      'it\'s "here".swp': 'x',
      'node_modules/m/dist/x.js': 'x',
      '.env': 'x',
      'notes.txt': 'x',
      'out/new.ts': 'x',
    })
    expect(await leftovers(repository.input)).toMatchObject({
      findings: [
        { rule: 'leftover.tracked', file: '.DS_Store', severity: 'medium' },
        {
          file: 'dist/',
          message: 'output of a build, tracked although .gitignore excludes it: git should not track it',
        },
        { file: 'src/a.ts.orig' },
      ],
      facts: { tracked: 3, untracked: 3, untracked_bytes: 8 },
    })
    const before = readdirSync(repository.root)
    expect(await proposeCleanUp(repository.input)).toStrictEqual([
      {
        path: '.DS_Store',
        bytes: 1,
        why: 'a file manager made it',
        command: 'git rm -r --cached -- .DS_Store',
      },
      {
        path: 'dist/',
        bytes: 4,
        why: 'output of a build, tracked although .gitignore excludes it',
        command: 'git rm -r --cached -- dist/',
      },
      {
        path: 'src/a.ts.orig',
        bytes: 1,
        why: 'an editor or a merge left it',
        command: 'git rm -r --cached -- src/a.ts.orig',
      },
      { path: 'debug.log', bytes: 4, why: 'a log', command: 'rm -r -- debug.log' },
      {
        path: 'it\'s "here".swp',
        bytes: 1,
        why: 'an editor or a merge left it',
        command: `rm -r -- 'it'\\''s "here".swp'`,
      },
      { path: 'packages/p/dist/', bytes: 3, why: 'output of a build', command: 'rm -r -- packages/p/dist/' },
    ])
    expect(readdirSync(repository.root)).toStrictEqual(before)
  })

  test('every command does what it says, whatever the name', async () => {
    const names = [
      '-rf.orig',
      'a b.orig',
      "q'uote.orig",
      '$HOME `x`.orig',
      '*.orig',
      ':(top)x.orig',
      'back\\slash.orig',
      'é.orig',
      'tab\tnew\nline.orig',
    ]
    const repository = new ScratchRepository(
      Object.fromEntries([['keep.orig.ts', 'x'], ...names.map((name) => [name, 'x'])]),
    )
    const tracked = await proposeCleanUp(repository.input)
    expect(tracked).toHaveLength(names.length)
    for (const { command } of tracked)
      execFileSync('bash', ['-c', command], { cwd: repository.root, stdio: 'pipe' })
    expect(repository.git('ls-files')).toBe('keep.orig.ts\n')
    const lying = await proposeCleanUp(repository.input)
    expect(lying).toHaveLength(names.length)
    for (const { command, path } of lying) {
      expect(existsSync(join(repository.root, path))).toBe(true)
      execFileSync('bash', ['-c', command], { cwd: repository.root, stdio: 'pipe' })
      expect(existsSync(join(repository.root, path))).toBe(false)
    }
    expect(readdirSync(repository.root).sort()).toStrictEqual(['.git', 'keep.orig.ts'])
  })

  test('plain names need no quotes, strange ones one argument', () => {
    expect(quoted('src/a-b_c.ts')).toBe('src/a-b_c.ts')
    for (const name of ['', 'a b', "'", '\n', '\u0001', "\\'", '!x', '~']) {
      expect(execFileSync('bash', ['-c', `printf %s ${quoted(name)}`], { encoding: 'utf8' })).toBe(name)
    }
  })

  test('without git nobody can tell', async () => {
    const input = { root: scratchFolder(), startedAt: STARTED_AT }
    expect(await leftovers(input)).toMatchObject({ status: 'not_measured' })
    expect(await proposeCleanUp(input)).toStrictEqual([])
  })
})
