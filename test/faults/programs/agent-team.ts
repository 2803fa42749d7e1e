/**
 * A supervisor with four workers on a project folder, made to be killed at any moment.
 *
 * Arguments: the project folder, a file that gets one line per executed step. The run is `run_team`; it is started
 * if it is not there, and goes on by itself if it is. Prints `result <json>` at the end.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import {
  createRuntime,
  defineAgent,
  defineTool,
  generateHandoff,
  loadHandoff,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
} from '../../../src/index.ts'

const [path = '', executions = ''] = process.argv.slice(2)
const did = (what: string): void => appendFileSync(executions, `${what}\n`)

const measure = defineTool({
  name: 'measure',
  capabilities: ['execute:measure'],
  input: z.object({ of: z.number() }),
  estimate: () => 0,
  inDoubt: 'retry',
  execute: async ({ of }) => {
    await sleep(5)
    did(`measure ${of}`)
    return of * of
  },
})

const worker = defineAgent('work-*', async (ctx) => {
  const order = await loadHandoff('supervisor_to_workagent')
  const n = order['n'] as number
  const parts: number[] = []
  for (const part of [1, 2, 3]) {
    const value = await ctx.step(`part ${part}`, async () => {
      await sleep(5)
      did(`part ${n}.${part}`)
      return n * part
    })
    parts.push(value)
  }
  const measured = await ctx.tool(measure, { of: n })
  await ctx.command('mark', { command: 'sh', args: ['-c', `echo "command ${n}" >> "$0"`, executions] })
  await ctx.spend({ usd: 0.01, tokens: 1 })
  await generateHandoff({ type: 'workagent_completion', context: { n, measured } })
  return [...parts, measured]
})

const team = defineAgent({
  id: 'team',
  role: 'supervisor',
  run: async () => {
    const note = await startSession({ role: 'workagent' })
    await generateHandoff({ type: 'supervisor_to_workagent', context: { n: 0 }, to: note })
    const numbers = [1, 2, 3, 4]
    const runs = numbers.map((n) => startBackgroundAgent({ agent_id: `work-${n}` }))
    const ids = await Promise.all(runs)
    for (const [index, to] of ids.entries()) {
      await generateHandoff({ type: 'supervisor_to_workagent', context: { n: index + 1 }, to })
    }
    const results = await Promise.all(ids.map((id) => waitForBackgroundAgent(id, { timeout: 60_000 })))
    const reported: number[] = []
    while (reported.length < numbers.length)
      reported.push((await loadHandoff('workagent_completion'))['n'] as number)
    return {
      values: results.map((result) => result.output.value),
      tokens: results.map((result) => result.billing.tokens_used),
      reported: reported.toSorted((a, b) => a - b),
    }
  },
})

const runtime = await createRuntime({ path, agents: [team, worker] })
const run = await runtime.agents.startById({ agent_id: 'team', run_id: 'run_team' })
const { output } = await run.result({ timeoutMs: 60_000 })
process.stdout.write(`result ${JSON.stringify(output.value ?? output.errors)}\n`)
await runtime.close()
