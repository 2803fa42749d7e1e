/** Who may start whom, how deep and how many: refused at the door, with nothing written. */
import { describe, expect, test } from 'vitest'
import { defineAgent, defineRole, startBackgroundAgent, startSession } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'

const idle = defineAgent('idle', () => new Promise<never>(() => {}))

describe('the chain of roles (O-173)', () => {
  test.each([
    ['workagent', 'workagent'],
    ['workagent', 'supervisor'],
    ['supervisor', 'supervisor'],
    ['supervisor', 'orchestrator'],
    ['orchestrator', 'orchestrator'],
  ] as const)('a %s may not start a %s', async (parent, child) => {
    await using runtime = await createTestRuntime({ agents: [idle] })
    const above = await runtime.sessions.start({ role: parent })
    const before = runtime.store.position()
    await expect(runtime.sessions.start({ role: child, parent_id: above.id })).rejects.toMatchObject({
      code: 'SPAWN_REFUSED',
      details: { parent_id: above.id },
    })
    await expect(
      runtime.agents.startById({ agent_id: 'idle', role: child, parent_id: above.id }),
    ).rejects.toMatchObject({ code: 'SPAWN_REFUSED' })
    expect(runtime.store.position()).toBe(before)
  })

  test('an orchestrator starts supervisors, they start workagents (O-170 to O-172)', async () => {
    await using runtime = await createTestRuntime({ agents: [idle] })
    await runtime.run(async () => {
      const top = await startSession({ role: 'orchestrator' })
      const middle = await startSession({ role: 'supervisor' })
      expect(middle.parent_id).toBe(top.id)
      const run = await runtime.agents.startById({ agent_id: 'idle', parent_id: middle.id })
      expect((await runtime.sessions.get(run.run_id)).parent_id).toBe(middle.id)
    })
  })

  test('a handler of a workagent cannot start another, and hears why', async () => {
    const greedy = defineAgent('greedy', () => startBackgroundAgent({ agent_id: 'idle' }))
    await using runtime = await createTestRuntime({ agents: [greedy, idle] })
    const result = await (await runtime.agents.startById({ agent_id: 'greedy' })).result()
    expect(result.output.errors?.[0]).toContain('a workagent may not start a workagent')
    expect(await runtime.agents.list()).toHaveLength(1)
  })

  test('a role can be widened, and an unknown one is refused (O-012)', async () => {
    const widened = defineRole({ name: 'workagent', mayStart: ['workagent'] })
    expect(widened).toMatchObject({ scope: 'task', mayStart: ['workagent'] })
    expect(() => defineRole({ name: 'emperor' as never })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
    await using runtime = await createTestRuntime({ agents: [idle], roles: [widened] })
    const above = await runtime.sessions.start({ role: 'workagent' })
    await runtime.agents.startById({ agent_id: 'idle', parent_id: above.id })
  })
})

describe('limits (O-173)', () => {
  test('no more levels than allowed', async () => {
    const roles = [defineRole({ name: 'workagent', mayStart: ['workagent'] })]
    await using runtime = await createTestRuntime({ roles, limits: { maxDepth: 2 } })
    const one = await runtime.sessions.start({ role: 'workagent' })
    const two = await runtime.sessions.start({ role: 'workagent', parent_id: one.id })
    const three = await runtime.sessions.start({ role: 'workagent', parent_id: two.id })
    await expect(runtime.sessions.start({ role: 'workagent', parent_id: three.id })).rejects.toMatchObject({
      code: 'SPAWN_REFUSED',
    })
  })

  test('no more children at once than allowed; one that ends makes room', async () => {
    await using runtime = await createTestRuntime({ limits: { maxChildren: 2 } })
    const parent = await runtime.sessions.start({ role: 'supervisor' })
    const child = () => runtime.sessions.start({ role: 'workagent', parent_id: parent.id })
    const [first] = [await child(), await child()]
    await expect(child()).rejects.toMatchObject({ code: 'SPAWN_REFUSED' })
    await runtime.sessions.end(first)
    expect((await child()).parent_id).toBe(parent.id)
  })
})
