/** A second question about compliance reads what is new in the log, and has the same answer as one that reads all of it. */
import { expect, test } from 'vitest'
import { createMemoryEventStore } from '../../eventstore/memory-event-store.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { createRuntime, type PermissionHook, type Runtime } from '../../src/index.ts'
import { createTestClock, type TestClock } from '../../src/testing/index.ts'

const HOUR = 60 * 60_000
const DAY = 24 * HOUR

/** A runtime, its clock, and how many events were read since the last question after that. */
async function counted(): Promise<{ runtime: Runtime; clock: TestClock; taken: () => number }> {
  const clock = createTestClock()
  const memory = createMemoryEventStore({ clock: () => clock.now() })
  let read = 0
  const store: EventStore = new Proxy(memory, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'readAll') return value.bind(target) as unknown
      return async function* (options?: Parameters<EventStore['readAll']>[0]) {
        for await (const event of target.readAll(options)) {
          read += 1
          yield event
        }
      }
    },
  })
  const runtime = await createRuntime({
    store,
    clock,
    logLevel: 'silent',
    keeper: { checkpointAfterMs: HOUR },
  })
  const taken = (): number => {
    const count = read
    read = 0
    return count
  }
  return { runtime, clock, taken }
}

/** Sessions that are started, left, paused and ended, some of them as they should be. */
async function someDays(runtime: Runtime, clock: TestClock, days: number): Promise<void> {
  const { sessions } = runtime
  for (let day = 0; day < days; day += 1) {
    const project = day % 2 === 0 ? 'even' : 'odd'
    const one = await sessions.start({ role: 'supervisor', project })
    const two = await sessions.start({ role: 'supervisor', project, name: `${day} ${clock.now()}` })
    await sessions.handOff({ from: two, to: two }, { type: 'supervisor_continuation', context: {} })
    await sessions.end(two)
    await clock.advance(2 * HOUR)
    if (day % 3 === 0) await sessions.pause(one)
    await clock.advance(22 * HOUR)
  }
}

test('each question reads what was recorded since the one before, and nothing twice', async () => {
  const { runtime, clock, taken } = await counted()
  const { compliance, store } = runtime
  await someDays(runtime, clock, 4)
  taken()
  await compliance.checkProtocolCompliance()
  expect(taken()).toBe(store.position())
  await compliance.checkProtocolCompliance()
  await compliance.checkProtocolCompliance('odd')
  expect(taken()).toBe(0)
  await compliance.getComplianceTrends({ days: 10 })
  expect(taken()).toBe(store.position())
  await compliance.getComplianceTrends({ days: 10 })
  await compliance.getComplianceTrends({ days: 3 })
  expect(taken()).toBe(0)

  const before = store.position()
  await someDays(runtime, clock, 1)
  const added = store.position() - before
  taken()
  await Promise.all([compliance.checkProtocolCompliance(), compliance.checkProtocolCompliance('even')])
  expect(taken()).toBe(added)
  await compliance.getComplianceTrends({ days: 10 })
  expect(taken()).toBe(added)
  await runtime.close()
})

test('its answers are those of a reader who begins at the first event, day after day, for each project', async () => {
  const { runtime, clock } = await counted()
  for (let round = 0; round < 5; round += 1) {
    await someDays(runtime, clock, 2)
    for (const project of [undefined, 'even', 'odd']) {
      const now = new Date(clock.now()).toISOString()
      const whole = { ...(project !== undefined && { project }), now }
      const report = await runtime.compliance.checkProtocolCompliance(project)
      for (const days of [3, 30]) {
        // An hour without a handoff is what the reader goes by as well, and half of it: all that is late is late for both.
        const fresh = await runtime.query.compliance({ ...whole, days })
        expect(report).toMatchObject({ score: fresh.score })
        expect(report.issues.map(({ rule, subject }) => [rule, subject])).toEqual(
          fresh.issues.map(({ rule, subject }) => [rule, subject]),
        )
        const trends = await runtime.compliance.getComplianceTrends({
          days,
          ...(project !== undefined && { project }),
        })
        expect(trends).toEqual(fresh.trends)
      }
    }
  }
  await runtime.close()
})

test('what was answered stays as it was when more happens', async () => {
  const { runtime, clock } = await counted()
  await runtime.sessions.start({ role: 'supervisor', name: 'n', session_id: 'sess_1' })
  await clock.advance(HOUR)
  const answer = await runtime.compliance.checkProtocolCompliance()
  const then = structuredClone(answer)
  expect(then.issues).toHaveLength(1)
  await runtime.sessions.pause('sess_1')
  await runtime.sessions.resume('sess_1')
  await clock.advance(2 * HOUR)
  expect((await runtime.compliance.checkProtocolCompliance()).issues).not.toEqual(then.issues)
  expect(answer).toEqual(then)
  await runtime.close()
})

test('trends that were reckoned with other hooks are reckoned anew', async () => {
  const { runtime, clock } = await counted()
  const yes: PermissionHook = { triggers: ['session:pause'], validate: () => ({ allowed: true }) }
  runtime.permissions.register('yes', yes)
  await runtime.sessions.start({ role: 'supervisor', name: 'n', session_id: 'sess_1' })
  await runtime.sessions.handOff(
    { from: 'sess_1', to: 'sess_1' },
    { type: 'supervisor_continuation', context: {} },
  )
  for (let n = 0; n < 20; n += 1) {
    await runtime.sessions.pause('sess_1')
    await runtime.sessions.resume('sess_1')
  }
  await runtime.sessions.end('sess_1')
  await clock.advance(DAY)
  expect((await runtime.compliance.getComplianceTrends()).lowest).toBe(100)
  runtime.permissions.register('yes', { ...yes, triggers: ['session:*'] })
  expect((await runtime.compliance.getComplianceTrends()).lowest).toBe(85)
  await runtime.close()
})
