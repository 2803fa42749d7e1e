/** Every analysis on this repository itself; a bug would be a second answer that differs, a slow review, or a changed tree. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { brokenLinks } from '../../examples/repo-review/analyses/broken-links.ts'
import { dependencies } from '../../examples/repo-review/analyses/dependencies.ts'
import type { Analysis } from '../../examples/repo-review/analyses/finding.ts'
import { hotSpots } from '../../examples/repo-review/analyses/hot-spots.ts'
import { leftovers } from '../../examples/repo-review/analyses/leftovers.ts'
import { oversizedFiles } from '../../examples/repo-review/analyses/oversized-files.ts'
import { ownership } from '../../examples/repo-review/analyses/ownership.ts'
import { readme } from '../../examples/repo-review/analyses/readme.ts'
import { secrets } from '../../examples/repo-review/analyses/secrets.ts'
import { structure } from '../../examples/repo-review/analyses/structure.ts'
import { todoAge } from '../../examples/repo-review/analyses/todo-age.ts'
import { ScratchRepository, scratchFolder, STARTED_AT } from './scratch-repository.ts'

const ALL: readonly Analysis[] = [
  hotSpots,
  todoAge,
  brokenLinks,
  dependencies,
  secrets,
  oversizedFiles,
  structure,
  leftovers,
  ownership,
  readme,
]

const review = async (root: string): Promise<string[]> => {
  const measurements = await Promise.all(ALL.map((analysis) => analysis({ root, startedAt: STARTED_AT })))
  return measurements.map((one) => JSON.stringify(one))
}

test('the same tree gives the same bytes, all values survive JSON, and nothing is changed', async () => {
  const repository = new ScratchRepository({
    'README.md': '# A\n\n[gone](gone.md)\n',
    'package.json': '{ "dependencies": { "idle": "1" } }',
    'src/a.ts': `import 'missing'\n// TODO: x\n${'y\n'.repeat(500)}`,
    '.DS_Store': 'x',
  })
  const status = repository.git('status', '--porcelain', '--ignored')
  const first = await review(repository.root)
  expect(await review(repository.root)).toStrictEqual(first)
  expect(repository.git('status', '--porcelain', '--ignored')).toBe(status)
  expect(first.filter((one) => one.includes('"not_measured"'))).toStrictEqual([])
})

test('a folder without git, an empty one and a missing one end well', async () => {
  for (const root of [scratchFolder(), `${scratchFolder()}/none`]) {
    for (const measurement of await review(root)) expect(measurement).toMatch(/^\{"status":/)
  }
})

test('this repository is reviewed within the time that the main job has, and left as it was', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const started = performance.now()
  const index = (): string => execFileSync('git', ['-C', root, 'ls-files', '--stage'], { encoding: 'utf8' })
  const before = index()
  const secretsFound = await secrets({ root, startedAt: STARTED_AT })
  await review(root)
  expect(performance.now() - started).toBeLessThan(25_000)
  expect(index()).toBe(before)
  expect(secretsFound).toMatchObject({ findings: [] })
})
