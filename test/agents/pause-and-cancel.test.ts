/** Stopping and going on: a tree that is paused does nothing, resumed it goes on, and nothing keeps it from stopping. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  defineAgent,
  defineTool,
  generateHandoff,
  loadHandoff,
  pauseSession,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type PermissionHook,
  type Runtime,
} from '../../src/index.ts'
import { allEvents, deferred, eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

const stateOf = async (runtime: Runtime, runId: string): Promise<string> =>
  (await runtime.agents.result({ agent_id: runId })).state
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a tree that is paused and resumed', () => {
  /** A supervisor with two workers; each worker has a recorded step and one that waits for the gate. */
  const tree = (ran: string[], gate: () => Promise<void>, aborted: string[] = []) => [
    defineAgent({
      id: 'top',
      role: 'supervisor',
      run: async () => {
        const runs = ['work-1', 'work-2'].map((agent_id) => startBackgroundAgent({ agent_id }))
        const results = await Promise.all(runs.map((run) => waitForBackgroundAgent(run, { timeout: 20_000 })))
        return results.map((result) => result.output.value)
      },
    }),
    defineAgent('work-*', async (ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.push(ctx.agent_id))
      await ctx.step('before', () => ran.push(`${ctx.agent_id} before`))
      await ctx.step('gated', async () => {
        ran.push(`${ctx.agent_id} gated`)
        await gate()
      })
      return ctx.agent_id
    }),
  ]

  test('aborts the handlers, and goes on from the recorded steps', async () => {
    const ran: string[] = []
    const aborted: string[] = []
    let open = false
    const runtime = await project.open({
      agents: tree(
        ran,
        // Takes no notice of being aborted, as code does.
        () => until(() => open),
        aborted,
      ),
    })
    const session = await runtime.sessions.start({ role: 'orchestrator' })
    const run = await runtime.agents.startById({ agent_id: 'top', parent_id: session.id })
    await until(() => ran.length === 4)
    await runtime.sessions.pause(session, { cascade: true, reason: 'lunch' })
    expect(aborted.toSorted()).toEqual(['work-1', 'work-2'])
    const states = (await runtime.agents.list()).map((one) => one.state)
    expect(states).toEqual(['paused', 'paused', 'paused'])
    expect((await runtime.sessions.get(session)).status).toBe('paused')
    // The same wish again changes nothing and is no error.
    await runtime.sessions.pause(session, { cascade: true })

    await runtime.sessions.resume(session, { cascade: true })
    const began = async (id: string): Promise<number> =>
      (await eventsOf(runtime, id)).filter((event) => event.event_type === 'agent.began').length
    await until(async () => (await began(run.run_id)) === 2)
    open = true
    const result = await runtime.agents.wait(run.run_id, { timeout: 10_000 })
    expect(result.output.value).toEqual(['work-1', 'work-2'])
    // What was under way when the pause came was waited for, and is not done again.
    expect(ran.toSorted()).toEqual(['work-1 before', 'work-1 gated', 'work-2 before', 'work-2 gated'])
  })

  test('runs a step again that never came to its end', async () => {
    const ran: string[] = []
    let first = true
    const runtime = await project.open({
      agents: [
        defineAgent('stuck', (ctx) =>
          ctx.step('maybe', async ({ signal }) => {
            ran.push('maybe')
            if (!first) return 'done'
            first = false
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error))
            })
            return 'never'
          }),
        ),
      ],
    })
    const run = await runtime.agents.startById({ agent_id: 'stuck' })
    await until(() => ran.length === 1)
    await runtime.sessions.pause(run.run_id)
    await runtime.sessions.resume(run.run_id)
    expect((await run.result()).output.value).toBe('done')
    expect(ran).toHaveLength(2)
  })

  test('stays paused over a restart, and is resumed there', async () => {
    const ran: string[] = []
    const never = (): Promise<void> => new Promise(() => {})
    const first = await project.open({ agents: tree(ran, never) })
    const session = await first.sessions.start({ role: 'orchestrator' })
    const run = await first.agents.startById({ agent_id: 'top', parent_id: session.id })
    await until(() => ran.length === 4)
    await first.sessions.pause(session, { cascade: true })
    await first.close()
    const after: string[] = []
    const second = await project.open({ agents: tree(after, async () => {}) })
    expect(await stateOf(second, run.run_id)).toBe('paused')
    expect(after).toEqual([])
    await second.sessions.resume(session, { cascade: true })
    await second.agents.wait(run.run_id, { timeout: 10_000 })
    expect(after.toSorted()).toEqual(['work-1 gated', 'work-2 gated'])
  })

  test('pauses a start that was under way as well', async () => {
    const runtime = await project.open({
      agents: [
        defineAgent({
          id: 'spawner',
          role: 'supervisor',
          run: async () => {
            await Promise.all(Array.from({ length: 20 }, () => startBackgroundAgent({ agent_id: 'endless' })))
            await new Promise(() => {})
          },
        }),
        defineAgent('endless', () => new Promise<never>(() => {})),
      ],
    })
    const run = await runtime.agents.startById({ agent_id: 'spawner' })
    await until(async () => (await runtime.agents.list()).length > 3)
    await runtime.sessions.pause(run.run_id, { cascade: true })
    const atWork = async (): Promise<string[]> =>
      (await runtime.agents.list()).map((one) => one.state).filter((state) => state !== 'paused')
    expect(await atWork()).toEqual([])
  })
})

