/** Proposes to delete build leftovers; the hook refuses, and the agent lists them with the command instead. */
import { z } from 'zod'
import { defineAgent, defineTool, PermissionDeniedError } from '@agent-orchestration/core'
import { reportUp } from './analysis-agents.ts'
import { proposeCleanUp } from './analyses/leftovers.ts'
import { countExecution } from './ledger.ts'
import { taskSchema } from './task-input.ts'
import { taskResult } from './task-result.ts'
import { taskById } from './tasks.ts'

/** Deletes nothing even if a hook allowed it: a review never changes what it reviews. */
export const deleteLeftovers = defineTool({
  name: 'delete-leftovers',
  capabilities: ['execute:file:delete'],
  input: z.object({ paths: z.array(z.string()) }),
  estimate: () => 0,
  inDoubt: 'ask',
  execute: ({ paths }) => {
    throw new Error(`a review deletes nothing, and ${paths.length} paths were about to be deleted`)
  },
})

export const cleanUpAgent = defineAgent({
  id: 'clean-up',
  input: taskSchema,
  run: async (ctx, input) => {
    const task = taskById('clean-up')
    const proposals = await ctx.step('look for leftovers', async ({ idempotency_key: key, signal }) => {
      await countExecution(input.ledger, { task: task.id, phase: 'begun', key })
      const found = await proposeCleanUp({ root: input.root, startedAt: input.started_at, signal })
      await countExecution(input.ledger, { task: task.id, phase: 'ended', key })
      return found
    })
    if (proposals.length === 0) {
      const result = taskResult(task, { facts: { proposals: 0 } })
      await reportUp(task, result)
      return result
    }
    try {
      await ctx.tool(deleteLeftovers, { paths: proposals.map((one) => one.path) })
    } catch (error) {
      if (!(error instanceof PermissionDeniedError)) throw error
      const result = taskResult(task, {
        proposals,
        facts: { proposals: proposals.length },
        refusals: [
          {
            what: `the deletion of ${proposals.length} build leftovers`,
            reason: error.reason,
            alternatives: error.alternatives,
            instead: 'listed them with the command for each',
          },
        ],
      })
      await reportUp(task, result)
      return result
    }
    return taskResult(task, { proposals })
  },
})
