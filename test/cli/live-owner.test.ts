/** What commands answer while a process has the log open: the same as from disk, and what is written from now on. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { announceSocket } from '../../eventstore/owner.ts'
import { openOwnerServer } from '../../src/attach/owner-server.ts'
import { createRuntime, defineAgent, defineTool, type Runtime } from '../../src/index.ts'
import { runCli } from '../../src/cli/program.ts'
import { agentctl } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-owner-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const newPath = async (): Promise<string> => join(await mkdtemp(join(folder, 'p-')), '.project')

describe('a recorded project', () => {
  let project: RecordedProject
  beforeAll(async () => {
    project = await recordProject(folder)
  })

  test('gives byte for byte the same answers from its live owner as from its closed folder', async () => {
    const questions = [
      ['log'],
      ['log', '--limit', '5', '--type', 'step.*'],
      ['log', 'cleaner'],
      ['show', 'tidy-up'],
      ['show', project.cleaner, '--at', '4'],
      ['show', 'order-1'],
      ['why', 'tidy-up'],
      ['why', project.broken],
      ['why', 'order-1~refused'],
      ['why', '4'],
      ['machines'],
      ['machines', 'agent'],
      ['verify'],
      ['ps'],
      ['diff', 'cleaner'],
      ['blame', 'tidy-up', 'value'],
      ['causes', '30'],
      ['timeline', 'tidy-up'],
      ['permissions'],
      ['billing'],
      ['compliance'],
      ['compliance', '--trend', '3'],
      ['compliance', 'nowhere'],
      ['why', '--failed'],
      ['doctor'],
      ['export'],
      ['show', 'nothing-like-it'],
      ['show', project.cleaner, '--at', '400'],
    ]
    const now = Date.now()
    const answers = async () => {
      const all = []
      // Some say how long ago something was.
      const options = { now }
      for (const argv of questions) {
        all.push({ argv, json: await agentctl([...argv, '--json', '--project', project.path], options) })
        all.push({ argv, plain: await agentctl([...argv, '--project', project.path], options) })
      }
      return all
    }
    // One log, read in two ways: a runtime that is opened and closed would record that it was.
    const logPath = join(project.path, 'log')
    const store = await openLevelEventStore({ path: logPath })
    const server = await openOwnerServer({
      store,
      acts: {},
      live: async () => ({ parked: [], actors: [] }),
      version: 'test',
    })
    expect(await announceSocket(logPath, server.address)).toBe(true)
    const live = await answers()
    await server.close()
    await store.close()
    expect(await answers()).toEqual(live)
    const failed = live.flatMap(({ argv, json, plain }) =>
      (json ?? plain)?.code === 0 ? [] : [[argv[0], (json ?? plain)?.code]],
    )
    // What the log does not have.
    expect(failed).toEqual([
      ['compliance', 4],
      ['compliance', 4],
      ['show', 4],
      ['show', 4],
      ['show', 4],
      ['show', 4],
    ])
  })
})

describe('log --follow on a live owner', () => {
  test('prints each event once and in order, before and after it began to follow, until the log is closed', async () => {
    const path = await newPath()
    const runtime = await createRuntime({ path })
    const session = await runtime.sessions.start({ role: 'orchestrator' })
    const stop = new AbortController()
    const writing = (async () => {
      for (let percent = 0; !stop.signal.aborted; percent = (percent + 1) % 100)
        await runtime.sessions.progress(session, { percent })
    })()
    const following = followed(['log', '--follow', '--json', '--project', path])
    await following.until((lines) => lines.length > 300)
    stop.abort()
    await writing
    const last = runtime.store.position()
    await runtime.close()
    expect(await following.ended).toBe(0)
    const positions = following.lines().map((line) => (JSON.parse(line) as { position: number }).position)
    expect(positions).toEqual(Array.from({ length: last }, (_, index) => index + 1))
  })

  test('of a stream and a type prints only those, and ends quietly with 130 on Ctrl-C', async () => {
    const path = await newPath()
    await using runtime = await createRuntime({ path })
    const session = await runtime.sessions.start({ role: 'orchestrator', name: 'watched' })
    await runtime.sessions.start({ role: 'orchestrator', name: 'other' })
    const argv = ['log', 'watched', '--type', 'session.progressed', '--limit', '1', '--follow', '--json']
    await runtime.sessions.progress(session, { percent: 1 })
    await runtime.sessions.progress(session, { percent: 2 })
    const following = followed([...argv, '--project', path])
    await following.until((lines) => lines.length === 1)
    await runtime.sessions.pause(session)
    await runtime.sessions.resume(session)
    await runtime.sessions.progress(session, { percent: 3 })
    await following.until((lines) => lines.length === 2)
    following.interrupt()
    expect(await following.ended).toBe(130)
    const percents = following.lines().map((line) => (JSON.parse(line) as { payload: unknown }).payload)
    expect(percents).toMatchObject([{ percent: 2 }, { percent: 3 }])
    expect(following.stderr()).toBe('')
  })
})

describe('pause, resume, cancel', () => {
  /** A session with a run that works until it is told to stop. */
  const working = async (): Promise<{ path: string; runtime: Runtime; run: string; session: string }> => {
    const path = await newPath()
    const endless = defineAgent('endless', async (ctx) => {
      await ctx.step('wait', () => stopped(ctx.signal))
    })
    const runtime = await createRuntime({
      path,
      agents: [endless],
      hooks: {
        guardian: {
          triggers: ['session:pause'],
          validate: ({ parameters }) =>
            String(parameters['reason']).includes('whim')
              ? { allowed: false, reason: 'not on a whim', alternatives: ['wait for the report'] }
              : { allowed: true },
        },
      },
    })
    onTestFinished(() => runtime.close())
    const { id: session } = await runtime.sessions.start({ role: 'orchestrator', name: 'work' })
    const { run_id: run } = await runtime.agents.startById({ agent_id: 'endless', parent_id: session })
    await expect.poll(async () => (await runtime.sessions.get(run)).status).toBe('active')
    return { path, runtime, run, session }
  }

  test('move the session and all that it started, in the process that runs it, and it is on record', async () => {
    const { path, runtime, run, session } = await working()
    const ask = (...argv: string[]) => agentctl([...argv, '--json', '--project', path])
    const actors = (status: string) => [
      { id: session, machine: 'session', status },
      { id: run, machine: 'agent', status },
    ]
    const paused = await ask('pause', 'work', '--reason', 'lunch')
    expect(paused).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(paused.stdout)).toEqual({ act: 'pause', id: session, actors: actors('paused') })
    expect((await runtime.sessions.get(run)).status).toBe('paused')
    const why = JSON.parse((await ask('why', session)).stdout) as object
    expect(JSON.stringify(why)).toContain('lunch')

    const again = await ask('pause', 'work', '--only')
    expect(again.code).toBe(3)
    expect(JSON.parse(again.stderr)).toMatchObject({ error: { code: 'SESSION_REFUSED' } })

    expect((await ask('resume', session)).code).toBe(0)
    await expect.poll(async () => (await runtime.sessions.get(run)).status).toBe('active')

    const cancelled = await ask('cancel', 'work', '--reason', 'enough')
    expect(cancelled).toMatchObject({ code: 0, stderr: '' })
    for (const id of [run, session])
      expect(['completed', 'archived']).toContain((await runtime.sessions.get(id)).status)
    expect((await runtime.agents.result({ agent_id: run })).status).toBe('failed')
  })

  test('pass the hooks: a refusal is exit code 3, with the reason and what to do instead', async () => {
    const { path, runtime, session } = await working()
    const refused = await agentctl(['pause', 'work', '--reason', 'a whim', '--only', '--project', path])
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused.stderr).toMatch(/SESSION_REFUSED.*not on a whim.*wait for the report/)
    expect((await runtime.sessions.get(session)).status).toBe('active')
  })

  test('of a run by its id move only what belongs to it', async () => {
    const { path, runtime, run, session } = await working()
    const told = await agentctl(['pause', run, '--project', path])
    expect(told).toEqual({ code: 0, stdout: `${run}  paused\n`, stderr: '' })
    expect((await runtime.sessions.get(session)).status).toBe('active')
  })

  test('are refused when no process has the log open, or nothing has that name: exit code 4', async () => {
    const { path, runtime } = await working()
    const unknown = await agentctl(['pause', 'wrok', '--project', path])
    expect(unknown.code).toBe(4)
    expect(unknown.stderr).toContain('Did you mean work?')
    await runtime.close()
    const closed = await agentctl(['pause', 'work', '--json', '--project', path])
    expect(closed.code).toBe(4)
    expect(JSON.parse(closed.stderr)).toMatchObject({ error: { code: 'CLI_NO_OWNER' } })
  })
})

