/** The supervisor of one area: takes its handoff, breaks the area into tasks, runs them in parallel, reports up. */
import {
  defineAgent,
  generateHandoff,
  loadHandoff,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type BackgroundAgentResult,
} from '@agent-orchestration/core'
import type { Area } from './analyses/finding.ts'
import { taskSchema } from './task-input.ts'
import { isTaskResult, taskResult, type TaskResult } from './task-result.ts'
import { tasksOf } from './tasks.ts'

const TASK_TIMEOUT_MS = 10 * 60 * 1000

export type AreaResult = {
  readonly area: Area
  readonly tasks: readonly TaskResult[]
  readonly work_ms: number
}

export const supervisorAgent = defineAgent({
  id: 'supervise-*',
  role: 'supervisor',
  input: taskSchema,
  run: async (ctx, input): Promise<AreaResult> => {
    const order = await loadHandoff('orchestrator_to_supervisor')
    const area = order['area'] as Area
    const tasks = tasksOf(area)
    const started = tasks.map((task) =>
      startBackgroundAgent({ agent_id: task.id, task_description: task.description, input }),
    )
    const results = await Promise.all(
      started.map((run) => waitForBackgroundAgent(run, { timeout: TASK_TIMEOUT_MS })),
    )
    const taskResults = results.map((result, index) => {
      const task = tasks[index]
      if (task === undefined || isTaskResult(result.output.value)) return result.output.value as TaskResult
      return taskResult(task, { not_measured: whyNot(result) })
    })
    const findings = taskResults.reduce((sum, result) => sum + result.findings.length, 0)
    await generateHandoff({
      type: 'supervisor_to_orchestrator',
      context: {
        feature: area,
        status: 'completed',
        work_completed: `${tasks.length} tasks, ${findings} findings`,
        blockers: taskResults.flatMap((result) =>
          result.not_measured === null ? [] : [result.not_measured],
        ),
        metrics: { tasks: tasks.length, findings },
      },
    })
    ctx.log(`${area}: ${tasks.length} tasks, ${findings} findings`)
    const work_ms = results.reduce((sum, result) => sum + (result.duration_ms ?? 0), 0)
    return { area, tasks: taskResults, work_ms }
  },
})

/** Why a task has no result: said in the report instead of failing the review. */
function whyNot(result: BackgroundAgentResult): string {
  const errors = result.output.errors?.join('; ') ?? 'no result'
  return `the agent ended as ${result.state}: ${errors}`
}
