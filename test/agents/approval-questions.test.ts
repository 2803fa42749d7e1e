/** A handler asks a person in its own words: the question outlives the process, and the answer is given once. */
import { describe, expect, test } from 'vitest'
import {
  defineAgent,
  type ApprovalAnswer,
  type ApprovalQuestion,
  type PermissionHook,
} from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { agentctl } from '../cli/in-process.ts'
import { eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const DAY = 24 * 60 * 60_000

const asker = (question: Partial<ApprovalQuestion> = {}) =>
  defineAgent('asker', async (ctx) =>
    ctx.requestApproval({ question: 'Release 2.4?', details: { version: '2.4' }, ...question }),
  )
const started = async (runtime: TestRuntime): Promise<string> => {
  await runtime.agents.startById({ agent_id: 'asker', run_id: 'run_1' })
  await runtime.clock.advance(0)
  const [approval] = await runtime.approvals.list()
  return approval?.approval_id ?? ''
}
const answerOf = async (runtime: TestRuntime): Promise<ApprovalAnswer> => {
  const { output } = await runtime.agents.wait('run_1', { timeout: 60_000 })
  return output.value as ApprovalAnswer
}

describe('a question (O-148)', () => {
  test('is listed with the other approvals, with who asks what, and its run waits without a place', async () => {
    const idle = defineAgent('idle', () => 'idle')
    await using runtime = await createTestRuntime({
      agents: [asker({ alternatives: ['wait a week'] }), idle],
      maxConcurrent: 1,
    })
    const id = await started(runtime)
    expect(await runtime.approvals.get(id)).toMatchObject({
      status: 'requested',
      subject: 'question',
      tool: 'requestApproval',
      reason: 'Release 2.4?',
      parameters: { question: 'Release 2.4?', details: { version: '2.4' } },
      alternatives: ['wait a week'],
      asked_by: 'agent:asker',
      run_id: 'run_1',
    })
    expect((await runtime.query.pending()).approvals).toMatchObject([
      { approval_id: id, reason: 'Release 2.4?', tool: 'requestApproval' },
    ])
    expect((await runtime.agents.result({ agent_id: 'run_1' })).state).toBe('awaiting_approval')
    const other = await runtime.agents.startById({ agent_id: 'idle' })
    expect((await other.result()).output.value).toBe('idle')
  })

  test('that is granted is answered with who said so and what, and is used up', async () => {
    await using runtime = await createTestRuntime({ agents: [asker()] })
    const id = await started(runtime)
    await runtime.approvals.approve(id, { by: 'ann', note: 'after lunch' })
    expect(await answerOf(runtime)).toEqual({
      status: 'granted',
      approval_id: id,
      by: 'ann',
      note: 'after lunch',
    })
    expect((await runtime.approvals.get(id)).status).toBe('consumed')
  })

  test('that is denied is answered too: a no is no error', async () => {
    await using runtime = await createTestRuntime({ agents: [asker()] })
    const id = await started(runtime)
    await runtime.approvals.deny(id, { by: 'ann', reason: 'not on a Friday' })
    expect(await answerOf(runtime)).toEqual({
      status: 'denied',
      approval_id: id,
      by: 'ann',
      note: 'not on a Friday',
    })
  })

  test('that nobody answers runs out, after its own time', async () => {
    await using runtime = await createTestRuntime({ agents: [asker({ ttlMs: 3 * DAY })] })
    const id = await started(runtime)
    await runtime.clock.advance(3 * DAY - 1)
    expect((await runtime.approvals.get(id)).status).toBe('requested')
    await runtime.clock.advance(1)
    expect(await answerOf(runtime)).toMatchObject({ status: 'expired', approval_id: id, by: null })
    await expect(runtime.approvals.approve(id, { by: 'ann' })).rejects.toMatchObject({
      code: 'APPROVAL_EXPIRED',
    })
  })

  test('outlives restarts, is asked once, and its answer is not asked for again', async () => {
    const after = defineAgent('asker', async (ctx) => {
      const answer = await ctx.requestApproval({ question: 'Release 2.4?', details: { version: '2.4' } })
      await ctx.step('after', () => (holds ? new Promise(() => {}) : 'went on'))
      return answer
    })
    let holds = true
    const first = await createTestRuntime({ agents: [after] })
    const id = await started(first)
    await first.clock.advance(10 * DAY)
    const second = await first.restart()
    await second.clock.advance(DAY)
    expect((await second.approvals.list()).map((one) => one.approval_id)).toEqual([id])
    await second.approvals.approve(id, { by: 'ann' })
    await second.clock.advance(0)
    holds = false
    await using third = await second.restart()
    await third.clock.advance(10_000)
    expect(await answerOf(third)).toMatchObject({ status: 'granted', by: 'ann' })
    expect(await third.approvals.list({ status: 'all' })).toHaveLength(1)
  })

  test('is withdrawn when its run is cancelled', async () => {
    await using runtime = await createTestRuntime({ agents: [asker()] })
    const id = await started(runtime)
    await runtime.agents.cancel('run_1', 'never mind')
    await runtime.clock.advance(0)
    expect((await runtime.approvals.get(id)).status).toBe('withdrawn')
  })

  test('several at once are answered in any order', async () => {
    const both = defineAgent('asker', (ctx) =>
      Promise.all(
        ['a', 'b'].map(async (question) => `${question} ${(await ctx.requestApproval({ question })).status}`),
      ),
    )
    await using runtime = await createTestRuntime({ agents: [both] })
    await started(runtime)
    const [one, other] = await runtime.approvals.list()
    await runtime.approvals.deny(other?.approval_id ?? '', { by: 'ann' })
    await runtime.approvals.approve(one?.approval_id ?? '', { by: 'bob' })
    expect(await answerOf(runtime)).toEqual(['a granted', 'b denied'])
  })

  test('passes the gate when it is granted: a hook may say who may', async () => {
    const onlyAnn: PermissionHook = {
      triggers: ['approval:grant'],
      validate: ({ parameters }) =>
        parameters['by'] === 'ann' ? { allowed: true } : { allowed: false, reason: 'ask ann' },
    }
    await using runtime = await createTestRuntime({ agents: [asker()], hooks: { onlyAnn } })
    const id = await started(runtime)
    await expect(runtime.approvals.approve(id, { by: 'eve' })).rejects.toMatchObject({ reason: 'ask ann' })
    await runtime.approvals.approve(id, { by: 'ann' })
    expect((await answerOf(runtime)).by).toBe('ann')
  })

  test.each<[string, object]>([
    ['no words', { question: '  ' }],
    ['a field that is none', { question: 'q', urgent: true }],
    ['no time', { question: 'q', ttlMs: 0 }],
    ['details that are no data', { question: 'q', details: { when: 10n } }],
  ])('with %s is refused at the door, and nothing is asked', async (_what, question) => {
    await using runtime = await createTestRuntime({ agents: [asker(question)] })
    await runtime.agents.startById({ agent_id: 'asker', run_id: 'run_1' })
    expect((await runtime.agents.wait('run_1')).state).toBe('failed')
    expect(await runtime.approvals.list({ status: 'all' })).toEqual([])
    const types = (await eventsOf(runtime, 'run_1')).map(({ event_type }) => event_type)
    expect(types).not.toContain('step.started')
  })
})

test.each([
  ['approve', ['--note', 'go ahead'], { status: 'granted', note: 'go ahead' }],
  ['deny', ['--reason', 'not yet'], { status: 'denied', note: 'not yet' }],
] as const)('agentctl %s answers it in the process that has the log open', async (verb, words, answer) => {
  const runtime = await project.open({ agents: [asker()] })
  const run = await runtime.agents.startById({ agent_id: 'asker' })
  await until(async () => (await runtime.approvals.list()).length === 1)
  const [approval] = await runtime.approvals.list()
  const id = approval?.approval_id ?? ''
  const { code } = await agentctl([verb, id, '--by', 'ann', ...words, '--project', project.path()])
  expect(code).toBe(0)
  expect((await run.result()).output.value).toMatchObject({ ...answer, by: 'ann', approval_id: id })
})