describe('ps', () => {
  const NOBODY = { mailbox: 0, queue_place: null, attempt: null, calls: [], effects: [] }
  /** One works on a step, one waits for a person, one for a place; and one is at rest. */
  const scene = async (maxConcurrent = 1) => {
    const path = await newPath()
    const write = defineTool({
      name: 'write',
      capabilities: ['execute:write'],
      input: z.object({ text: z.string() }),
      estimate: () => 0,
      inDoubt: 'retry',
      execute: ({ text }) => text,
    })
    const runtime = await createRuntime({
      path,
      maxConcurrent,
      maxResident: 1,
      tools: [write],
      agents: [
        defineAgent('thinker', (ctx) => ctx.step('think', () => stopped(ctx.signal))),
        defineAgent('writer', (ctx) => ctx.tool(write, { text: 'a' })),
      ],
      hooks: {
        asks: {
          triggers: ['execute:write'],
          validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
        },
      },
    })
    onTestFinished(() => runtime.close())
    const { id: session } = await runtime.sessions.start({ role: 'orchestrator', name: 'work' })
    const start = async (agent_id: string): Promise<string> =>
      (await runtime.agents.startById({ agent_id, parent_id: session })).run_id
    // Who waits for a person leaves its place to others meanwhile.
    const writer = await start('writer')
    await expect.poll(async () => (await runtime.approvals.list()).length).toBe(1)
    const thinker = await start('thinker')
    await expect.poll(async () => (await runtime.sessions.get(thinker)).status).toBe('active')
    const [second, third] = [await start('thinker'), await start('thinker')]
    return { path, runtime, session, thinker, writer, second, third }
  }
  const rows = async (path: string, ...argv: string[]) => {
    const told = await agentctl(['ps', '--json', ...argv, '--project', path])
    expect(told).toMatchObject({ code: 0, stderr: '' })
    const lines = told.stdout.trimEnd().split('\n')
    return new Map(
      lines.map((line) => {
        const row = JSON.parse(line) as { id: string; live?: object }
        return [row.id, row] as const
      }),
    )
  }

  test('says of a live owner what no log knows: the attempt under way, what it waits for, who is in line, who rests', async () => {
    const { path, session, thinker, writer, second, third } = await scene()
    await expect.poll(async () => (await rows(path)).get(session)?.live).toMatchObject({ resident: false })
    const told = await rows(path)
    const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string
    const attempt = { number: 1, since: iso }
    expect(told.get(session)?.live).toEqual({ id: session, resident: false, ...NOBODY })
    expect(told.get(thinker)?.live).toEqual({
      ...NOBODY,
      id: thinker,
      resident: true,
      attempt,
      calls: [{ kind: 'step', name: 'think', since: iso, waits_for: null }],
    })
    expect(told.get(writer)?.live).toEqual({
      ...NOBODY,
      id: writer,
      resident: true,
      attempt,
      calls: [{ kind: 'tool', name: 'write', since: iso, waits_for: 'approval' }],
    })
    expect(told.get(second)?.live).toMatchObject({ queue_place: 1, attempt: null })
    expect(told.get(third)?.live).toMatchObject({ queue_place: 2, attempt: null })
    const { stdout } = await agentctl(['ps', '--project', path])
    expect(stdout).toMatch(/^WHO .* WAITS FOR +LIVE$/m)
    expect(stdout).toMatch(/^work .* at rest$/m)
    expect(stdout).toMatch(/^  thinker .* attempt 1 for \ds: step think \(\ds\)$/m)
    expect(stdout).toMatch(/^  writer .* attempt 1 for \ds: tool write, a person's approval \(\ds\)$/m)
    expect(stdout).toMatch(/^  thinker .* place 2 in line$/m)
  })

  test('counts the attempts that are under way again, and says nothing of one that was stopped', async () => {
    const { path, runtime, thinker } = await scene(8)
    await runtime.sessions.pause(thinker)
    await expect.poll(async () => (await rows(path)).get(thinker)?.live).toMatchObject({ attempt: null })
    await runtime.sessions.resume(thinker)
    await expect
      .poll(async () => (await rows(path)).get(thinker)?.live)
      .toMatchObject({ attempt: { number: 2 }, calls: [{ name: 'think' }] })
  })

  test('says nothing of the kind of a folder that nobody has open', async () => {
    const { path, runtime, thinker } = await scene()
    const live = await rows(path)
    await runtime.close()
    const dead = await rows(path)
    expect(dead.get(thinker)).not.toHaveProperty('live')
    const { live: _live, ...recorded } = live.get(thinker) ?? {}
    expect(dead.get(thinker)).toEqual(recorded)
    const { stdout } = await agentctl(['ps', '--project', path])
    expect(stdout).toMatch(/^WHO .* WAITS FOR$/m)
    expect(stdout).not.toMatch(/attempt|at rest|in line/)
  })
})

describe('approve, deny, retry', () => {
  const asking = async (): Promise<{
    path: string
    runtime: Runtime
    ran: string[]
    run: string
    id: string
  }> => {
    const path = await newPath()
    const ran: string[] = []
    const write = defineTool({
      name: 'write',
      capabilities: ['execute:write'],
      input: z.object({ text: z.string() }),
      estimate: () => 0,
      inDoubt: 'retry',
      execute: ({ text }) => void ran.push(text),
    })
    const runtime = await createRuntime({
      path,
      tools: [write],
      agents: [defineAgent('writer', (ctx) => ctx.tool(write, { text: 'a' }))],
      hooks: {
        asks: {
          triggers: ['execute:write'],
          validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
        },
      },
    })
    onTestFinished(() => runtime.close())
    const { run_id: run } = await runtime.agents.startById({ agent_id: 'writer' })
    await expect.poll(async () => (await runtime.approvals.list()).length).toBe(1)
    const [request] = await runtime.approvals.list()
    return { path, runtime, ran, run, id: request?.approval_id ?? '' }
  }

  test('decide what waits, once, in the name of who decides', async () => {
    const { path, runtime, ran, run, id } = await asking()
    const told = await agentctl(['approve', id, '--by', 'ann', '--note', 'go', '--json', '--project', path])
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(told.stdout)).toMatchObject({
      act: 'approve',
      id,
      by: 'ann',
      result: { decided_by: 'ann' },
    })
    expect((await runtime.agents.wait(run)).status).toBe('completed')
    expect(ran).toEqual(['a'])
    const late = await agentctl(['deny', id, '--by', 'bob', '--json', '--project', path])
    expect(late.code).toBe(6)
    expect(JSON.parse(late.stderr)).toMatchObject({ error: { code: 'APPROVAL_DECIDED' } })
  })

  test('refuse it, by default in the name of the user of the system', async () => {
    const { path, runtime, ran, run, id } = await asking()
    const told = await agentctl(['deny', id, '--reason', 'not on a Friday', '--project', path])
    expect(told).toEqual({ code: 0, stdout: `${id}  denied\n`, stderr: '' })
    expect(await runtime.approvals.get(id)).toMatchObject({ decided_by: userInfo().username })
    expect((await runtime.agents.wait(run)).status).toBe('failed')
    expect(ran).toEqual([])
  })

  test('say when there is nothing of that id: exit code 4', async () => {
    const { path } = await asking()
    for (const [verb, code] of [
      ['approve', 'APPROVAL_UNKNOWN'],
      ['deny', 'APPROVAL_UNKNOWN'],
      ['retry', 'DEAD_LETTER_UNKNOWN'],
    ] as const) {
      const told = await agentctl([verb, 'appr_nothing', '--json', '--project', path])
      expect(told).toMatchObject({ code: 4, stdout: '' })
      expect(JSON.parse(told.stderr)).toMatchObject({ error: { code } })
    }
  })
})

/** Rejects when it is told to stop. */
function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  )
}

/** A command that goes on, and what it has printed so far. */
function followed(argv: readonly string[]) {
  let stdout = ''
  let stderr = ''
  let listener: () => void = () => {}
  const ended = runCli(argv, {
    stdin: { isTTY: false },
    stdout: {
      write: (text) => {
        stdout += text
        return true
      },
    },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    cwd: folder,
    onInterrupt: (given) => {
      listener = given
      return () => {}
    },
  })
  const lines = (): string[] => stdout.split('\n').slice(0, -1)
  return {
    ended,
    lines,
    stderr: () => stderr,
    interrupt: () => listener(),
    until: (condition: (lines: readonly string[]) => boolean): Promise<void> =>
      expect.poll(() => condition(lines()), { timeout: 20_000, interval: 5 }).toBe(true),
  }
}
