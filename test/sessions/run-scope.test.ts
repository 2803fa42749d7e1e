/** The scope in which the articles' functions work: whose session it is, when that ends, and what stays apart (rulings 1, 2). */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  currentSessionId,
  defineAgent,
  endSession,
  getBackgroundAgentResult,
  listBackgroundAgents,
  listNamedSessions,
  nameSession,
  pauseSession,
  resumeNamedSession,
  sessionMachine,
  generateHandoff,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
  type Runtime,
} from '../../src/index.ts'
import { projectFolder } from '../agents/project-folder.ts'

const project = projectFolder()
const quick = defineAgent('quick', () => ({ metrics: { passed: 3 } }))
const statusOf = async (runtime: Runtime, id: string): Promise<string> =>
  (await runtime.sessions.get(id)).status

describe('when the function settles', () => {
  test('its own session is completed, and what it delegated lives on', async () => {
    const runtime = await project.open({
      agents: [defineAgent('endless', () => new Promise<never>(() => {}))],
    })
    const [own, below, run] = await runtime.run(async () => [
      (await startSession({ role: 'orchestrator' })).id,
      (await startSession({ role: 'supervisor' })).id,
      await startBackgroundAgent({ agent_id: 'endless' }),
    ])
    expect(await statusOf(runtime, own)).toBe('completed')
    expect(await statusOf(runtime, below)).toBe('active')
    expect((await runtime.sessions.get(below)).parent_id).toBe(own)
    expect(['queued', 'running']).toContain((await runtime.agents.result({ agent_id: run })).state)
  })

  test('and throws, its own session is paused as interrupted, and the error comes through', async () => {
    const runtime = await project.open()
    let id = ''
    const error = new Error('no luck')
    await expect(
      runtime.run(async () => {
        id = (await startSession({ role: 'orchestrator' })).id
        throw error
      }),
    ).rejects.toBe(error)
    expect(await statusOf(runtime, id)).toBe('paused')
    const record = await runtime.get(sessionMachine, id)
    expect(record?.getSnapshot().context.pause_reason).toBe('interrupted')
    await runtime.sessions.resume(id)
    expect(await statusOf(runtime, id)).toBe('active')
  })

  test('what it has ended or paused itself is left as it is', async () => {
    const runtime = await project.open()
    const run = (end: () => Promise<void>): Promise<string> =>
      runtime.run(async () => {
        const { id } = await startSession({ role: 'orchestrator' })
        await end()
        return id
      })
    expect(await statusOf(runtime, await run(() => endSession({ reason: 'exit' })))).toBe('completed')
    expect(await statusOf(runtime, await run(() => pauseSession()))).toBe('paused')
  })

  test('and a hook says no to the end, the caller hears of it and the session stays active', async () => {
    const runtime = await project.open({
      hooks: {
        review: {
          triggers: ['session:complete'],
          validate: () => ({ allowed: false, reason: 'no review yet' }),
        },
      },
    })
    let id = ''
    await expect(
      runtime.run(async () => {
        id = (await startSession({ role: 'orchestrator' })).id
      }),
    ).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
    expect(await statusOf(runtime, id)).toBe('active')
  })
})

test('nested scopes are fresh ones, and the outer goes on where it was', async () => {
  const runtime = await project.open()
  await runtime.run(async () => {
    const outer = await startSession({ role: 'orchestrator' })
    const inner = await runtime.run(async () => {
      expect(currentSessionId()).toBeUndefined()
      const session = await startSession({ role: 'orchestrator' })
      expect(session.parent_id).toBeNull()
      return session.id
    })
    expect(await statusOf(runtime, inner)).toBe('completed')
    expect(currentSessionId()).toBe(outer.id)
    expect(await statusOf(runtime, outer.id)).toBe('active')
  })
})

