/** The orchestrator: plans the review, starts a supervisor session for each area, and writes the report. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  defineAgent,
  generateHandoff,
  loadHandoff,
  nameSession,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
} from '@agent-orchestration/core'
import { inspectRepository } from './analyses/repository.ts'
import { renderReview } from './render-review.ts'
import { orchestratorSchema } from './review-input.ts'
import type { AreaResult } from './supervisor.ts'
import { AREAS, tasksOf } from './tasks.ts'

const AREA_TIMEOUT_MS = 15 * 60 * 1000

export type ReviewOutput = {
  readonly report: string
  readonly started_at: string
  readonly areas: readonly AreaResult[]
}

export const orchestratorAgent = defineAgent({
  id: 'repo-review',
  role: 'orchestrator',
  input: orchestratorSchema,
  run: async (ctx, input): Promise<ReviewOutput> => {
    const { report: reportPath, ...review } = input
    const repository = await ctx.step('inspect the repository', ({ signal }) =>
      inspectRepository(input.root, { signal }),
    )
    const order = { ...review, started_at: ctx.started_at }

    const supervisors: string[] = []
    for (const area of AREAS) {
      const session = await startSession({ role: 'supervisor' })
      await nameSession({
        session_name: `${input.name}/${area}`,
        tags: [`area:${area}`],
        session_id: session,
      })
      await generateHandoff({
        type: 'orchestrator_to_supervisor',
        context: {
          area,
          objective: `Review the ${area} of ${input.root}`,
          requirements: tasksOf(area).map((task) => task.description),
          success_criteria: ['every task measured, or said why not', 'the reviewed tree unchanged'],
        },
      })
      supervisors.push(
        await startBackgroundAgent({
          agent_id: `supervise-${area}`,
          role: 'supervisor',
          session_id: session.id,
          parent_id: session.id,
          task_description: `review the ${area}`,
          input: order,
        }),
      )
    }
    const results = await Promise.all(
      supervisors.map((run) => waitForBackgroundAgent(run, { timeout: AREA_TIMEOUT_MS })),
    )
    for (const result of results) {
      if (result.status === 'completed') await loadHandoff('supervisor_to_orchestrator')
    }
    const areas = results.map(
      (result, index) => (result.output.value ?? failedArea(index, result.output.errors)) as AreaResult,
    )
    await ctx.step('write the report', async () => {
      const times = [
        { role: 'orchestrator', runs: 1, ms: Date.now() - Date.parse(ctx.started_at) },
        {
          role: 'supervisor',
          runs: results.length,
          ms: sum(results.map((result) => result.duration_ms ?? 0)),
        },
        {
          role: 'workagent',
          runs: areas.flatMap((area) => area.tasks).length,
          ms: sum(areas.map((area) => area.work_ms)),
        },
      ]
      const text = renderReview({ input, repository, areas, startedAt: ctx.started_at, times })
      await mkdir(dirname(reportPath), { recursive: true })
      // Written beside and renamed: a crash leaves the old report or the new one, never half of one.
      await writeFile(`${reportPath}.new`, text)
      await rename(`${reportPath}.new`, reportPath)
    })
    return { report: reportPath, started_at: ctx.started_at, areas }
  },
})

/** An area whose supervisor failed is said to be not measured; the others still count. */
function failedArea(index: number, errors: readonly string[] | undefined): AreaResult {
  const area = AREAS[index] ?? 'code'
  const why = errors?.join('; ') ?? 'its supervisor did not end in time'
  const tasks = tasksOf(area).map((task) => ({
    task: task.id,
    area,
    not_measured: why,
    findings: [],
    facts: {},
    refusals: [],
    proposals: [],
    metrics: { findings: 0 },
  }))
  return { area, tasks, work_ms: 0 }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
