/** Who comes first and how many at once: by priority, in all, in a project, in a role. */
import { describe, expect, test } from 'vitest'
import { defineAgent, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import { deferred, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

/** Agents that stay at work until they are let go. */
function workers(role: 'workagent' | 'supervisor' = 'workagent') {
  const atWork: string[] = []
  const begun: string[] = []
  const gates = new Map<string, { resolve: () => void }>()
  const agent = defineAgent({
    id: 'w-*',
    role,
    run: async ({ agent_id }) => {
      const gate = deferred()
      gates.set(agent_id, gate)
      atWork.push(agent_id)
      begun.push(agent_id)
      await gate.promise
      atWork.splice(atWork.indexOf(agent_id), 1)
    },
  })
  return { agents: [agent], atWork, begun, letGo: (id: string): void => gates.get(id)?.resolve() }
}

const open = (options: RuntimeOptions): Promise<Runtime> => project.open(options)

describe('the queue', () => {
  test('admits by priority, then in the order of starting', async () => {
    const { agents, begun, letGo } = workers()
    const runtime = await open({ agents, maxConcurrent: 1 })
    await runtime.agents.startById({ agent_id: 'w-first' })
    await until(() => begun.length === 1)
    for (const [agent_id, priority] of [
      ['w-low', 'low'],
      ['w-normal-1', undefined],
      ['w-normal-2', 'normal'],
      ['w-critical', 'critical'],
      ['w-high', 'high'],
    ] as const) {
      await runtime.agents.startById({ agent_id, ...(priority !== undefined && { priority }) })
    }
    const order = ['w-first', 'w-critical', 'w-high', 'w-normal-1', 'w-normal-2', 'w-low']
    for (const [index, id] of order.entries()) {
      await until(() => begun.length === index + 1, id)
      letGo(id)
    }
    expect(begun).toEqual(order)
    await until(
      async () => (await runtime.agents.list({ status_filter: 'completed' })).length === order.length,
    )
  })

  test('keeps its order over a restart', async () => {
    const before = workers()
    const first = await open({ agents: before.agents, maxConcurrent: 1 })
    for (const [agent_id, priority] of [
      ['w-a', 'normal'],
      ['w-b', 'low'],
      ['w-c', 'high'],
    ] as const) {
      await first.agents.startById({ agent_id, priority })
    }
    await until(() => before.begun.length === 1)
    await first.close()
    const after = workers()
    await open({ agents: after.agents, maxConcurrent: 1 })
    for (const [index, id] of ['w-a', 'w-c', 'w-b'].entries()) {
      await until(() => after.begun.length === index + 1, id)
      expect(after.begun.at(-1)).toBe(id)
      after.letGo(id)
    }
  })

  test('lets a full project wait without keeping others waiting', async () => {
    const { agents, atWork, letGo } = workers()
    const runtime = await open({ agents, maxConcurrent: { total: 3, perProject: 1 } })
    for (const [agent_id, of] of [
      ['w-a1', 'a'],
      ['w-a2', 'a'],
      ['w-b1', 'b'],
    ] as const) {
      await runtime.agents.startById({ agent_id, project: of })
    }
    await until(() => atWork.length === 2)
    expect(atWork).toEqual(['w-a1', 'w-b1'])
    letGo('w-a1')
    await until(() => atWork.includes('w-a2'))
  })

  test('limits a role, also one that takes no place otherwise', async () => {
    const { agents, atWork, letGo } = workers('supervisor')
    const runtime = await open({ agents, maxConcurrent: { total: 1, perRole: { supervisor: 2 } } })
    for (const agent_id of ['w-1', 'w-2', 'w-3']) await runtime.agents.startById({ agent_id })
    await until(() => atWork.length === 2)
    expect((await runtime.agents.result({ agent_id: 'w-3' })).state).toBe('queued')
    letGo('w-1')
    await until(() => atWork.includes('w-3'))
    letGo('w-2')
  })

  test('runs four at once unless told otherwise (O-007)', async () => {
    const { agents, atWork } = workers()
    const runtime = await open({ agents })
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9]) await runtime.agents.startById({ agent_id: `w-${n}` })
    await until(() => atWork.length === 8)
    expect((await runtime.agents.result({ agent_id: 'w-9' })).state).toBe('queued')
  })

  test.each([
    [{ maxConcurrent: 0 }],
    [{ maxConcurrent: { total: 0 } }],
    [{ maxConcurrent: { perRole: { boss: 1 } } }],
    [{ maxConcurrent: { perproject: 1 } }],
  ])('%o is refused at the door', async (options) => {
    await expect(open(options as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  test('a start with a priority that does not exist is refused, and nothing is written', async () => {
    const { agents } = workers()
    const runtime = await open({ agents })
    const position = runtime.store.position()
    await expect(
      runtime.agents.startById({ agent_id: 'w-1', priority: 'urgent' as never }),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID', details: { path: 'priority' } })
    expect(runtime.store.position()).toBe(position)
  })
})