describe('nothing keeps a run from stopping (ruling 14)', () => {
  const gated = defineTool({
    name: 'gated',
    capabilities: ['execute:gated'],
    input: z.object({}),
    inDoubt: 'ask',
    execute: () => 'ran',
  })
  const caller = defineAgent('caller', (ctx) => ctx.tool(gated, {}))

  test('not an approval that is waited for; it is asked for again afterwards', async () => {
    let asked = 0
    const approval = deferred()
    const hooks: Record<string, PermissionHook> = {
      approval: {
        triggers: ['execute:gated'],
        validate: async () => {
          asked += 1
          if (asked === 1) await approval.promise
          return { allowed: true }
        },
      },
    }
    const runtime = await project.open({ agents: [caller], hooks, hookTimeoutMs: 60_000 })
    const run = await runtime.agents.startById({ agent_id: 'caller' })
    await until(() => asked === 1)
    await runtime.sessions.pause(run.run_id)
    expect(await stateOf(runtime, run.run_id)).toBe('paused')
    await runtime.sessions.resume(run.run_id)
    expect((await run.result()).output.value).toBe('ran')
    expect(asked).toBe(2)
  })

  test.each<[string, PermissionHook['validate'], string]>([
    ['hangs', () => new Promise<never>(() => {}), 'timed_out'],
    ['throws', () => Promise.reject(new Error('broken')), 'threw'],
    ['answers nonsense', () => 'yes' as never, 'malformed'],
  ])('not a hook that %s, and the log shows what was passed over', async (_what, validate, trouble) => {
    const endless = defineAgent('endless', () => new Promise<never>(() => {}))
    const runtime = await project.open({
      agents: [endless],
      hooks: { odd: { triggers: ['session:pause', 'agent:cancel', 'session:complete'], validate } },
      hookTimeoutMs: 30,
    })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const run = await runtime.agents.startById({ agent_id: 'endless', parent_id: session.id })
    await runtime.sessions.pause(session, { cascade: true })
    await run.cancel('enough')
    await runtime.sessions.end(session)
    const testimonies = (await allEvents(runtime))
      .filter((event) =>
        ['session.paused', 'agent.cancelled', 'session.completed'].includes(event.event_type),
      )
      .map((event) => (event.payload as { testimony?: unknown }).testimony)
    expect(testimonies).toHaveLength(4)
    for (const testimony of testimonies) {
      expect(testimony).toMatchObject([{ hook: 'odd', allowed: false, trouble }])
    }
  })

  test('except the explicit no of a hook, which is on record; the others are paused all the same', async () => {
    const hooks: Record<string, PermissionHook> = {
      keep: {
        triggers: ['session:pause', 'agent:cancel'],
        validate: ({ session_id, agent_id }) =>
          session_id === kept || agent_id === 'kept'
            ? { allowed: false, reason: 'in the middle of a payment', alternatives: ['wait a minute'] }
            : { allowed: true },
      },
    }
    let kept = ''
    const endless = (id: string) => defineAgent(id, () => new Promise<never>(() => {}))
    const runtime = await project.open({ agents: [endless('kept'), endless('other')], hooks })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const run = await runtime.agents.startById({ agent_id: 'kept', parent_id: session.id })
    await runtime.agents.startById({ agent_id: 'other', parent_id: session.id })
    kept = run.run_id
    await expect(runtime.sessions.pause(session, { cascade: true })).rejects.toMatchObject({
      code: 'SESSION_REFUSED',
      message: expect.stringContaining('in the middle of a payment') as string,
    })
    expect((await runtime.agents.list()).map((one) => one.state)).toEqual(['running', 'paused'])
    await expect(run.cancel()).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
    const refused = await eventsOf(runtime, `${run.run_id}~refused`)
    expect(refused.map((event) => (event.payload as { by: string }).by)).toEqual(['hook:keep', 'hook:keep'])
  })
})

