/** What goes in wrong, and what comes out wrong: each gets a typed error that says what to do, and loses nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineAgent,
  defineTool,
  generateHandoff,
  getBackgroundAgentResult,
  listBackgroundAgents,
  listNamedSessions,
  loadHandoff,
  nameSession,
  pauseSession,
  resumeNamedSession,
  endSession,
  startBackgroundAgent,
  startSession,
  waitForBackgroundAgent,
  type PermissionHook,
} from '../../src/index.ts'
import { eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const quick = defineAgent('quick', () => 'done')
const throwing = defineAgent('throwing', () => {
  throw new TypeError('no luck')
})
const endless = defineAgent('endless', () => new Promise<never>(() => {}))
const failure = (promise: Promise<unknown>): Promise<{ code: string; message: string; details: never }> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error) => error as never,
  )

describe('an agent', () => {
  test('that is not defined is refused at its start, and nothing is written (O-027)', async () => {
    const { agents, store } = await project.open({ agents: [quick] })
    const before = store.position()
    const error = await failure(agents.startById({ agent_id: 'quikc' }))
    expect(error).toMatchObject({ code: 'AGENT_UNKNOWN', details: { agent_id: 'quikc' } })
    expect(error.message).toContain('quikc')
    expect(store.position()).toBe(before)
  })

  test('that throws ends as failed, with its message (O-043)', async () => {
    const { agents } = await project.open({ agents: [throwing] })
    const run = await agents.startById({ agent_id: 'throwing' })
    expect(await run.result()).toMatchObject({
      status: 'failed',
      state: 'failed',
      output: { errors: ['no luck'], metrics: {}, logs: [] },
    })
  })

  test('that throws what is no error ends as failed as well', async () => {
    const odd = defineAgent('odd', () => Promise.reject(undefined))
    const { agents } = await project.open({ agents: [odd] })
    expect(await (await agents.startById({ agent_id: 'odd' })).result()).toMatchObject({ status: 'failed' })
  })

  test('that never ends is killed by its own deadline: timed_out (O-034, O-038, ruling 10)', async () => {
    const { agents } = await project.open({ agents: [endless] })
    const run = await agents.startById({ agent_id: 'endless', deadline_ms: 50 })
    expect(await run.result()).toMatchObject({
      status: 'timeout',
      state: 'timed_out',
      output: { errors: ['no end within 50 ms'] },
    })
  })

  test('that never ends is still killed by its deadline when the process was away meanwhile', async () => {
    const first = await project.open({ agents: [endless] })
    const run = await first.agents.startById({ agent_id: 'endless', deadline_ms: 300 })
    await until(async () => (await first.agents.result({ agent_id: run.run_id })).state === 'running')
    await first.close()
    const second = await project.open({ agents: [endless] })
    expect(await second.agents.wait(run.run_id)).toMatchObject({ state: 'timed_out' })
  })

  test('that never ends leaves its waiter with status timeout, and goes on running (O-031, O-034)', async () => {
    const { agents } = await project.open({ agents: [endless] })
    const run = await agents.startById({ agent_id: 'endless' })
    expect(await agents.wait(run.run_id, { timeout: 20 })).toMatchObject({
      status: 'timeout',
      state: 'running',
    })
    expect(await agents.result({ agent_id: 'endless' })).toMatchObject({ status: 'running' })
  })

  test('that never ends is cancelled where the waiter asked for that', async () => {
    const { agents } = await project.open({ agents: [endless] })
    const run = await agents.startById({ agent_id: 'endless' })
    const waited = await agents.wait(run.run_id, { timeout: 20, onTimeout: 'cancel' })
    expect(waited).toMatchObject({ status: 'timeout', state: 'cancelled' })
    expect(await agents.result({ agent_id: 'endless' })).toMatchObject({ status: 'failed' })
  })

  test.each([{ timeout: -1 }, { timeout: Number.NaN }, { onTimeout: 'kill' as never }])(
    'is not waited for with %o',
    async (options) => {
      const { agents } = await project.open({ agents: [quick] })
      const run = await agents.startById({ agent_id: 'quick' })
      expect(await failure(agents.wait(run.run_id, options))).toMatchObject({ code: 'INPUT_INVALID' })
    },
  )

  test('that was never started is unknown to results, waits and cancels', async () => {
    const { agents } = await project.open({ agents: [quick] })
    for (const ask of [agents.result({ agent_id: 'quick' }), agents.wait('run_x'), agents.cancel('run_x')]) {
      expect(await failure(ask)).toMatchObject({ code: 'RUN_UNKNOWN' })
    }
  })

  test('that runs twice is ambiguous by its id, and exact by its run (ruling 9)', async () => {
    const { agents } = await project.open({ agents: [endless] })
    const runs = [
      await agents.startById({ agent_id: 'endless' }),
      await agents.startById({ agent_id: 'endless' }),
    ]
    expect(await failure(agents.result({ agent_id: 'endless' }))).toMatchObject({
      code: 'RUN_AMBIGUOUS',
      details: { runs: runs.map((run) => run.run_id) },
    })
    expect(await agents.result({ agent_id: runs[0]?.run_id ?? '' })).toMatchObject({ state: 'running' })
  })

  test.each([
    ['without code', () => defineAgent('x', undefined as never)],
    ['without an id', () => defineAgent({ id: ' ', run: () => 1 })],
    ['as an object without code', () => defineAgent({ id: 'x' } as never)],
  ])('is not defined %s', (_what, define) => {
    expect(define).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })

  test.each([
    ['a deadline of nothing', { deadlineMs: 0 }],
    ['a negative time for its silence', { heartbeatTimeoutMs: -1 }],
  ])('is not defined with %s', (_what, times) => {
    expect(() => defineAgent({ id: 'x', run: () => 1, ...times })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })

  test.each([
    [{ agent_id: 'quick', priority: 'urgent' as never }, 'priority'],
    [{ agent_id: 'quick', deadline_ms: -1 }, 'deadline_ms'],
    [{ agent_id: 'quick', budget: { usd: -1 } }, 'budget.usd'],
    [{ agent_id: 'quick', webhook: { url: 'file:///etc/passwd' } }, 'webhook.url'],
    [{ agent_id: 'quick', run_id: 'a\nb' }, 'run_id'],
    [{ agent_id: 'quick', name: '../up' }, 'name'],
    [{ agent_id: 'quick', role: 'emperor' as never }, 'role'],
    [{ agent_id: 'quick', on_conflict: 'fight' as never }, 'on_conflict'],
  ])('is not started with %o, and nothing is written', async (start, path) => {
    const { agents, store } = await project.open({ agents: [quick] })
    const before = store.position()
    expect(await failure(agents.startById(start))).toMatchObject({
      code: 'INPUT_INVALID',
      details: { path },
    })
    expect(store.position()).toBe(before)
  })

  test.each([
    ['less than nothing', { usd: -1 }, 'BILLING_INVALID_PRICE'],
    ['what is no number', { usd: Number.NaN }, 'BILLING_INVALID_PRICE'],
    ['fewer than no tokens', { usd: 1, tokens: -5 }, 'BILLING_INVALID_USAGE'],
    ['half a token', { usd: 1, tokens: 0.5 }, 'BILLING_INVALID_USAGE'],
  ])('cannot spend %s, in a step or outside of one; nothing is booked', async (_what, cost, code) => {
    const spender = defineAgent('spender', async (ctx) => {
      const outside = await failure(ctx.spend(cost))
      const inside = await ctx.step('inside', async () => (await failure(ctx.spend(cost))).code)
      return [outside.code, inside]
    })
    const runtime = await project.open({ agents: [spender] })
    const run = await runtime.agents.startById({ agent_id: 'spender' })
    expect((await run.result()).output.value).toEqual([code, code])
    const types = (await eventsOf(runtime, run.run_id)).map(({ event_type }) => event_type)
    expect(types).not.toContain('agent.spent')
    expect(types.filter((type) => type === 'step.started')).toHaveLength(1)
  })

  test('that is defined twice is refused when the runtime is opened', async () => {
    expect(await failure(createRuntime({ agents: [quick, quick] }))).toMatchObject({ code: 'AGENT_EXISTS' })
  })
})

describe('an input', () => {
  test('that JSON cannot carry is refused with its path, and nothing is written', async () => {
    const { agents, store } = await project.open({ agents: [quick] })
    const before = store.position()
    const input = { list: [{ when: new Date() }] }
    const error = await failure(agents.startById({ agent_id: 'quick', input }))
    expect(error).toMatchObject({ code: 'ES_NOT_SERIALISABLE', path: 'input.list[0].when' })
    expect(store.position()).toBe(before)
  })

  test('that does not fit the agent is refused with its path, and nothing is written', async () => {
    const typed = defineAgent({ id: 'typed', input: z.object({ n: z.number() }), run: () => 1 })
    const { agents, store } = await project.open({ agents: [typed] })
    const before = store.position()
    expect(await failure(agents.startById({ agent_id: 'typed', input: { n: 'x' } }))).toMatchObject({
      code: 'INPUT_INVALID',
      details: { path: 'n' },
    })
    expect(store.position()).toBe(before)
  })

  test('of a tool that JSON cannot carry is refused with its path, before any hook is asked', async () => {
    let asked = 0
    const loose = defineTool({
      name: 'loose',
      capabilities: ['execute:x'],
      input: z.looseObject({}),
      inDoubt: 'ask',
      execute: () => 1,
    })
    const caller = defineAgent('caller', (ctx) =>
      ctx.tool(loose, { f: () => 1 }).catch((error: Error) => error.message),
    )
    const hook: PermissionHook = {
      triggers: ['*'],
      validate: ({ tool_name }) => {
        if (tool_name === 'loose') asked += 1
        return { allowed: true }
      },
    }
    const { agents } = await project.open({ agents: [caller], hooks: { hook } })
    const { output } = await (await agents.startById({ agent_id: 'caller' })).result()
    expect(output.value).toMatch(/input\.f is a function/)
    expect(asked).toBe(0)
  })
})

test('an output that JSON cannot carry is normalised, and flagged in the log', async () => {
  const map = defineAgent('map', async (ctx) => {
    const step = await ctx.step('now', () => ({ when: new Date(0), big: 5n }))
    return { step, map: new Map([['a', 1]]), nan: Number.NaN }
  })
  const runtime = await project.open({ agents: [map] })
  const run = await runtime.agents.startById({ agent_id: 'map' })
  expect((await run.result()).output.value).toEqual({
    step: { when: '1970-01-01T00:00:00.000Z', big: '5' },
    map: [['a', 1]],
    nan: 'NaN',
  })
  const flagged = (await eventsOf(runtime, run.run_id)).filter((event) => event.normalized !== undefined)
  expect(flagged.map((event) => [event.event_type, event.normalized?.length])).toEqual([
    ['step.completed', 2],
    ['agent.succeeded', 2],
  ])
})

describe('a hook', () => {
  const gated = defineTool({
    name: 'gated',
    capabilities: ['execute:gated'],
    input: z.object({}),
    inDoubt: 'ask',
    execute: () => 'ran',
  })
  const caller = defineAgent('caller', (ctx) =>
    ctx.tool(gated, {}).catch((error: { reason: string }) => error.reason),
  )
  test.each<[string, PermissionHook['validate'], RegExp]>([
    ['returns undefined', () => undefined as never, /hook_error:odd: answer/],
    ['throws', () => Promise.reject(new Error('broken')), /hook_error:odd: .*broken/],
    ['hangs', () => new Promise<never>(() => {}), /hook_error:odd: no answer within 40 ms/],
  ])('that %s denies, and the tool does not run (O-135)', async (_what, validate, reason) => {
    const { agents } = await project.open({
      agents: [caller],
      hooks: { odd: { triggers: ['execute:*'], validate } },
      hookTimeoutMs: 40,
    })
    const { output } = await (await agents.startById({ agent_id: 'caller' })).result()
    expect(output.value).toMatch(reason)
  })
})

describe('a session', () => {
  test('that is unknown is named in the error', async () => {
    const { sessions, agents } = await project.open({ agents: [quick] })
    for (const ask of [
      sessions.get('sess_x'),
      sessions.pause('sess_x'),
      sessions.end('sess_x'),
      sessions.progress('sess_x', {}),
      sessions.handOff({ from: 'sess_x', to: 'sess_x' }, { type: 'a_completion', context: {} }),
      sessions.loadHandoff('sess_x', { type: 'a_completion', by: 'me' }),
      sessions.start({ role: 'supervisor', parent_id: 'sess_x' }),
      agents.startById({ agent_id: 'quick', parent_id: 'sess_x' }),
      agents.startById({ agent_id: 'quick', session_id: 'sess_x' }),
    ]) {
      expect(await failure(ask)).toMatchObject({ code: 'SESSION_UNKNOWN', details: { session_id: 'sess_x' } })
    }
  })

  test('keeps its name against all others until it ends, also when they come at once (O-066)', async () => {
    const { sessions } = await project.open()
    const starts = [1, 2, 3].map(() => sessions.start({ role: 'supervisor', name: 'mine' }))
    const settled = await Promise.allSettled(starts)
    expect(settled.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    const [holder] = starts
    const other = await sessions.start({ role: 'supervisor' })
    const conflict = await failure(sessions.name(other, { session_name: 'mine' }))
    expect(conflict).toMatchObject({ code: 'SESSION_NAME_CONFLICT' })
    expect(conflict.message).toContain('resumeNamedSession')
    await sessions.end((await holder)?.id ?? '')
    expect((await sessions.name(other, { session_name: 'mine' })).name).toBe('mine')
  })

  test('that has ended is neither paused nor resumed nor ended again (O-100)', async () => {
    const { sessions, store } = await project.open()
    const session = await sessions.start({ role: 'supervisor' })
    await sessions.end(session)
    const before = store.position()
    for (const ask of [sessions.pause(session), sessions.resume(session), sessions.end(session)]) {
      const error = await failure(ask)
      expect(error).toMatchObject({ code: 'SESSION_REFUSED' })
      expect(error.message).toContain('completed')
    }
    expect(store.position()).toBe(before)
    expect((await sessions.get(session)).status).toBe('completed')
  })

  test.each([
    [{ role: 'boss' as never }, 'role'],
    [{ role: 'supervisor' as const, project: '' }, 'project'],
    [{ role: 'supervisor' as const, tags: [''] }, 'tags.0'],
  ])('is not started with %o', async (input, path) => {
    const { sessions } = await project.open()
    expect(await failure(sessions.start(input))).toMatchObject({ code: 'INPUT_INVALID', details: { path } })
  })
})

test('the article functions outside of a scope say how to enter one (ruling 1)', async () => {
  const calls: Record<string, () => Promise<unknown>> = {
    startSession: () => startSession({ role: 'supervisor' }),
    nameSession: () => nameSession({ session_name: 'x' }),
    generateHandoff: () => generateHandoff({ type: 'a_completion', context: {} }),
    loadHandoff: () => loadHandoff('a_completion'),
    resumeNamedSession: () => resumeNamedSession({ session_name: 'x' }),
    listNamedSessions: () => listNamedSessions(),
    pauseSession: () => pauseSession(),
    endSession: () => endSession(),
    startBackgroundAgent: async () => startBackgroundAgent({ agent_id: 'x' }),
    waitForBackgroundAgent: () => waitForBackgroundAgent('x'),
    getBackgroundAgentResult: () => getBackgroundAgentResult({ agent_id: 'x' }),
    listBackgroundAgents: () => listBackgroundAgents(),
  }
  for (const [name, call] of Object.entries(calls)) {
    const error = await failure(call())
    expect(error).toMatchObject({ code: 'NO_AMBIENT_SESSION' })
    expect(error.message).toContain(`${name}()`)
    expect(error.message).toContain('runtime.run(')
  }
})

test('a scope without a session says that it has none', async () => {
  const runtime = await project.open()
  const calls: (() => Promise<unknown>)[] = [
    () => nameSession({ session_name: 'x' }),
    () => generateHandoff({ type: 'a_completion', context: {} }),
    () => endSession(),
  ]
  for (const call of calls) {
    expect(await failure(runtime.run(call))).toMatchObject({ code: 'NO_AMBIENT_SESSION' })
  }
})

test('a second process that opens the folder is told who has it', async () => {
  const program = fileURLToPath(new URL('../../dist/test/faults/programs/agent-holder.js', import.meta.url))
  expect(existsSync(program), 'npm run build comes first').toBe(true)
  const holder = spawn(process.execPath, [program, project.path()], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(holder.stdout, 'data')
    const error = await failure(createRuntime({ path: project.path() }))
    expect(error).toMatchObject({ code: 'ES_LOCKED' })
    expect(error.message).toContain(String(holder.pid))
    expect(existsSync(join(project.path(), 'log'))).toBe(true)
  } finally {
    holder.kill('SIGKILL')
    await once(holder, 'exit')
  }
})
