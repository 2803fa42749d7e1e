/** Handoffs are listed with where they stand, chained back to the first, and checked for their shape. */
import { describe, expect, test } from 'vitest'
import { createTestRuntime } from '../../src/testing/index.ts'

test('a chain leads from the first handoff to this one, and the list says where each stands (O-004, X-3)', async () => {
  await using runtime = await createTestRuntime()
  const { sessions } = runtime
  const top = await sessions.start({ role: 'orchestrator' })
  const middle = await sessions.start({ role: 'supervisor', parent_id: top.id })
  const low = await sessions.start({ role: 'workagent', parent_id: middle.id })
  const give = (from: { id: string }, to: { id: string }, type: string): Promise<string> =>
    sessions.handOff({ from, to }, { type, context: {} })
  const chain = [
    await give(top, middle, 'orchestrator_to_supervisor'),
    await give(middle, low, 'supervisor_to_workagent'),
    await give(low, middle, 'workagent_completion'),
    await give(middle, top, 'supervisor_to_orchestrator'),
  ]
  await give(top, top, 'orchestrator_continuation')
  await sessions.loadHandoff(middle, { type: 'orchestrator_to_supervisor', by: middle.id })
  const ids = (list: readonly { handoff_id: string }[]): string[] => list.map(({ handoff_id }) => handoff_id)
  expect(ids(await sessions.handoffChain(chain[3]!))).toEqual(chain)
  expect(ids(await sessions.handoffChain(chain[1]!))).toEqual(chain.slice(0, 2))
  expect(await sessions.handoffChain('hand_nobody')).toEqual([])
  expect(ids(await sessions.listHandoffs({ to: middle, state: 'claimed' }))).toEqual([chain[0]])
  expect(ids(await sessions.listHandoffs({ to: middle, state: 'waiting' }))).toEqual([chain[2]])
  expect(ids(await sessions.listHandoffs({ from: top, type: 'orchestrator_to_supervisor' }))).toEqual([
    chain[0],
  ])
})

test('a handoff that is delivered twice at once, as after a crash, is there once, and nobody is told otherwise', async () => {
  await using runtime = await createTestRuntime()
  const { sessions } = runtime
  const from = await sessions.start({ role: 'workagent' })
  const to = await sessions.start({ role: 'supervisor' })
  const give = () =>
    sessions.handOff({ from, to }, { type: 'workagent_completion', context: {}, handoff_id: 'hand_1' })
  expect(await Promise.all([give(), give(), give()])).toEqual(['hand_1', 'hand_1', 'hand_1'])
  expect(await sessions.listHandoffs()).toHaveLength(1)
})

describe('the context of a handoff', () => {
  const context = {
    work_completed: '- a\n- b',
    current_phase: 'two',
    next_steps: ['c', 'd'],
    blockers: ['e'],
    objective: 'f',
    requirements: { any: ['thing'] },
    files_to_modify: ['g.ts'],
    success_criteria: ['h'],
    work_assignment: 'one\n two\n\nthree',
    feature: 'i',
    status: 'completed',
    metrics: { n: 1 },
    next_features: 'j',
  }

  test('keeps every field of the article, and more, as it is (O-077 to O-082, O-083 to O-086)', async () => {
    await using runtime = await createTestRuntime()
    const { sessions } = runtime
    const one = await sessions.start({ role: 'supervisor' })
    const id = await sessions.handOff({ from: one, to: one }, { type: 'supervisor_to_workagent', context })
    const loaded = await sessions.loadHandoff(one, { type: 'supervisor_to_workagent', by: one.id })
    expect(loaded).toMatchObject(context)
    expect(loaded['work_steps']).toEqual(['one', 'two', 'three'])
    expect(loaded.$meta).toMatchObject({ handoff_id: id, from: one.id, to: one.id })
    const stored = (await sessions.get(one)).handoff?.context
    expect(stored).toEqual(context)
  })

  test('has no blockers if it names none (O-080), and its lines are read from texts and lists (O-091)', async () => {
    await using runtime = await createTestRuntime()
    const { sessions } = runtime
    const one = await sessions.start({ role: 'supervisor' })
    await sessions.handOff(
      { from: one, to: one },
      { type: 'supervisor_continuation', context: { work_completed: ' a \n b ', next_steps: ['c'] } },
    )
    expect(await sessions.get(one)).toMatchObject({
      completed_steps: ['a', 'b'],
      next_steps: ['c'],
      blockers: [],
      handoff: { context: { blockers: [] } },
    })
  })

  test.each([
    ['supervisor_continuation', {}, 'context.work_completed'],
    ['orchestrator_to_supervisor', { objective: 'a', requirements: [] }, 'context.success_criteria'],
    ['supervisor_to_workagent', { objective: 'a' }, 'context.work_assignment'],
    ['workagent_completion', { blockers: [] }, 'context.work_completed'],
  ])('a bare %s passes unless handoffs are strict (O-087)', async (type, bare, path) => {
    await using lenient = await createTestRuntime()
    const one = await lenient.sessions.start({ role: 'supervisor' })
    await lenient.sessions.handOff({ from: one, to: one }, { type, context: bare })
    await using strict = await createTestRuntime({ strictHandoffs: true })
    const two = await strict.sessions.start({ role: 'supervisor' })
    const before = strict.store.position()
    await expect(
      strict.sessions.handOff({ from: two, to: two }, { type, context: bare }),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID', details: { path } })
    expect(strict.store.position()).toBe(before)
  })
})
