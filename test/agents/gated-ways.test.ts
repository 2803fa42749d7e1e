/** Every way through the package to something that touches the world: none of them goes round the hooks (O-161). */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  defineAgent,
  defineTool,
  PermissionDeniedError,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
  type AnyAgentDefinition,
  type HandlerContext,
  type PermissionHook,
  type Runtime,
} from '../../src/index.ts'
import { deferred, projectFolder } from './project-folder.ts'

const project = projectFolder()

let world = ''
beforeEach(async () => {
  world = await mkdtemp(join(tmpdir(), 'world-'))
})
afterEach(() => rm(world, { recursive: true, force: true }))

let touched: string[] = []
const touch = defineTool({
  name: 'touch',
  capabilities: ['execute:file:write'],
  input: z.object({ of: z.string().default('it') }),
  estimate: () => 0,
  inDoubt: 'retry',
  execute: ({ of }) => touched.push(of),
})
const asked: string[] = []
const wall: PermissionHook = {
  triggers: ['execute:*'],
  validate: ({ tool_name }) => {
    asked.push(tool_name)
    return { allowed: false, reason: 'wall' }
  },
}

const command = (): { command: string; args: string[] } => ({
  command: process.execPath,
  args: ['-e', `require('node:fs').writeFileSync(${JSON.stringify(join(world, 'file'))}, 'x')`],
})
const below = (id: string, run: (ctx: HandlerContext) => Promise<unknown>): AnyAgentDefinition =>
  defineAgent({ id, role: 'workagent', run })

/** Each tries to touch the world; what it returns or throws does not matter. */
const WAYS: Readonly<Record<string, (ctx: HandlerContext, runtime: () => Runtime) => Promise<unknown>>> = {
  'a tool': (ctx) => ctx.tool(touch, {}),
  'a tool that nobody registered': (ctx) => ctx.tool(defineTool({ ...touch, name: 'other' } as never), {}),
  'a copy of a tool that hides what it does': (ctx) => ctx.tool({ ...touch, capabilities: [] }, {}),
  'tools in branches': (ctx) => Promise.all([ctx.tool(touch, {}), ctx.tool(touch, { of: 'b' })]),
  'a tool called again after its denial': (ctx) => ctx.tool(touch, {}).catch(() => ctx.tool(touch, {})),
  'a tool whose call is not awaited': async (ctx) => {
    void ctx.tool(touch, {})
    await ctx.step('wait', () => 1)
  },
  'a tool inside of a step': (ctx) => ctx.step('s', () => ctx.tool(touch, {})),
  'a command': (ctx) => ctx.command('write', command()),
  'a command agent': async () => {
    const run = await startBackgroundAgent({ agent_id: 'commander' })
    return waitForBackgroundAgent(run, { timeout: 5_000 })
  },
  'a child agent': async () => {
    const run = await startBackgroundAgent({ agent_id: 'child' })
    return waitForBackgroundAgent(run, { timeout: 5_000 })
  },
  'a child that works for another session': async () => {
    const session = await startSession({ role: 'workagent' })
    const run = await startBackgroundAgent({ agent_id: 'child', session_id: session.id })
    return waitForBackgroundAgent(run, { timeout: 5_000 })
  },
  'a child started through the core': async (_ctx, runtime) =>
    (await runtime().agents.startById({ agent_id: 'child' })).result({ timeoutMs: 5_000 }),
  'a scope of its own': async (_ctx, runtime) =>
    runtime().run(async () => {
      await startSession({ role: 'supervisor' })
      const run = await startBackgroundAgent({ agent_id: 'child' })
      return waitForBackgroundAgent(run, { timeout: 5_000 })
    }),
}

describe('what a wall of hooks denies is not done by', () => {
  beforeEach(() => {
    touched = []
    asked.length = 0
  })

  test.each(Object.keys(WAYS))('%s', async (way) => {
    let runtime: Runtime | undefined
    const boss = defineAgent({
      id: 'boss',
      role: 'supervisor',
      run: async (ctx) => WAYS[way]?.(ctx, () => runtime as Runtime),
    })
    runtime = await project.open({
      agents: [
        boss,
        below('child', (ctx) => ctx.tool(touch, { of: 'child' })),
        defineAgent({ id: 'commander', command }),
      ],
      tools: [touch],
      hooks: { wall },
      onError: () => {},
    })
    await (await runtime.agents.startById({ agent_id: 'boss' })).result({ timeoutMs: 15_000 })
    expect([touched, await readdir(world)]).toEqual([[], []])
    // It was the wall, and not something that broke before it; inside of a step nothing is called at all.
    expect(asked.length > 0 || way === 'a tool inside of a step').toBe(true)
  })

  test('a run that is taken up again, after a restart, under a wall that was not there before', async () => {
    const reached = deferred()
    const build = (block: boolean): AnyAgentDefinition =>
      defineAgent('boss', async (ctx) => {
        await ctx.step('first', () => {
          reached.resolve()
          return block ? new Promise<never>(() => {}) : 1
        })
        return ctx.tool(touch, {}).catch((error: unknown) => error instanceof PermissionDeniedError)
      })
    const first = await project.open({ agents: [build(true)], tools: [touch] })
    const run = await first.agents.startById({ agent_id: 'boss' })
    await reached.promise
    await first.close()
    const second = await project.open({ agents: [build(false)], tools: [touch], hooks: { wall } })
    expect((await second.agents.wait(run.run_id, { timeout: 10_000 })).output.value).toBe(true)
    expect(touched).toEqual([])
  })

  test('a start that the hooks of agent:start refuse', async () => {
    const starts: PermissionHook = {
      triggers: ['agent:start'],
      validate: ({ parameters }) => ({ allowed: parameters['agent_id'] !== 'child', reason: 'no children' }),
    }
    const boss = defineAgent({
      id: 'boss',
      role: 'supervisor',
      run: async () => {
        const run = await startBackgroundAgent({ agent_id: 'child' })
        const { output } = await waitForBackgroundAgent(run, { timeout: 5_000 })
        return output.errors
      },
    })
    const runtime = await project.open({
      agents: [boss, below('child', (ctx) => ctx.tool(touch, {}))],
      hooks: { starts },
    })
    const { output } = await (await runtime.agents.startById({ agent_id: 'boss' })).result()
    expect(output.value).toEqual([expect.stringContaining('no children')])
    expect(touched).toEqual([])
  })
})
