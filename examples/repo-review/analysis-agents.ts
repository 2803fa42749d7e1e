/** One agent for each plain analysis: it measures in a recorded step and reports to its supervisor. */
import { defineAgent, generateHandoff, type AgentDefinition } from '@agent-orchestration/core'
import type { Analysis } from './analyses/finding.ts'
import { countExecution } from './ledger.ts'
import { taskSchema, type TaskInput } from './task-input.ts'
import { taskResult, type TaskResult } from './task-result.ts'
import { TASKS, type Task } from './tasks.ts'

export const analysisAgents: readonly AgentDefinition<TaskInput, TaskResult>[] = TASKS.flatMap((task) =>
  task.analysis === undefined ? [] : [analysisAgent(task, task.analysis)],
)

function analysisAgent(task: Task, analysis: Analysis): AgentDefinition<TaskInput, TaskResult> {
  return defineAgent({
    id: task.id,
    input: taskSchema,
    run: async (ctx, input) => {
      const measurement = await ctx.step('measure', async ({ idempotency_key: key, signal }) => {
        await countExecution(input.ledger, { task: task.id, phase: 'begun', key })
        const { root, started_at: startedAt } = input
        const measured = await analysis({ root, startedAt, signal, log: (line) => ctx.log(line) })
        await countExecution(input.ledger, { task: task.id, phase: 'ended', key })
        return measured
      })
      const result =
        measurement.status === 'measured'
          ? taskResult(task, { findings: measurement.findings, facts: measurement.facts })
          : taskResult(task, { not_measured: measurement.why })
      await reportUp(task, result)
      return result
    },
  })
}

/** The completion handoff of a task, to the supervisor that started it. */
export async function reportUp(task: Task, result: TaskResult): Promise<void> {
  const { findings, not_measured } = result
  await generateHandoff({
    type: 'workagent_completion',
    context: {
      work_completed: `${task.description}: ${not_measured === null ? `${findings.length} findings` : 'not measured'}`,
      blockers: not_measured === null ? [] : [not_measured],
      next_steps: 'Ready for supervisor review',
    },
  })
}
