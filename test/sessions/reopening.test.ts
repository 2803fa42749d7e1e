/** Sessions that have ended and are to go on after all: in one successor, with what they had, whenever the process dies. */
import { describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  createRuntime,
  defineAgent,
  resumeNamedSession,
  startSession,
  type Runtime,
} from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { dieAfter } from '../agents/dying-store.ts'
import { allEvents, projectFolder } from '../agents/project-folder.ts'

const project = projectFolder()

/** A named session with a handoff to itself, that has ended. */
async function ended(runtime: Runtime): Promise<void> {
  const { sessions } = runtime
  await sessions.start({ role: 'supervisor', session_id: 'first', name: 'redesign', tags: ['feature:a'] })
  await sessions.handOff(
    { from: 'first', to: 'first' },
    { type: 'supervisor_continuation', context: { current_phase: 'two', next_steps: ['forms'] } },
  )
  await sessions.end('first')
}

const SUCCESSOR = {
  status: 'active',
  role: 'supervisor',
  name: 'redesign',
  tags: ['feature:a'],
  continues: 'first',
  next_steps: ['forms'],
}

describe('a session that has ended, and is resumed with reopen (O-089)', () => {
  test('is a session: a run that has ended is started again instead, and the error says so', async () => {
    const quick = defineAgent({ id: 'quick', run: async () => ({ metrics: {} }) })
    await using runtime = await createTestRuntime({ agents: [quick] })
    const run = await runtime.agents.start(quick, { input: null })
    await run.result()
    await expect(runtime.sessions.resume(run.run_id, { reopen: true })).rejects.toMatchObject({
      code: 'SESSION_REFUSED',
      message: expect.stringContaining('Start its agent again') as string,
    })
  })

  test('goes on in a successor by its name; without it the error says how', async () => {
    await using runtime = await createTestRuntime()
    await ended(runtime)
    await runtime.run(async () => {
      await startSession({ role: 'orchestrator' })
      await expect(resumeNamedSession({ session_name: 'redesign' })).rejects.toMatchObject({
        code: 'SESSION_REFUSED',
        message: expect.stringContaining('reopen: true') as string,
      })
      const session = await resumeNamedSession({ session_name: 'redesign', reopen: true })
      expect(session).toMatchObject(SUCCESSOR)
      expect((await resumeNamedSession({ session_name: 'redesign', reopen: true })).id).toBe(session.id)
      expect(await runtime.sessions.get('first')).toMatchObject({
        status: 'completed',
        continued_in: session.id,
      })
    })
  })

  test('goes on when it is archived, in the same one however often and at once it is asked for', async () => {
    const first = await createTestRuntime()
    await ended(first)
    await first.archive('first')
    await using second = await first.restart()
    const { sessions } = second
    const [one, two] = await Promise.all([1, 2].map(() => sessions.resume('first', { reopen: true })))
    expect(one).toMatchObject(SUCCESSOR)
    expect(two?.id).toBe(one?.id)
    await sessions.pause(one!)
    expect(await sessions.resume('first', { reopen: true })).toMatchObject({ id: one?.id, status: 'active' })
    await sessions.end(one!)
    const third = await sessions.resume('first', { reopen: true })
    expect(third).toMatchObject({ ...SUCCESSOR, continues: one?.id })
    await expect(sessions.resume('nobody', { reopen: true })).rejects.toMatchObject({
      code: 'SESSION_UNKNOWN',
    })
  })

  test('has one successor whichever event was the last before the process died', async () => {
    const probe = await createTestRuntime()
    await ended(probe)
    const before = (await allEvents(probe)).length
    await probe.sessions.resume('first', { reopen: true })
    const { length } = await allEvents(probe)
    await probe.close()
    expect(length).toBeGreaterThan(before + 3)
    for (let last = before; last <= length; last++) {
      const path = `${project.path()}-${last}/log`
      const disk = await openLevelEventStore({ path })
      const { store, dead } = dieAfter(disk, last)
      void createRuntime({ store, onError: () => {} }).then(async (runtime) => {
        await ended(runtime)
        await runtime.sessions.resume('first', { reopen: true })
      })
      await dead
      await disk.close()
      const again = await openLevelEventStore({ path })
      const runtime = await createRuntime({ store: again })
      if ((await runtime.sessions.get('first')).status === 'active') await runtime.sessions.end('first')
      expect(await runtime.sessions.resume('first', { reopen: true })).toMatchObject(SUCCESSOR)
      const successors = (await runtime.sessions.list({ named: false })).filter(({ id }) => id !== 'first')
      expect(successors).toHaveLength(1)
      await runtime.close()
    }
  })
})
