/** A session that lives for weeks: all of it is in the log, what is remembered of it and read for it stays small. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { createRuntime, type Runtime } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { eventsOf, projectFolder } from '../agents/project-folder.ts'

const project = projectFolder()
const CONTEXT = 'what is to be known of it. '.repeat(20)

/** Some work of the session that is recorded: six events, a kilobyte or so. */
async function round({ sessions }: Runtime, id: string, n: number): Promise<void> {
  await sessions.progress(id, { phase: `phase ${n}`, percent: n % 100, completed_steps: [`step ${n % 50}`] })
  await sessions.decide(id, { what: `decision ${n}`, why: CONTEXT, alternatives: ['none'] })
  await sessions.addArtifact(id, { name: `artifact ${n % 20}`, uri: `file:${n}` })
  await sessions.spend(id, { usd: 0.01, tokens: 10, what: 'thinking' })
  await sessions.handOff(
    { from: id, to: id },
    { type: 'supervisor_continuation', context: { work_completed: CONTEXT, next_steps: `step ${n + 1}` } },
  )
}

test('what is remembered of it does not grow with its age, and the log has all of it (O-002)', async () => {
  await using runtime = await createTestRuntime()
  const { id } = await runtime.sessions.start({ role: 'supervisor', name: 'long' })
  const remembered = async (): Promise<number> =>
    JSON.stringify((await runtime.query.state({ stream_id: id })).context).length
  const summary = async (): Promise<number> => JSON.stringify(await runtime.sessions.get(id)).length
  const sizes: { readonly remembered: number; readonly summary: number }[] = []
  for (let n = 1; n <= 600; n += 1) {
    await round(runtime, id, n)
    if (n % 200 === 0) sizes.push({ remembered: await remembered(), summary: await summary() })
  }
  const [young, , old] = sizes
  const grown = (key: 'remembered' | 'summary'): number => (old?.[key] ?? 0) / (young?.[key] ?? 1)
  expect(grown('remembered')).toBeLessThan(1.02)
  expect(grown('summary')).toBeLessThan(1.02)
  const events = await eventsOf(runtime, id)
  const count = (type: string): number => events.filter(({ event_type }) => event_type === type).length
  expect([count('session.decided'), count('handoff.generated')]).toEqual([600, 600])
  // What it goes on from is the last of it.
  const session = await runtime.sessions.get(id)
  expect(session).toMatchObject({ phase: 'phase 600', next_steps: ['step 601'], tokens_used: 6000 })
  expect(session.decisions.at(-1)?.what).toBe('decision 600')
  expect(session.artifacts.map(({ uri }) => uri)).toContain('file:600')
  expect(session.artifacts).toHaveLength(20)
}, 120_000)

test('a handoff that nobody has taken, and the last continuation, are kept however much comes after them', async () => {
  await using runtime = await createTestRuntime()
  const { sessions } = runtime
  const { id } = await sessions.start({ role: 'supervisor', name: 'long' })
  const { id: boss } = await sessions.start({ role: 'orchestrator' })
  const order = { type: 'orchestrator_to_supervisor', context: { objective: 'the first' } }
  const first = await sessions.handOff({ from: boss, to: id }, order)
  const own = { type: 'supervisor_continuation', context: { next_steps: 'go on' } }
  await sessions.handOff({ from: id, to: id }, own)
  for (let n = 0; n < 100; n += 1) {
    await sessions.handOff({ from: boss, to: id }, { type: 'orchestrator_review', context: { n } })
    await sessions.handOff({ from: id, to: boss }, { type: 'supervisor_report', context: { n } })
  }
  expect((await sessions.get(id)).handoff?.context).toMatchObject(own.context)
  const loaded = await sessions.loadHandoff(id, { type: order.type, by: id, timeoutMs: 0 })
  expect(loaded).toMatchObject({ objective: 'the first', $meta: { handoff_id: first } })
}, 60_000)

test('resumed by its name in another process, little of it is read: the last part of its stream', async () => {
  const first = await project.open({ attach: false })
  const { id } = await first.sessions.start({ role: 'supervisor', name: 'long' })
  for (let n = 1; n <= 200; n += 1) await round(first, id, n)
  await first.sessions.pause(id)
  const all = (await eventsOf(first, id)).length
  await first.close()

  const disk = await openLevelEventStore({ path: join(project.path(), 'log') })
  let read = 0
  const store: EventStore = new Proxy(disk, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'readStream') return value.bind(target) as unknown
      return async function* (...args: Parameters<EventStore['readStream']>) {
        for await (const event of target.readStream(...args)) {
          if (event.stream_id === id) read += 1
          yield event
        }
      }
    },
  })
  const second = await createRuntime({ path: project.path(), store, attach: false, logLevel: 'silent' })
  read = 0
  const found = await second.sessions.byName('long')
  const session = await second.sessions.resume(found ?? '')
  expect(session).toMatchObject({ status: 'active', phase: 'phase 200', next_steps: ['step 201'] })
  expect(all).toBeGreaterThan(1000)
  expect(read).toBeLessThan(250)
  await second.close()
}, 120_000)
