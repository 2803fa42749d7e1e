/** The areas of a review and the tasks each is broken into. */
import { brokenLinks } from './analyses/broken-links.ts'
import { dependencies } from './analyses/dependencies.ts'
import type { Analysis, Area } from './analyses/finding.ts'
import { hotSpots } from './analyses/hot-spots.ts'
import { leftovers } from './analyses/leftovers.ts'
import { oversizedFiles } from './analyses/oversized-files.ts'
import { ownership } from './analyses/ownership.ts'
import { readme } from './analyses/readme.ts'
import { secrets } from './analyses/secrets.ts'
import { todoAge } from './analyses/todo-age.ts'

export type Task = {
  readonly id: string
  readonly area: Area
  readonly description: string
  /** What an analysis agent measures; other agents have code of their own. */
  readonly analysis?: Analysis
}

export const AREAS: readonly Area[] = ['code', 'history', 'documents', 'dependencies']

export const TASKS: readonly Task[] = [
  { id: 'todo-age', area: 'code', description: 'TODO and FIXME comments with their age', analysis: todoAge },
  { id: 'secrets', area: 'code', description: 'possible secrets, by rule', analysis: secrets },
  { id: 'oversized-files', area: 'code', description: 'files that are too large', analysis: oversizedFiles },
  { id: 'deep-review', area: 'code', description: 'a close reading of the largest files' },
  {
    id: 'hot-spots',
    area: 'history',
    description: 'files that are large and change often',
    analysis: hotSpots,
  },
  { id: 'ownership', area: 'history', description: 'files only one person knows', analysis: ownership },
  {
    id: 'broken-links',
    area: 'documents',
    description: 'relative links that lead nowhere',
    analysis: brokenLinks,
  },
  { id: 'readme', area: 'documents', description: 'what a newcomer looks for first', analysis: readme },
  {
    id: 'npm-dependencies',
    area: 'dependencies',
    description: 'unused and undeclared packages',
    analysis: dependencies,
  },
  {
    id: 'leftovers',
    area: 'dependencies',
    description: 'build leftovers that are tracked',
    analysis: leftovers,
  },
  { id: 'clean-up', area: 'dependencies', description: 'build leftovers that could be removed' },
  { id: 'script-lint', area: 'code', description: "the repository's own lint script" },
  { id: 'script-typecheck', area: 'code', description: "the repository's own typecheck script" },
]

export function tasksOf(area: Area): readonly Task[] {
  return TASKS.filter((task) => task.area === area)
}

export function taskById(id: string): Task {
  const task = TASKS.find((one) => one.id === id)
  if (task === undefined) throw new Error(`there is no task "${id}"`)
  return task
}
