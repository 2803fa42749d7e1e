/** A small git repository with something for every analysis to find; the same at each call. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
}

/** Writes the repository into an empty folder. */
export function makeSampleRepository(root: string): void {
  const git = (day: number, ...args: string[]): void => {
    const date = `2026-01-${String(day).padStart(2, '0')}T12:00:00Z`
    execFileSync('git', ['-c', 'commit.gpgsign=false', ...args], {
      cwd: root,
      env: { ...process.env, ...IDENTITY, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
      stdio: 'ignore',
    })
  }
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  git(1, 'init', '--initial-branch=main')
  write(
    'package.json',
    JSON.stringify({ name: 'sample', scripts: { lint: 'echo linted' }, dependencies: { unused: '1' } }),
  )
  write('README.md', '# Sample\n\nSee [the guide](docs/missing.md) and [the code](src/a.ts).\n')
  write('.gitignore', 'dist/\n')
  for (const name of ['a', 'b', 'c', 'd']) write(`src/${name}.ts`, sourceText(name))
  git(1, 'add', '-A')
  git(1, 'commit', '-m', 'begin')
  for (let day = 2; day <= 6; day += 1) {
    write('src/a.ts', `${sourceText('a')}// TODO: change ${day}\n`)
    git(day, 'commit', '-am', `change ${day}`)
  }
  // Built from pieces, so that no secret-looking text stands in this file.
  write('src/config.ts', `export const key = '${['AKIA', 'IOSFODNN7EXAMPLQ'].join('')}'\n`)
  git(7, 'add', '-A')
  git(7, 'commit', '-m', 'add a key')
  write('dist/a.js', 'built\n')
}

function sourceText(name: string): string {
  const lines = Array.from({ length: 90 }, (_, n) => `  total += ${n} * ${name.length} // step ${n}`)
  return `export function ${name}(): number {\n  let total = 0\n${lines.join('\n')}\n  return total\n}\n`
}
