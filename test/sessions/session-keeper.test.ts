/** Sessions at work are reminded of checkpoints, and pause by themselves when their context is nearly full. */
import { describe, expect, test } from 'vitest'
import { generateHandoff, startSession, type PermissionHook } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { eventsOf } from '../agents/project-folder.ts'

const MINUTE = 60_000
const full = { context_tokens: 170_002, context_window: 200_000 }

const typesOf = async (runtime: TestRuntime, id: string): Promise<string[]> =>
  (await eventsOf(runtime, id)).map(({ event_type }) => event_type)
const reminders = async (runtime: TestRuntime, id: string): Promise<number> =>
  (await typesOf(runtime, id)).filter((type) => type === 'session.checkpoint_due').length

describe('a context that is nearly full (O-112, ruling 13)', () => {
  test('is announced above 85 %, not at 85 %', async () => {
    await using runtime = await createTestRuntime()
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.reportContext(session, { context_tokens: 170_000, context_window: 200_000 })
    expect(await typesOf(runtime, session.id)).not.toContain('session.context_high')
    expect((await runtime.sessions.get(session)).contextUsagePercent).toBe(85)
    await runtime.sessions.reportContext(session, full)
    expect(await typesOf(runtime, session.id)).toContain('session.context_high')
  })

  test('pauses the session after its handoff', async () => {
    await using runtime = await createTestRuntime()
    const session = await runtime.sessions.start({ role: 'supervisor', name: 'phase-2' })
    await runtime.sessions.reportContext(session, full)
    await runtime.clock.advance(59_000)
    expect((await runtime.sessions.get(session)).status).toBe('active')
    await runtime.sessions.handOff(
      { from: session, to: session },
      { type: 'supervisor_continuation', context: { current_phase: 'forms' } },
    )
    await runtime.clock.advance(0)
    expect(await runtime.sessions.get(session)).toMatchObject({ status: 'paused', phase: 'forms' })
    const again = await runtime.sessions.resume(session)
    expect(again.handoff?.context).toMatchObject({ current_phase: 'forms' })
    await runtime.clock.advance(5 * MINUTE)
    expect((await runtime.sessions.get(session)).status).toBe('active')
  })

  test('pauses it with a handoff of our own after a minute without one, over a restart as well', async () => {
    const first = await createTestRuntime()
    const session = await first.sessions.start({ role: 'supervisor' })
    await first.sessions.progress(session, { phase: 'forms', completed_steps: ['menu'] })
    await first.sessions.reportContext(session, full)
    await first.clock.advance(30_000)
    await using second = await first.restart()
    await second.clock.advance(30_000)
    expect(await second.sessions.get(session.id)).toMatchObject({
      status: 'paused',
      pause_reason: 'interrupted',
      handoff: {
        context: { work_completed: ['menu'], current_phase: 'forms', written_by: 'context monitor' },
      },
    })
  })

  test("a hook's explicit no keeps it at work, and is asked again; its error does not", async () => {
    let asked = 0
    const guard = (answer: () => boolean): PermissionHook => ({
      triggers: ['session:pause'],
      validate: () => {
        asked += 1
        return { allowed: answer(), reason: 'not in a demo' }
      },
    })
    await using runtime = await createTestRuntime({ hooks: { demo: guard(() => asked > 1) } })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.reportContext(session, full)
    await runtime.clock.advance(MINUTE)
    expect((await runtime.sessions.get(session)).status).toBe('active')
    await runtime.clock.advance(MINUTE)
    expect([asked, (await runtime.sessions.get(session)).status]).toEqual([2, 'paused'])
  })
})

describe('a session without a checkpoint (O-120)', () => {
  test('is reminded once after 30 minutes of work, and again 30 minutes after its next handoff', async () => {
    await using runtime = await createTestRuntime()
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.clock.advance(30 * MINUTE - 1)
    expect(await reminders(runtime, session.id)).toBe(0)
    await runtime.clock.advance(1)
    expect(await reminders(runtime, session.id)).toBe(1)
    await runtime.clock.advance(120 * MINUTE)
    expect(await reminders(runtime, session.id)).toBe(1)
    // A reminder is no sign of life.
    expect((await runtime.sessions.get(session)).last_activity).toBe('2030-01-01T00:00:00.000Z')
    await runtime.sessions.handOff(
      { from: session, to: session },
      { type: 'supervisor_continuation', context: {} },
    )
    await runtime.clock.advance(30 * MINUTE)
    expect(await reminders(runtime, session.id)).toBe(2)
  })

  test('is not reminded while it is paused, nor for the time before', async () => {
    await using runtime = await createTestRuntime()
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.clock.advance(20 * MINUTE)
    await runtime.sessions.pause(session)
    await runtime.clock.advance(24 * 60 * MINUTE)
    await runtime.sessions.resume(session)
    await runtime.clock.advance(29 * MINUTE)
    expect(await reminders(runtime, session.id)).toBe(0)
    await runtime.clock.advance(MINUTE)
    expect(await reminders(runtime, session.id)).toBe(1)
  })

  test('is left alone while it writes handoffs often enough', async () => {
    await using runtime = await createTestRuntime()
    let id = ''
    await runtime.run(async () => {
      id = (await startSession({ role: 'supervisor' })).id
      for (let n = 0; n < 6; n += 1) {
        await runtime.clock.advance(20 * MINUTE)
        await generateHandoff({ type: 'supervisor_continuation', context: { next_steps: `item ${n}` } })
      }
    })
    expect(await reminders(runtime, id)).toBe(0)
  })
})
