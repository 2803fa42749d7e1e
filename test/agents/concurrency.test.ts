/** Many at once: they really overlap, no more than allowed, in order, and nobody starves who waits for somebody. */
import { describe, expect, test } from 'vitest'
import {
  defineAgent,
  defineRole,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type Runtime,
} from '../../src/index.ts'
import { allEvents, deferred, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

/** Counts who is at work; each waits until the gate is open. */
function meter() {
  const at = { work: 0, most: 0, order: [] as string[], gate: deferred() }
  const agent = defineAgent('busy-*', async (ctx) => {
    at.work += 1
    at.most = Math.max(at.most, at.work)
    at.order.push(ctx.agent_id)
    await at.gate.promise
    at.work -= 1
    return ctx.agent_id
  })
  return { at, agent }
}
const start = async (runtime: Runtime, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, index) => runtime.agents.startById({ agent_id: `busy-${index}` })),
  )
/** Agent ids in the order in which their runs were let in. */
const admitted = async (runtime: Runtime): Promise<string[]> => {
  const names = new Map((await runtime.agents.list()).map((run) => [run.run_id, run.agent_id]))
  return (await allEvents(runtime))
    .filter((event) => event.event_type === 'agent.started')
    .map((event) => names.get(event.stream_id) ?? '')
}
const statesOf = async (runtime: Runtime): Promise<string[]> =>
  (await runtime.agents.list()).map((one) => one.state)

test('eight agents are at work at the same time by default (O-007)', async () => {
  const { at, agent } = meter()
  const runtime = await project.open({ agents: [agent] })
  const runs = await start(runtime, 8)
  await until(() => at.work === 8)
  at.gate.resolve()
  const results = await Promise.all(runs.map((run) => run.result()))
  expect(results.map((result) => result.status)).toEqual(Array(8).fill('completed'))
})

describe('with three places', () => {
  test('never more than three are at work, and the others come in the order of starting', async () => {
    const { at, agent } = meter()
    const runtime = await project.open({ agents: [agent], maxConcurrent: 3 })
    const runs = await start(runtime, 10)
    await until(() => at.work === 3)
    await until(async () => (await statesOf(runtime)).filter((state) => state === 'running').length === 3)
    expect((await statesOf(runtime)).filter((state) => state === 'queued')).toHaveLength(7)
    at.gate.resolve()
    await Promise.all(runs.map((run) => run.result()))
    expect(at.most).toBe(3)
    expect(await admitted(runtime)).toEqual(Array.from({ length: 10 }, (_, index) => `busy-${index}`))
  })

  test('a queued run that is cancelled or paused gives its turn away, and one at work its place', async () => {
    const { at, agent } = meter()
    const runtime = await project.open({ agents: [agent], maxConcurrent: 3 })
    const runs = await start(runtime, 8)
    await until(() => at.work === 3)
    await runs[3]?.cancel()
    await runtime.sessions.pause(runs[4]?.run_id ?? '')
    await runs[0]?.cancel()
    await until(() => at.order.length === 4)
    expect(at.order[3]).toBe('busy-5')
    await runtime.sessions.resume(runs[4]?.run_id ?? '')
    at.gate.resolve()
    const results = await Promise.all(runs.map((run) => run.result()))
    expect(results.map((result) => result.state)).toEqual([
      'cancelled',
      'completed',
      'completed',
      'cancelled',
      'completed',
      'completed',
      'completed',
      'completed',
    ])
  })

  test('a place is given back once: a late end of a paused attempt lets nobody else in', async () => {
    const late: (() => void)[] = []
    let at = 0
    let most = 0
    const agent = defineAgent('busy-*', async () => {
      at += 1
      most = Math.max(most, at)
      // Takes no notice of being stopped.
      await new Promise<void>((resolve) => late.push(resolve))
      at -= 1
    })
    const runtime = await project.open({ agents: [agent], maxConcurrent: 1 })
    const first = await runtime.agents.startById({ agent_id: 'busy-1' })
    await until(() => late.length === 1)
    await runtime.sessions.pause(first.run_id)
    at -= 1
    await runtime.sessions.resume(first.run_id)
    await until(() => late.length === 2)
    const second = await runtime.agents.startById({ agent_id: 'busy-2' })
    // The attempt before the pause ends now; the run has its place under the second one.
    at += 1
    late[0]?.()
    await until(() => at === 1)
    expect((await runtime.agents.result({ agent_id: second.run_id })).state).toBe('queued')
    late[1]?.()
    await first.result()
    await until(() => late.length === 3)
    late[2]?.()
    await second.result()
    expect(most).toBe(1)
  })

  test('what was queued at a restart is taken up again, within the limit', async () => {
    const before = meter()
    const first = await project.open({ agents: [before.agent], maxConcurrent: 3 })
    const runs = await start(first, 7)
    await until(() => before.at.work === 3)
    await first.close()
    const { at, agent } = meter()
    const second = await project.open({ agents: [agent], maxConcurrent: 3 })
    await until(() => at.work >= 3)
    at.gate.resolve()
    const results = await Promise.all(runs.map((run) => second.agents.wait(run.run_id)))
    expect(results.map((result) => result.status)).toEqual(Array(7).fill('completed'))
    expect(at.most).toBe(3)
    expect(await admitted(second)).toEqual(Array.from({ length: 7 }, (_, index) => `busy-${index}`))
  })
})