test('two runtimes in one process do not mix, not even inside of each other', async () => {
  const [left, right] = [
    await project.open({ project: 'left' }),
    await project.open({ project: 'right', path: join(project.path(), 'right') }),
  ]
  await left.run(async () => {
    await startSession({ role: 'orchestrator' })
    await right.run(async () => {
      await startSession({ role: 'orchestrator' })
      await nameSession({ session_name: 'in-right' })
    })
    await nameSession({ session_name: 'in-left' })
  })
  const names = async (runtime: Runtime): Promise<(string | null)[]> =>
    (await runtime.sessions.list({ status: 'all' })).map((session) => session.name)
  expect([await names(left), await names(right)]).toEqual([['in-left'], ['in-right']])
})

describe('in a scope', () => {
  test('a name without an id goes to the session started last, and handoffs come from the own one (O-065)', async () => {
    const runtime = await project.open()
    await runtime.run(async () => {
      const own = await startSession({ role: 'orchestrator', project: 'app' })
      await nameSession({ session_name: 'top', tags: ['a:b'] })
      const below = await startSession({ role: 'supervisor' })
      await nameSession({ session_name: 'below' })
      expect((await runtime.sessions.get(own)).name).toBe('top')
      expect(await runtime.sessions.get(below)).toMatchObject({ name: 'below', project: 'app' })
      await generateHandoff({ type: 'orchestrator_to_supervisor', context: { objective: 'x' } })
      expect((await runtime.sessions.get(below)).handoff?.from).toBe(own.id)
    })
  })

  test('an agent id means the latest run of the own tree (ruling 9)', async () => {
    const runtime = await project.open({ agents: [quick] })
    const foreign = await runtime.agents.startById({ agent_id: 'quick' })
    await foreign.result()
    await runtime.run(async () => {
      await startSession({ role: 'orchestrator' })
      await expect(getBackgroundAgentResult({ agent_id: 'quick' })).rejects.toMatchObject({
        code: 'RUN_UNKNOWN',
      })
      const runs = [await startBackgroundAgent({ agent_id: 'quick' })]
      await waitForBackgroundAgent('quick', { timeout: 5_000 })
      runs.push(await startBackgroundAgent({ agent_id: 'quick' }))
      const waited = await waitForBackgroundAgent('quick', { timeout: 5_000 })
      expect(waited.run_id).toBe(runs[1])
      expect(waited.output.metrics['passed']).toBe(3)
      expect(await getBackgroundAgentResult({ agent_id: 'quick' })).toMatchObject({ run_id: runs[1] })
      expect(await listBackgroundAgents({ status_filter: 'completed' })).toHaveLength(3)
    })
  })
})

