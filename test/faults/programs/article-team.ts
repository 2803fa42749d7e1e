/**
 * An orchestrator, a supervisor and four work agents as in the article, on a project folder, made to be killed at any
 * moment: between handoffs, in the middle of steps, while files of the project are written, while it archives.
 *
 * Arguments: the project folder; a file that gets one line for each event on disk. Prints `done` at the end.
 */
import { appendFileSync } from 'node:fs'
import {
  createRuntime,
  decomposeFeature,
  defineAgent,
  defineRole,
  formatTaskSteps,
  generateHandoff,
  loadHandoff,
  nameSession,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
} from '../../../src/index.ts'

const [path = '', seen = ''] = process.argv.slice(2)

const worker = defineAgent('work-*', async (ctx) => {
  const order = await loadHandoff('supervisor_to_workagent')
  for (const step of order['work_steps'] as string[]) await ctx.step(step, () => step.length)
  await ctx.spend({ usd: 0.01, tokens: 10, what: ctx.agent_id })
  await generateHandoff({ type: 'workagent_completion', context: { work_completed: ctx.agent_id } })
  return { metrics: { order: order['objective'] } }
})

const supervisor = defineRole('supervisor', async () => {
  await startSession({ role: 'supervisor' })
  const handoff = await loadHandoff('orchestrator_to_supervisor')
  const tasks = decomposeFeature(handoff['objective'], handoff['requirements'], [])
  const runs = tasks.map((task) =>
    startBackgroundAgent({ agent_id: `work-${task.id}`, task_description: task.description }),
  )
  for (const task of tasks) {
    await generateHandoff({
      type: 'supervisor_to_workagent',
      context: { work_assignment: formatTaskSteps(task.steps), objective: task.description },
    })
  }
  const results = await Promise.all(runs.map((run) => waitForBackgroundAgent(run, { timeout: 60_000 })))
  await generateHandoff({
    type: 'supervisor_to_orchestrator',
    context: { metrics: { orders: results.map(({ output }) => output.metrics['order']) } },
  })
})

const orchestrator = defineAgent({
  id: 'orchestrator',
  role: 'orchestrator',
  run: async () => {
    await startSession({ role: 'supervisor' })
    await nameSession({ session_name: 'feature-kill', tags: ['feature:kill'] })
    await generateHandoff({
      type: 'orchestrator_to_supervisor',
      context: { objective: 'survive', requirements: ['one', 'two', 'three', 'four'] },
    })
    return (await loadHandoff('supervisor_to_orchestrator', { timeoutMs: 60_000 }))['metrics']
  },
})

const runtime = await createRuntime({
  path,
  agents: [worker, orchestrator],
  roles: [supervisor],
  archiveAfterMs: 0,
  attach: false,
})
runtime.store.subscribe({ fromPosition: 'now' }).subscribe({
  next: ({ event_type }) => appendFileSync(seen, `${event_type}\n`),
})
const run = await runtime.agents.startById({ agent_id: 'orchestrator', run_id: 'run_orchestrator' })
await run.result({ timeoutMs: 60_000 })
const deadline = Date.now() + 30_000
while ((await runtime.sessions.byName('feature-kill'))?.status !== 'archived' && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await runtime.filesSettled()
process.stdout.write('done\n')
await runtime.close()
