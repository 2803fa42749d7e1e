/** A project folder with a log in it, made by a real runtime and closed: something of everything that can be asked about. */
import { join } from 'node:path'
import { setup } from 'xstate'
import { z } from 'zod'
import { createRuntime, defineAgent, defineTool, destructiveOperationHook } from '../../src/index.ts'

export type RecordedProject = {
  /** What goes after `--project`. */
  readonly path: string
  readonly session: string
  /** Was denied a tool and went another way. */
  readonly cleaner: string
  /** Ended with an error. */
  readonly broken: string
  /** Was not let begin. */
  readonly intruder: string
}

const orderMachine = setup({
  types: { events: {} as { type: 'pay' } | { type: 'ship' } },
  guards: { inStock: () => false },
}).createMachine({
  id: 'order',
  version: '3',
  initial: 'open',
  states: {
    open: { on: { pay: 'paid' } },
    paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } },
    shipped: { type: 'final' },
  },
})

const removeTool = defineTool({
  name: 'remove',
  capabilities: ['execute:file:delete'],
  input: z.object({ path: z.string(), api_key: z.string() }),
  estimate: () => 0,
  inDoubt: 'ask',
  execute: () => 'gone',
})

const listTool = defineTool({
  name: 'list',
  capabilities: ['read:file'],
  input: z.object({ path: z.string() }),
  inDoubt: 'retry',
  execute: () => ['a', 'b'],
})

const cleaner = defineAgent('cleaner', async (ctx) => {
  await ctx.step('look', () => 2)
  await ctx.tool(removeTool, { path: 'dist', api_key: 'hunter2' }).catch(() => {})
  const files = await ctx.tool(listTool, { path: 'dist' })
  // Last of all: lines are recorded in groups, at the end or when there was time.
  ctx.log('listing instead of removing')
  return files
})

const broken = defineAgent('broken', async (ctx) => {
  await ctx.step('read', () => {
    throw new Error('no such file: \u001B[31mred')
  })
})

const intruder = defineAgent('intruder', () => 'never')

/** Makes the folder below `parent`. One thing happens after the other, so that the log is the same each time. */
export async function recordProject(parent: string): Promise<RecordedProject> {
  const path = join(parent, 'demo', '.project')
  await using runtime = await createRuntime({
    path,
    machines: [orderMachine],
    agents: [cleaner, broken, intruder],
    tools: [removeTool, listTool],
    hooks: {
      'destructive-ops': destructiveOperationHook(),
      doorman: {
        triggers: ['agent:start'],
        validate: ({ agent_id }) =>
          agent_id === 'intruder'
            ? { allowed: false, reason: 'not on the list', alternatives: ['ask the host'] }
            : { allowed: true },
      },
    },
  })
  const { id: session } = await runtime.sessions.start({
    role: 'orchestrator',
    name: 'tidy-up',
    tags: ['area:x'],
  })
  const run = async (agent_id: string, task_description: string): Promise<string> => {
    const { run_id } = await runtime.agents.startById({ agent_id, task_description, parent_id: session })
    await runtime.agents.wait(run_id, { timeout: 10_000 })
    return run_id
  }
  const ids = {
    cleaner: await run('cleaner', 'remove what is left over'),
    broken: await run('broken', 'read a file that is not there'),
    intruder: await run('intruder', ''),
  }
  const order = await runtime.spawn(orderMachine, { id: 'order-1' })
  await order.send({ type: 'pay' })
  await order.send({ type: 'ship' })
  await order.send({ type: 'ship' })
  await order.send({ type: 'ship' })
  await runtime.sessions.pause(session, { reason: 'waiting for a review' })
  return { path, session, ...ids }
}