describe('a command', () => {
  const command = (args: string) =>
    defineAgent({ id: 'command', command: () => ({ command: 'sh', args: ['-c', args] }) })
  const pidsIn = async (file: string): Promise<number[]> =>
    (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number)

  test('gives its lines as logs and its exit code as outcome', async () => {
    const runtime = await project.open({ agents: [command('echo one; echo two >&2; exit 0')] })
    const result = await (await runtime.agents.startById({ agent_id: 'command' })).result()
    expect(result).toMatchObject({ status: 'completed', output: { value: { exit_code: 0, signal: null } } })
    expect(result.output.logs.toSorted()).toEqual(['one', 'two'])
  })

  test('fails its run with another exit code, and keeps its lines', async () => {
    const runtime = await project.open({ agents: [command('echo why; exit 3')] })
    const result = await (await runtime.agents.startById({ agent_id: 'command' })).result()
    expect(result.status).toBe('failed')
    expect(result.output.errors?.[0]).toContain('exited with code 3')
    expect(result.output.logs).toEqual(['why'])
  })

  test.each(['cancel', 'pause', 'close', 'deadline'] as const)(
    'is ended with its whole group on %s, and what it said is kept',
    async (how) => {
      const pids = join(project.path(), '..', 'pids')
      const runtime = await project.open({
        agents: [command(`echo begun; echo $$ >> ${pids}; sleep 600 & echo $! >> ${pids}; wait`)],
      })
      const run = await runtime.agents.startById({
        agent_id: 'command',
        ...(how === 'deadline' && { deadline_ms: 1_500 }),
      })
      await until(async () => (await pidsIn(pids)).length === 2)
      const group = await pidsIn(pids)
      expect(group.every(isAlive)).toBe(true)
      if (how === 'cancel') await run.cancel('enough')
      if (how === 'pause') await runtime.sessions.pause(run.run_id)
      if (how === 'close') await runtime.close()
      await until(() => !group.some(isAlive), 'the group to be gone')
      if (how === 'close') return
      const logs = async (): Promise<string[]> =>
        (await runtime.agents.result({ agent_id: run.run_id, include_output: true })).output.logs
      await until(async () => (await logs()).length > 0)
      expect(await logs()).toEqual(['begun'])
    },
  )

  test('keeps the values of its environment out of the log', async () => {
    const agent = defineAgent({
      id: 'command',
      command: () => ({ command: 'sh', args: ['-c', 'test -n "$TOKEN"'], env: { TOKEN: 's3cret' } }),
    })
    const runtime = await project.open({ agents: [agent] })
    const result = await (await runtime.agents.startById({ agent_id: 'command' })).result()
    expect(result.status).toBe('completed')
    expect(JSON.stringify(await allEvents(runtime)).includes('s3cret')).toBe(false)
  })
})

describe('a cancelled run', () => {
  test('keeps its logs and its steps, and stays cancelled over a restart', async () => {
    const reached = deferred()
    const agent = defineAgent('long', async (ctx) => {
      ctx.log('first line')
      await ctx.step('one', () => 1)
      ctx.log('last line')
      await ctx.step('two', () => {
        reached.resolve()
        return new Promise<never>(() => {})
      })
    })
    const first = await project.open({ agents: [agent] })
    const run = await first.agents.startById({ agent_id: 'long' })
    await reached.promise
    await run.cancel('not needed')
    const logs = async (runtime: Runtime): Promise<string[]> =>
      (await runtime.agents.result({ agent_id: run.run_id, include_output: true })).output.logs
    await until(async () => (await logs(first)).length === 2)
    await first.close()
    const second = await project.open({ agents: [agent] })
    const result = await second.agents.result({ agent_id: run.run_id, include_output: true })
    expect(result).toMatchObject({
      status: 'failed',
      state: 'cancelled',
      output: { logs: ['first line', 'last line'], errors: ['cancelled: not needed'] },
    })
    const steps = (await eventsOf(second, run.run_id)).filter(
      (event) => event.event_type === 'step.completed',
    )
    expect(steps).toHaveLength(1)
  })
})

test('a handler can pause its own session, and goes on behind that when it is resumed', async () => {
  let passes = 0
  const agent = defineAgent('sleeper', async (ctx) => {
    passes += 1
    await pauseSession({ session_id: ctx.run_id, reason: 'until somebody wakes me' })
    return ctx.step('awake', () => 'awake')
  })
  const runtime = await project.open({ agents: [agent] })
  const run = await runtime.agents.startById({ agent_id: 'sleeper' })
  await until(async () => (await stateOf(runtime, run.run_id)) === 'paused')
  await runtime.sessions.resume(run.run_id)
  expect((await run.result({ timeoutMs: 5_000 })).output.value).toBe('awake')
  expect(passes).toBe(2)
})

async function stateAfter(runId: string): Promise<string> {
  return stateOf(await project.open(), runId)
}

test('what a handler started in passing does not end the process when the run is stopped', async () => {
  const reached = deferred()
  const agent = defineAgent('hasty', async (ctx) => {
    void ctx.step('unwatched', () => new Promise<never>(() => {}))
    void loadHandoff('never_comes')
    void waitForBackgroundAgent(ctx.run_id)
    void generateHandoff({ type: 'workagent_completion', context: {} })
    await ctx.step('reached', () => reached.resolve())
    await new Promise(() => {})
  })
  const runtime = await project.open({ agents: [agent] })
  const run = await runtime.agents.startById({ agent_id: 'hasty' })
  await reached.promise
  await run.cancel()
  // An unhandled rejection would fail this whole file.
  await runtime.close()
  expect(await stateAfter(run.run_id)).toBe('cancelled')
})