test('who waits for others does not starve them, whatever its role, with a single place', async () => {
  const leaf = defineAgent('leaf', () => 'leaf')
  const waiting = (id: string, role: 'supervisor' | 'workagent', below: string) =>
    defineAgent({
      id,
      role,
      run: async () => {
        const runs = [1, 2, 3].map(() => startBackgroundAgent({ agent_id: below }))
        const results = await Promise.all(runs.map((run) => waitForBackgroundAgent(run, { timeout: 20_000 })))
        return results.map((result) => result.status)
      },
    })
  const runtime = await project.open({
    agents: [leaf, waiting('middle', 'workagent', 'leaf'), waiting('top', 'supervisor', 'middle')],
    maxConcurrent: 1,
    // By default a workagent starts nobody.
    roles: [defineRole({ name: 'workagent', mayStart: ['workagent'] })],
  })
  const run = await runtime.agents.startById({ agent_id: 'top' })
  const result = await run.result({ timeoutMs: 20_000 })
  expect(result.output.value).toEqual(['completed', 'completed', 'completed'])
  expect(await runtime.agents.list({ status_filter: 'completed' })).toHaveLength(13)
})

test('a start resolves before its agent is done, and its caller goes on (O-024, O-030)', async () => {
  const { at, agent } = meter()
  const runtime = await project.open({ agents: [agent] })
  const run = await runtime.agents.startById({ agent_id: 'busy-1' })
  expect(['queued', 'running']).toContain((await runtime.agents.result({ agent_id: run.run_id })).state)
  at.gate.resolve()
  expect((await run.result()).status).toBe('completed')
})

test('a hook of agent:start keeps a run from starting, and frees its place', async () => {
  const { at, agent } = meter()
  const runtime = await project.open({
    agents: [agent],
    maxConcurrent: 1,
    hooks: {
      door: {
        triggers: ['agent:start'],
        validate: ({ agent_id }) => ({ allowed: agent_id !== 'busy-0', reason: 'not you' }),
      },
    },
  })
  at.gate.resolve()
  const [refused, other] = await start(runtime, 2)
  const result = await refused?.result()
  expect(result).toMatchObject({ status: 'failed' })
  expect(result?.output.errors?.[0]).toContain('not you')
  expect((await other?.result())?.status).toBe('completed')
})

test('whoever waits when the runtime closes is told so', async () => {
  const { agent } = meter()
  const runtime = await project.open({ agents: [agent] })
  const run = await runtime.agents.startById({ agent_id: 'busy-1' })
  const session = await runtime.sessions.start({ role: 'supervisor' })
  const waits = [
    run.result(),
    runtime.sessions.loadHandoff(session, { type: 'supervisor_completion', by: 'me' }),
  ].map((wait) => wait.catch((error: { code: string }) => error.code))
  await runtime.close()
  expect(await Promise.all(waits)).toEqual(['RUNTIME_CLOSED', 'RUNTIME_CLOSED'])
  await expect(runtime.run(() => 1)).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  await expect(runtime.sessions.start({ role: 'supervisor' })).rejects.toMatchObject({
    code: 'RUNTIME_CLOSED',
  })
})
