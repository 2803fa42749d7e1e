/** Who was refused what and why, as the log of a real runtime tells it. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineAgent, defineTool, destructiveOperationHook } from '../../src/index.ts'
import { readRefusals } from '../../src/query/refusals.ts'
import { readTree, treeRows } from '../../src/query/tree.ts'

const remove = defineTool({
  name: 'remove',
  capabilities: ['execute:file:delete'],
  input: z.object({ path: z.string(), password: z.string() }),
  inDoubt: 'ask',
  execute: () => 'gone',
})

const cleaner = defineAgent('cleaner', async (ctx, path: string) => {
  await ctx.tool(remove, { path, password: 'hunter2' }).catch(() => {})
})

describe('refusals', () => {
  test('tell of a denied tool call: whose, by which hook, why, what instead, without secrets', async () => {
    await using runtime = await createRuntime({
      agents: [cleaner],
      tools: [remove],
      hooks: { 'destructive-ops': destructiveOperationHook() },
    })
    const run = await runtime.agents.start(cleaner, { input: 'dist', role: 'workagent' })
    await run.result({ timeoutMs: 5000 })
    const refusals = await readRefusals(runtime.store)
    expect(refusals).toMatchObject([
      {
        what: 'remove',
        who: run.run_id,
        agent_id: 'cleaner',
        role: 'workagent',
        capabilities: ['execute:file:delete'],
        parameters: { path: 'dist', password: '[redacted]' },
        by: 'hook:destructive-ops',
        reason: 'Destructive operations require human approval',
        count: 1,
      },
    ])
    expect(refusals[0]?.call_id).toMatch(/^call_/)
    expect(refusals[0]?.alternatives).toHaveLength(3)
    expect((await readTree(runtime.store)).nodes.get(run.run_id)).toMatchObject({ refusals: 1 })
  })

  test('tell of a refused wish, and count the ones that were repeated', async () => {
    const runtime = await createRuntime({
      hooks: {
        keeper: {
          triggers: ['session:pause'],
          validate: () => ({ allowed: false, reason: 'not now', alternatives: ['later'] }),
        },
      },
    })
    const { store } = runtime
    const session = await runtime.sessions.start({ role: 'supervisor', name: 'busy' })
    for (const reason of ['lunch', 'tea', 'dinner']) {
      await expect(runtime.sessions.pause(session.id, { reason })).rejects.toMatchObject({
        code: 'SESSION_REFUSED',
      })
    }
    const first = await readRefusals(store)
    expect(first).toMatchObject([
      {
        what: 'session.paused',
        who: session.id,
        name: 'busy',
        role: 'supervisor',
        agent_id: null,
        call_id: null,
        parameters: { reason: 'lunch' },
        by: 'hook:keeper',
        reason: 'not now',
        alternatives: ['later'],
        count: 1,
      },
    ])
    const position = store.position()
    // The repeated ones are counted together, at the latest when the runtime closes.
    const counted: number[] = []
    const subscription = store.subscribe({ fromPosition: position }).subscribe({
      next: (event) => counted.push((event.payload as { count: number }).count),
      error: () => {},
    })
    await runtime.close()
    subscription.unsubscribe()
    expect(counted).toEqual([2])
  })

  test('can be those of one tree, and those after a position', async () => {
    await using runtime = await createRuntime({
      agents: [cleaner],
      tools: [remove],
      hooks: { 'destructive-ops': destructiveOperationHook() },
    })
    const { sessions, agents, store } = runtime
    const roots = [
      await sessions.start({ role: 'orchestrator' }),
      await sessions.start({ role: 'orchestrator' }),
    ]
    const positions: number[] = []
    for (const [index, root] of roots.entries()) {
      positions.push(store.position())
      const run = await agents.start(cleaner, { input: `dist-${index}`, parent_id: root.id })
      await run.result({ timeoutMs: 5000 })
    }
    const tree = await readTree(store)
    const pathsOf = (all: Awaited<ReturnType<typeof readRefusals>>): unknown[] =>
      all.map(({ parameters }) => (parameters as { path: string }).path)
    for (const [index, root] of roots.entries()) {
      const within = new Set(treeRows(tree, root.id).map(({ node }) => node.id))
      expect(pathsOf(await readRefusals(store, { within }))).toEqual([`dist-${index}`])
    }
    expect(pathsOf(await readRefusals(store, { sincePosition: positions[1] ?? 0 }))).toEqual(['dist-1'])
  })
})
