/** Brings what the areas returned into the shape of the report. */
import { createRateCard } from '@agent-orchestration/core'
import type { Measurement } from './analyses/finding.ts'
import type { RepositoryFacts } from './analyses/repository.ts'
import { renderReview as renderReport } from './report/report.ts'
import type { ReviewInput } from './review-input.ts'
import type { AreaResult } from './supervisor.ts'
import type { TaskResult } from './task-result.ts'
import { taskById } from './tasks.ts'

export type ReviewParts = {
  readonly input: ReviewInput
  readonly repository: RepositoryFacts
  readonly areas: readonly AreaResult[]
  readonly startedAt: string
  /** How long each role was at work, in ms. */
  readonly times: readonly { readonly role: string; readonly runs: number; readonly ms: number }[]
}

/** The report as Markdown; pure, and the same parts give the same bytes. */
export function renderReview({ input, repository, areas, startedAt, times }: ReviewParts): string {
  const tasks = areas.flatMap((area) => area.tasks)
  const rates = createRateCard()
  return renderReport({
    name: input.name,
    repository,
    started_at: startedAt,
    commit: input.commit,
    sections: tasks.map((task) => ({
      area: task.area,
      title: taskById(task.task).description,
      measurement: measurementOf(task),
    })),
    refusals: tasks.flatMap((task) => task.refusals.map((refusal) => ({ ...refusal, who: task.task }))),
    proposals: tasks.flatMap((task) => task.proposals),
    billing: times.map(({ role, runs, ms }) => ({
      role,
      runs,
      seconds: (ms / 1000).toFixed(1),
      usd: rates.costOfTime(role, ms).usd.toFixed(4),
    })),
    timings: areas.map((area) => ({ what: area.area, ms: area.work_ms })),
    run: { agents: tasks.length + areas.length + 1 },
  })
}

function measurementOf(task: TaskResult): Measurement {
  return task.not_measured === null
    ? { status: 'measured', findings: task.findings, facts: task.facts }
    : { status: 'not_measured', why: task.not_measured }
}
