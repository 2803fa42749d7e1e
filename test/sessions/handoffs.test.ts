/** Handoffs find their receiver, arrive once, are taken once, and survive a death in between. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  createRuntime,
  defineAgent,
  generateHandoff,
  loadHandoff,
  startBackgroundAgent,
  startSession,
  type Runtime,
} from '../../src/index.ts'
import { dieAfter } from '../agents/dying-store.ts'
import { allEvents, deferred, eventsOf, projectFolder, until } from '../agents/project-folder.ts'

const project = projectFolder()
const idle = (id: string) => defineAgent(id, () => new Promise<never>(() => {}))

const receivedBy = async (runtime: Runtime, id: string): Promise<unknown[]> =>
  (await eventsOf(runtime, id))
    .filter((event) => event.event_type === 'handoff.received')
    .map((event) => (event.payload as { handoff: { context: { n: unknown } } }).handoff.context.n)

describe('a handoff by its type (ruling 3, O-069 to O-076)', () => {
  test('goes to the k-th child of the role, in the order of starting, whatever starts faster', async () => {
    const runtime = await project.open({ agents: [idle('work-*')] })
    const ids = await runtime.run(async () => {
      await startSession({ role: 'orchestrator' })
      const children = [
        startSession({ role: 'supervisor' }),
        startBackgroundAgent({ agent_id: 'work-1' }),
        startSession({ role: 'supervisor' }),
        startBackgroundAgent({ agent_id: 'work-2' }),
      ]
      // All in passing, none awaited: their order is the order of the calls.
      await Promise.all([
        generateHandoff({ type: 'orchestrator_to_workagent', context: { n: 'w1' } }),
        generateHandoff({ type: 'orchestrator_to_supervisor', context: { n: 's1' } }),
        generateHandoff({ type: 'orchestrator_to_workagent', context: { n: 'w2' } }),
        generateHandoff({ type: 'orchestrator_to_supervisor', context: { n: 's2' } }),
      ])
      await expect(
        generateHandoff({ type: 'orchestrator_to_workagent', context: { n: 'w3' } }),
      ).rejects.toMatchObject({ code: 'HANDOFF_UNROUTABLE' })
      return (await Promise.all(children)).map(String)
    })
    const received = await Promise.all(ids.map((id) => receivedBy(runtime, id)))
    expect(received).toEqual([['s1'], ['w1'], ['s2'], ['w2']])
  })

  test('leaves the slot to a start that failed', async () => {
    const runtime = await project.open({ agents: [idle('work-*')] })
    await runtime.run(async () => {
      await startSession({ role: 'supervisor' })
      const failed = startBackgroundAgent({ agent_id: 'nobody' })
      const good = startBackgroundAgent({ agent_id: 'work-1' })
      await expect(
        generateHandoff({ type: 'supervisor_to_workagent', context: { n: 1 } }),
      ).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' })
      await generateHandoff({ type: 'supervisor_to_workagent', context: { n: 2 } })
      await expect(failed).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' })
      expect(await receivedBy(runtime, await good)).toEqual([2])
    })
  })

  test('knows the role that an agent was defined with', async () => {
    const supervisor = defineAgent({ id: 'sup', role: 'supervisor', run: () => new Promise<never>(() => {}) })
    const runtime = await project.open({ agents: [supervisor] })
    await runtime.run(async () => {
      await startSession({ role: 'orchestrator' })
      const run = await startBackgroundAgent({ agent_id: 'sup' })
      await generateHandoff({ type: 'orchestrator_to_supervisor', context: { n: 1 } })
      expect(await receivedBy(runtime, run)).toEqual([1])
    })
  })

  test('goes up to the parent, as report or by role, and stays with the sender as continuation', async () => {
    const worker = defineAgent('work', async () => {
      await generateHandoff({ type: 'workagent_completion', context: { n: 'report' } })
      await generateHandoff({ type: 'workagent_to_supervisor', context: { n: 'up' } })
      await generateHandoff({ type: 'workagent_continuation', context: { n: 'self', current_phase: 'two' } })
    })
    const runtime = await project.open({ agents: [worker] })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const run = await runtime.agents.startById({ agent_id: 'work', parent_id: session.id })
    expect((await run.result()).status).toBe('completed')
    expect(await receivedBy(runtime, session.id)).toEqual(['report', 'up'])
    expect(await receivedBy(runtime, run.run_id)).toEqual(['self'])
    expect((await runtime.sessions.get(run.run_id)).phase).toBe('two')
  })

  test('has no receiver above a session without a parent, and says so', async () => {
    const runtime = await project.open()
    await expect(
      runtime.run(async () => {
        await startSession({ role: 'orchestrator' })
        await generateHandoff({ type: 'orchestrator_completion', context: {} })
      }),
    ).rejects.toMatchObject({ code: 'HANDOFF_UNROUTABLE' })
  })

  test('is refused with a bad type or a context that JSON cannot carry, and nothing is written', async () => {
    const { sessions, store } = await project.open()
    const session = await sessions.start({ role: 'supervisor' })
    const address = { from: session, to: session }
    const before = store.position()
    await expect(sessions.handOff(address, { type: 'Nonsense', context: {} })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      details: { path: 'type' },
    })
    await expect(
      sessions.handOff(address, { type: 'supervisor_continuation', context: { at: [new Date()] } }),
    ).rejects.toMatchObject({ code: 'ES_NOT_SERIALISABLE', path: 'context.at[0]' })
    expect(store.position()).toBe(before)
  })
})

describe('a handoff that is loaded (O-088)', () => {
  test('comes flat, with its metadata, and is waited for when it is late', async () => {
    const { sessions } = await project.open()
    const session = await sessions.start({ role: 'supervisor' })
    const loading = sessions.loadHandoff(session, { type: 'orchestrator_to_supervisor', by: session.id })
    const id = await sessions.handOff(
      { from: session, to: session },
      { type: 'orchestrator_to_supervisor', context: { objective: 'more', blockers: ['b'] } },
    )
    const handoff = await loading
    expect(handoff).toMatchObject({ objective: 'more', blockers: ['b'] })
    expect(handoff.$meta).toMatchObject({ handoff_id: id, claimed_by: session.id })
  })

  test('is not there in time: HANDOFF_NOT_FOUND', async () => {
    const { sessions } = await project.open()
    const session = await sessions.start({ role: 'supervisor' })
    await expect(
      sessions.loadHandoff(session, { type: 'orchestrator_to_supervisor', by: 'me', timeoutMs: 20 }),
    ).rejects.toMatchObject({ code: 'HANDOFF_NOT_FOUND' })
  })

  test('is taken by one of many, and each call takes another', async () => {
    const taken: number[] = []
    const worker = defineAgent('work', async () => {
      const both = await Promise.all([loadHandoff('workagent_note'), loadHandoff('workagent_note')])
      taken.push(...both.map((handoff) => handoff['n'] as number))
      taken.push((await loadHandoff('workagent_note'))['n'] as number)
    })
    const runtime = await project.open({ agents: [worker] })
    const run = await runtime.agents.startById({ agent_id: 'work' })
    for (const n of [1, 2, 3, 4]) {
      await runtime.sessions.handOff(
        { from: run.run_id, to: run.run_id },
        { type: 'workagent_note', context: { n } },
      )
    }
    await run.result()
    expect(taken.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
  })

  test('in a scope: the first again after a restart, then the next', async () => {
    const first = await project.open()
    let sessionId = ''
    await first.run(async () => {
      const session = await startSession({ role: 'supervisor' })
      sessionId = session.id
      for (const n of [1, 2]) {
        await first.sessions.handOff(
          { from: session, to: session },
          { type: 'orchestrator_to_supervisor', context: { n } },
        )
      }
      expect((await loadHandoff('orchestrator_to_supervisor'))['n']).toBe(1)
      await first.sessions.pause(session)
    })
    await first.close()
    const second = await project.open()
    const again = async (): Promise<unknown> =>
      (await second.sessions.loadHandoff(sessionId, { type: 'orchestrator_to_supervisor', by: sessionId }))[
        'n'
      ]
    expect([await again(), await again()]).toEqual([1, 1])
    const other = await second.sessions.loadHandoff(sessionId, {
      type: 'orchestrator_to_supervisor',
      by: 'another',
    })
    expect(other['n']).toBe(2)
  })

  test('is given again to the same call after a death between claim and record', async () => {
    const reached = deferred()
    const worker = defineAgent('work', async (ctx) => {
      const { n } = await loadHandoff('workagent_note')
      return ctx.step('done', () => {
        reached.resolve()
        return n as number
      })
    })
    const disk = await openLevelEventStore({ path: join(project.path(), 'log') })
    // Everything up to the claim is on disk; that the call returned is not.
    const probe = await createRuntime({ agents: [worker] })
    const begin = async (runtime: Runtime): Promise<void> => {
      const run = await runtime.agents.startById({ agent_id: 'work', run_id: 'run_1' })
      const self = { from: run.run_id, to: run.run_id }
      await runtime.sessions.handOff(self, { type: 'workagent_note', context: { n: 1 } })
    }
    await begin(probe)
    await reached.promise
    const claim = (await allEvents(probe)).find((event) => event.event_type === 'handoff.claimed')
    await probe.close()
    const { store, dead } = dieAfter(disk, claim?.position ?? 0)
    void createRuntime({ store, agents: [worker], onError: () => {} }).then(begin)
    await dead
    await disk.close()
    const runtime = await project.open({ agents: [worker] })
    expect((await runtime.agents.wait('run_1', { timeout: 5_000 })).output.value).toBe(1)
  })

  test('is not taken by another of the same role who waits for its own (ruling 3)', async () => {
    const worker = defineAgent(
      'work',
      async () => (await loadHandoff('supervisor_to_workagent'))['n'] as number,
    )
    const runtime = await project.open({ agents: [worker] })
    const { sessions, agents } = runtime
    const top = await sessions.start({ role: 'supervisor' })
    const idle = await sessions.start({ role: 'workagent', parent_id: top.id })
    const hand = (to: string, n: number): Promise<string> =>
      sessions.handOff({ from: top, to }, { type: 'supervisor_to_workagent', context: { n } })
    await hand(idle.id, 0)
    const run = await agents.startById({ agent_id: 'work', parent_id: top.id })
    await until(async () => (await agents.result({ agent_id: run.run_id })).state === 'running')
    await hand(run.run_id, 1)
    expect((await run.result()).output.value).toBe(1)
    expect(await sessions.loadHandoff(idle, { type: 'supervisor_to_workagent', by: 'me' })).toMatchObject({
      n: 0,
    })
  })

  test('that none came for in time: of the same work and nobody else, found by a run of that role; two are ambiguous', async () => {
    const supervise = defineAgent({
      id: 'supervise',
      role: 'supervisor',
      run: async () =>
        loadHandoff('orchestrator_to_supervisor', { timeoutMs: 100 }).then(
          (handoff) => handoff['n'] as number,
          (error: { code: string }) => error.code,
        ),
    })
    const runtime = await project.open({ agents: [supervise] })
    const { sessions, agents } = runtime
    const top = await sessions.start({ role: 'orchestrator' })
    const other = await sessions.start({ role: 'orchestrator' })
    const leave = async (parent: { id: string }, n: number): Promise<void> => {
      const session = await sessions.start({ role: 'supervisor', parent_id: parent.id })
      await sessions.handOff(
        { from: parent, to: session },
        { type: 'orchestrator_to_supervisor', context: { n } },
      )
    }
    const ask = async (): Promise<unknown> => {
      const run = await agents.startById({ agent_id: 'supervise', parent_id: top.id })
      return (await run.result()).output.value
    }
    await leave(other, 99)
    await leave(top, 1)
    expect(await ask()).toBe(1)
    await leave(top, 2)
    await leave(top, 3)
    expect(await ask()).toBe('HANDOFF_AMBIGUOUS')
  })
})

describe('a death between sending and receiving', () => {
  test('loses nothing: the handoff is delivered at the next opening, once', async () => {
    const disk = await openLevelEventStore({ path: join(project.path(), 'log') })
    const work = async (runtime: Runtime): Promise<void> => {
      await runtime.sessions.start({ role: 'orchestrator', session_id: 'sess_from' })
      await runtime.sessions.start({ role: 'supervisor', session_id: 'sess_to' })
      await runtime.sessions.handOff(
        { from: 'sess_from', to: 'sess_to' },
        { type: 'orchestrator_to_supervisor', context: { n: 7 } },
      )
    }
    const probe = await createRuntime()
    await work(probe)
    const sent = (await allEvents(probe)).find((event) => event.event_type === 'handoff.generated')
    await probe.close()
    const { store, dead } = dieAfter(disk, sent?.position ?? 0)
    void createRuntime({ store, onError: () => {} }).then(work)
    await dead
    await disk.close()

    const runtime = await project.open()
    expect(await receivedBy(runtime, 'sess_to')).toEqual([7])
    await runtime.close()
    const again = await project.open()
    expect(await receivedBy(again, 'sess_to')).toEqual([7])
    const loaded = await again.sessions.loadHandoff('sess_to', {
      type: 'orchestrator_to_supervisor',
      by: 'sess_to',
    })
    expect(loaded['n']).toBe(7)
  })
})

test('a handoff to a receiver that is archived is refused before it is written', async () => {
  const runtime = await project.open()
  const { sessions, store } = runtime
  const [from, to] = [
    await sessions.start({ role: 'supervisor' }),
    await sessions.start({ role: 'supervisor' }),
  ]
  await sessions.end(to)
  await runtime.send(to.id, { type: 'session.archived', at: new Date(0).toISOString() } as never)
  await until(async () => (await sessions.get(to)).status === 'archived')
  const before = store.position()
  await expect(
    sessions.handOff({ from, to }, { type: 'supervisor_to_supervisor', context: {} }),
  ).rejects.toMatchObject({ code: 'HANDOFF_UNROUTABLE' })
  expect(store.position()).toBe(before)
})