describe('a named session (O-060, O-089, O-090)', () => {
  test('is resumed by its name in another process, with its handoff, its phase and its next steps', async () => {
    const first = await project.open()
    await first.run(async () => {
      await startSession({ role: 'supervisor', project: 'app' })
      await nameSession({ session_name: 'redesign', tags: ['feature:redesign', 'security'] })
      await generateHandoff({
        type: 'supervisor_continuation',
        context: {
          work_completed: ' - header\n - footer\n',
          current_phase: 'components',
          next_steps: ['buttons', 'forms'],
        },
      })
      await pauseSession({ reason: 'weekend' })
    })
    await first.close()
    const second = await project.open()
    await second.run(async () => {
      const session = await resumeNamedSession({ session_name: 'redesign' })
      expect(session).toMatchObject({
        name: 'redesign',
        role: 'supervisor',
        status: 'active',
        phase: 'components',
        completed_steps: ['- header', '- footer'],
        next_steps: ['buttons', 'forms'],
        blockers: [],
      })
      expect(String(session)).toBe(session.id)
      expect(JSON.parse(JSON.stringify(session))).toMatchObject({ id: session.id, project: 'app' })
      expect(currentSessionId()).toBe(session.id)
    })
    expect((await second.sessions.byName('redesign'))?.status).toBe('completed')
  })

  test('that is unknown, has ended or exists twice is not resumed, and the error says which', async () => {
    const runtime = await project.open()
    const resume = (session_name: string, project?: string): Promise<unknown> =>
      runtime.run(() => resumeNamedSession({ session_name, ...(project !== undefined && { project }) }))
    await expect(resume('nobody')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    const ended = await runtime.sessions.start({ role: 'supervisor', name: 'ended' })
    await runtime.sessions.end(ended)
    await expect(resume('ended')).rejects.toMatchObject({
      code: 'SESSION_REFUSED',
      message: expect.stringContaining('completed') as string,
    })
    for (const name of ['a', 'b']) {
      const session = await runtime.sessions.start({ role: 'supervisor', name: 'twice', project: name })
      await runtime.sessions.pause(session)
    }
    await expect(resume('twice')).rejects.toMatchObject({ code: 'SESSION_AMBIGUOUS' })
    expect(await resume('twice', 'b')).toMatchObject({ project: 'b' })
  })

  test('is listed by status and by all of its tags, the system tags included (O-068, O-093 to O-098)', async () => {
    const runtime = await project.open({ project: 'app' })
    const start = async (name: string, tags: string[]): Promise<string> =>
      (await runtime.sessions.start({ role: 'supervisor', name, tags })).id
    const [one, two, three] = [
      await start('one', ['priority:high', 'x']),
      await start('two', ['priority:high']),
      await start('three', []),
    ]
    await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.pause(two)
    await runtime.sessions.end(three)
    await runtime.run(async () => {
      const names = async (filter: Parameters<typeof listNamedSessions>[0]): Promise<unknown[]> =>
        (await listNamedSessions(filter)).map((session) => session.name)
      expect(await names({ status: 'active' })).toEqual(['one'])
      expect(await names({ status: 'paused' })).toEqual(['two'])
      expect(await names({ status: 'completed' })).toEqual(['three'])
      expect(await names({ status: 'all' })).toEqual(['one', 'two', 'three'])
      expect(await names({ tags: ['priority:high', 'x'] })).toEqual(['one'])
      expect(await names({ tags: ['role:supervisor', 'project:app', 'kind:foreground'] })).toHaveLength(3)
      const [entry] = await listNamedSessions({ status: 'completed' })
      expect(entry).toMatchObject({ id: three, project: 'app', role: 'supervisor', name: 'three' })
      expect(Date.parse(entry?.completion_time ?? '')).toBeGreaterThan(0)
      expect(Date.parse(entry?.last_activity ?? '')).toBeGreaterThan(0)
      expect((await listNamedSessions({ status: 'active' }))[0]).toMatchObject({
        id: one,
        completion_time: null,
      })
    })
  })
})

test('the article code for validators before a migration runs as printed (O-052)', async () => {
  const validator = (id: string, failed: number) =>
    defineAgent(id, () => ({ metrics: { passed: 9, failed } }))
  const migrate = async (): Promise<string> => {
    const validationJobs = [
      startBackgroundAgent({ agent_id: 'schema-validator', task_description: 'Validate new schema' }),
      startBackgroundAgent({ agent_id: 'performance-validator', task_description: 'Check performance' }),
      startBackgroundAgent({ agent_id: 'rollback-validator', task_description: 'Test the rollback' }),
    ]
    const results = await Promise.all(
      validationJobs.map((jobId) => waitForBackgroundAgent(jobId, { timeout: 1800000 })),
    )
    const allPassed = results.every((r) => r.status === 'completed' && r.output.metrics['failed'] === 0)
    if (!allPassed) throw new Error('Migration blocked by validation failures')
    return 'migrated'
  }
  const ids = ['schema-validator', 'performance-validator', 'rollback-validator']
  const good = await project.open({ agents: ids.map((id) => validator(id, 0)) })
  expect(await good.run(migrate)).toBe('migrated')
  await good.close()
  const bad = await project.open({ agents: ids.map((id, index) => validator(id, index)) })
  await expect(bad.run(migrate)).rejects.toThrow('Migration blocked by validation failures')
})
