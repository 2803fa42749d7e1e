/** Runs the repository's own `lint` and `typecheck` scripts as commands, where they may be trusted. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  defineAgent,
  PermissionDeniedError,
  type AgentDefinition,
  type HandlerContext,
} from '@agent-orchestration/core'
import { reportUp } from './analysis-agents.ts'
import type { Finding } from './analyses/finding.ts'
import { countExecution } from './ledger.ts'
import { taskSchema, type TaskInput } from './task-input.ts'
import { taskResult, type TaskResult } from './task-result.ts'
import { taskById, type Task } from './tasks.ts'

const SCRIPT_TIMEOUT_MS = 45_000

export const scriptAgents: readonly AgentDefinition<TaskInput, TaskResult>[] = ['lint', 'typecheck'].map(
  (script) =>
    defineAgent({
      id: `script-${script}`,
      input: taskSchema,
      run: async (ctx, input) => {
        const task = taskById(`script-${script}`)
        const known = await ctx.step('look for the script', async ({ idempotency_key: key }) => {
          await countExecution(input.ledger, { task: task.id, phase: 'begun', key })
          const has = await hasScript(input.root, script)
          await countExecution(input.ledger, { task: task.id, phase: 'ended', key })
          return has
        })
        const result = known
          ? await runScript(ctx, { task, script, input })
          : taskResult(task, { not_measured: `package.json has no "${script}" script` })
        await reportUp(task, result)
        return result
      },
    }),
)

async function runScript(
  ctx: HandlerContext,
  { task, script, input }: { task: Task; script: string; input: TaskInput },
): Promise<TaskResult> {
  try {
    await ctx.command(`npm run ${script}`, {
      command: 'npm',
      args: ['run', '--silent', script],
      cwd: input.root,
      timeoutMs: SCRIPT_TIMEOUT_MS,
    })
    return taskResult(task, { facts: { script, exit_code: 0 } })
  } catch (error) {
    if (error instanceof PermissionDeniedError) {
      return taskResult(task, {
        not_measured: `its "${script}" script was not run: ${error.reason}`,
        refusals: [
          {
            what: `npm run ${script}`,
            reason: error.reason,
            alternatives: error.alternatives,
            instead: 'reported it as not measured',
          },
        ],
      })
    }
    return failedScript(task, script, error)
  }
}

/** A script that fails is a finding about the repository, not trouble of the review. */
function failedScript(task: Task, script: string, error: unknown): TaskResult {
  const { code, details } = error as { code?: string; details?: { exit_code?: number | null } }
  if (code !== 'COMMAND_FAILED' && code !== 'COMMAND_TIMED_OUT') {
    return taskResult(task, {
      not_measured: `"npm run ${script}" could not be started: ${(error as Error).message}`,
    })
  }
  const how =
    code === 'COMMAND_TIMED_OUT' ? 'did not end in time' : `fails (exit code ${details?.exit_code ?? 'none'})`
  const finding: Finding = {
    rule: `script.${script}`,
    severity: 'medium',
    area: task.area,
    file: 'package.json',
    line: null,
    message: `npm run ${script} ${how}`,
  }
  return taskResult(task, { findings: [finding], facts: { script } })
}

async function hasScript(root: string, script: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts?: object }
    return script in (manifest.scripts ?? {})
  } catch {
    return false // no package.json, or one that npm could not read either
  }
}
