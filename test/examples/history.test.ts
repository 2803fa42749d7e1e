/** Analyses of the history: hot spots and ownership; a bug would look like a wrong count or a lost rename. */
import { describe, expect, test } from 'vitest'
import type { Measurement } from '../../examples/repo-review/analyses/finding.ts'
import { hotSpots } from '../../examples/repo-review/analyses/hot-spots.ts'
import { ownership } from '../../examples/repo-review/analyses/ownership.ts'
import {
  ANNA,
  type Author,
  BEN,
  CLEO,
  ScratchRepository,
  scratchFolder,
  STARTED_AT,
} from './scratch-repository.ts'

const lines = (count: number, word = 'x'): string => `${word}\n`.repeat(count)

function measuredOf(measurement: Measurement): Extract<Measurement, { status: 'measured' }> {
  if (measurement.status === 'not_measured') throw new Error(measurement.why)
  return measurement
}

describe('hotSpots', () => {
  test('commits × lines, over a rename, without merges, binaries, tests and generated files', async () => {
    const repository = new ScratchRepository({
      'src/old name.ts': lines(300),
      'src/other.ts': lines(10),
      'test/a.test.ts': lines(300),
      'package-lock.json': '{}',
      'logo.ts': Buffer.from([0, 1, 2]),
    })
    for (let n = 1; n <= 5; n += 1) {
      repository.write({
        'src/old name.ts': lines(300) + lines(n, 'y'),
        'test/a.test.ts': lines(300 + n),
        'logo.ts': Buffer.from([0, n]),
      })
      repository.commit({ author: n % 2 === 0 ? ANNA : BEN })
    }
    repository.git('mv', 'src/old name.ts', 'src/new.ts')
    repository.commit({ author: CLEO })
    for (let n = 6; n <= 10; n += 1) repository.write({ 'src/new.ts': lines(300) + lines(n, 'y') }).commit()
    repository.git('checkout', '--quiet', '-b', 'side')
    repository.write({ 'src/other.ts': lines(11) }).commit()
    repository.git('checkout', '--quiet', 'main')
    repository.write({ 'a.md': 'a' }).commit()
    repository.git(
      '-c',
      'user.name=M',
      '-c',
      'user.email=m@example.org',
      'merge',
      '--quiet',
      '--no-ff',
      '--no-edit',
      'side',
    )

    const { findings, facts } = measuredOf(await hotSpots(repository.input))
    expect(facts['hot_spots']).toStrictEqual([
      { file: 'src/new.ts', commits: 12, lines: 310, authors: 3, score: 3720 },
      { file: 'src/other.ts', commits: 2, lines: 11, authors: 1, score: 22 },
    ])
    expect(findings).toMatchObject([
      { rule: 'hot-spot', severity: 'low', area: 'history', file: 'src/new.ts', line: null },
    ])
  })

  test('not measured without git', async () => {
    expect(await hotSpots({ root: scratchFolder(), startedAt: STARTED_AT })).toStrictEqual({
      status: 'not_measured',
      why: 'not a git repository',
    })
  })
})

describe('ownership', () => {
  const team = (): ScratchRepository => {
    const repository = new ScratchRepository()
    const areas: [string, readonly Author[]][] = [
      ['src/alone', [ANNA]],
      ['src/shared', [ANNA, BEN, CLEO]],
      ['docs/alone', [BEN]],
    ]
    for (let n = 0; n < 16; n += 1) {
      for (const [area, authors] of areas) {
        const author = authors[n % authors.length] ?? ANNA
        repository.write({ [`${area}/file${n % 4}.ts`]: lines(n + 1) })
        repository.commit({ author, message: n < 12 ? `fix: case ${n}` : 'more', day: '2026-02-01' })
      }
    }
    return repository
  }

  test('names areas that one of several people knows', async () => {
    const { findings, facts } = measuredOf(await ownership(team().input))
    expect(findings.filter(({ rule }) => rule === 'ownership.one-author')).toStrictEqual([
      {
        rule: 'ownership.one-author',
        severity: 'low',
        area: 'history',
        file: 'src/alone/',
        line: null,
        message: 'all 16 commits to these 4 files are by Anna (last 27 days ago): nobody else knows them',
      },
    ])
    expect(facts).toMatchObject({ commits_read: 48, authors: 3, authors_last_year: 3, fix_share: 0.75 })
  })

  test('a project of one person is no news', async () => {
    const repository = new ScratchRepository()
    for (let n = 0; n < 20; n += 1) repository.write({ [`src/a/${n % 4}.ts`]: lines(n + 1) }).commit()
    expect(measuredOf(await ownership(repository.input)).findings).toStrictEqual([])
  })

  test('a file whose commits are mostly fixes', async () => {
    const repository = new ScratchRepository({ 'src/a.ts': 'a\n' })
    for (let n = 0; n < 9; n += 1) {
      repository
        .write({ 'src/a.ts': lines(n + 2) })
        .commit({ message: n === 0 ? 'feat: prefix' : 'fix(core): that' })
    }
    expect(measuredOf(await ownership(repository.input)).findings).toMatchObject([
      {
        rule: 'ownership.mostly-fixes',
        file: 'src/a.ts',
        message: expect.stringMatching(/^8 of its 10 commits/),
      },
    ])
  })
})
