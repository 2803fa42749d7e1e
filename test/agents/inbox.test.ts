/** The end of every run reaches the session that started it, once, and stays until it is acknowledged (O-023, ruling 16). */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import {
  createRuntime,
  defineAgent,
  startBackgroundAgent,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, deferred, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

const good = defineAgent('good', () => ({ metrics: { passed: 3 } }))
const bad = defineAgent('bad', () => {
  throw new Error('no luck')
})
const long = defineAgent('long', () => new Promise<never>(() => {}))

async function started(runtime: Runtime, agent_id: string): Promise<{ session: string; run: string }> {
  const session = await runtime.sessions.start({ role: 'supervisor' })
  const run = await runtime.agents.startById({ agent_id, parent_id: session.id })
  return { session: session.id, run: run.run_id }
}
const inboxOf = async (runtime: Runtime, session: string) => (await runtime.sessions.get(session)).inbox

describe('an inbox', () => {
  test('gets every end: success, failure, cancelling, deadline; and keeps each until it is acknowledged', async () => {
    const runtime = await project.open({ agents: [good, bad, long] })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const start = (agent_id: string, rest = {}) =>
      runtime.agents.startById({ agent_id, parent_id: session.id, ...rest })
    const kinds = async (): Promise<string[]> =>
      (await session.inbox.list()).map(({ agent_id, outcome }) => `${agent_id} ${outcome.kind}`)
    await (await start('good')).result()
    await (await start('bad')).result()
    await (await start('long')).cancel('enough')
    await start('long', { deadline_ms: 20 })
    await until(async () => (await kinds()).length === 4)
    expect(await kinds()).toEqual(['good succeeded', 'bad failed', 'long cancelled', 'long timed_out'])

    const first = await session.inbox.receive()
    expect(first).toMatchObject({
      agent_id: 'good',
      outcome: { kind: 'succeeded', output: { metrics: { passed: 3 } } },
    })
    // Not acknowledged: it is still the first.
    expect(await session.inbox.receive()).toEqual(first)
    await session.inbox.ack(first ?? '')
    await session.inbox.ack(first ?? '')
    expect((await session.inbox.receive())?.agent_id).toBe('bad')
    await expect(session.inbox.ack('run_x')).rejects.toMatchObject({ code: 'MESSAGE_UNKNOWN' })
    await expect(session.inbox.receive({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  test('waits for the next message, and gives null when none comes in time', async () => {
    const gate = deferred<string>()
    const runtime = await createTestRuntime({ agents: [defineAgent('later', () => gate.promise)] })
    const { session, run } = await started(runtime, 'later')
    const inbox = await inboxOf(runtime, session)
    const none = inbox.receive({ timeoutMs: 1000 })
    await runtime.clock.advance(1001)
    expect(await none).toBeNull()
    const one = inbox.receive({ timeoutMs: 60_000 })
    gate.resolve('done')
    expect(await one).toMatchObject({ run_id: run, outcome: { output: 'done' } })
    await runtime.close()
  })

  test('keeps what nobody acknowledged over a restart, and forgets what somebody did', async () => {
    const first = await project.open({ agents: [good] })
    const { session } = await started(first, 'good')
    await first.agents.startById({ agent_id: 'good', parent_id: session })
    const inbox = await inboxOf(first, session)
    await until(async () => (await inbox.list()).length === 2)
    const [done, open] = await inbox.list()
    await inbox.ack(done ?? '')
    await first.close()
    const second = await project.open({ agents: [good] })
    expect(await (await inboxOf(second, session)).list()).toEqual([open])
    // What was delivered is not delivered again, to be refused each time the folder is opened.
    expect((await allEvents(second)).filter((event) => event.event_type === 'runtime.refused')).toEqual([])
  })

  test('gets a message once, whichever event was the last before the process died', async () => {
    const options: RuntimeOptions = { agents: [good] }
    const story = async (runtime: Runtime): Promise<void> => {
      await runtime.sessions.start({ role: 'supervisor', session_id: 'sess_1' })
      const run = await runtime.agents.startById({ agent_id: 'good', parent_id: 'sess_1', run_id: 'run_1' })
      await run.result()
      const { inbox } = await runtime.sessions.get('sess_1')
      await until(async () => (await inbox.list()).length === 1)
    }
    const probe = await createTestRuntime(options)
    await story(probe)
    const events = await allEvents(probe)
    await probe.close()
    const first = events.findIndex((event) => event.event_type === 'agent.created')
    expect(events.map((event) => event.event_type)).toContain('inbox.delivered')
    for (const { position } of events.slice(first)) {
      const path = join(project.path(), `died-${position}`)
      const disk = await openLevelEventStore({ path: join(path, 'log') })
      const { store, dead } = dieAfter(disk, position)
      // What becomes of it in a process that dies is not waited for.
      createRuntime({ store, ...options, onError: () => {} })
        .then(story)
        .catch(() => {})
      await dead
      await disk.close()
      const runtime = await createRuntime({ path, ...options })
      const { inbox } = await runtime.sessions.get('sess_1')
      await until(async () => (await inbox.list()).length > 0, `a message after a death at ${position}`)
      expect((await inbox.list()).map((one) => one.run_id)).toEqual(['run_1'])
      const deliveries = (await allEvents(runtime)).filter((event) => event.event_type === 'inbox.delivered')
      await runtime.close()
      expect(deliveries).toHaveLength(1)
    }
  }, 60_000)

  test('of a handler: what it received and acknowledged is not received again after a restart', async () => {
    const reached = deferred()
    const received: string[] = []
    const lead = (block: boolean) =>
      defineAgent({
        id: 'lead',
        role: 'supervisor',
        run: async (ctx) => {
          for (const agent_id of ['good', 'bad']) await startBackgroundAgent({ agent_id })
          const kinds: string[] = []
          for (let count = 0; count < 2; count += 1) {
            const message = await ctx.inbox.receive({ timeoutMs: 10_000 })
            kinds.push(message?.outcome.kind ?? 'none')
            await ctx.inbox.ack(message?.message_id ?? '')
            if (count > 0) continue
            await ctx.step('rest', () => {
              received.push(kinds[0] ?? '')
              reached.resolve()
              return block ? new Promise<never>(() => {}) : 1
            })
          }
          return { kinds, left: await ctx.inbox.receive({ timeoutMs: 0 }) }
        },
      })
    const first = await project.open({ agents: [lead(true), good, bad] })
    const run = await first.agents.startById({ agent_id: 'lead' })
    await reached.promise
    await first.close()
    const second = await project.open({ agents: [lead(false), good, bad] })
    const { output } = await second.agents.wait(run.run_id, { timeout: 15_000 })
    const { kinds, left } = output.value as { kinds: string[]; left: unknown }
    expect(kinds.toSorted()).toEqual(['failed', 'succeeded'])
    expect(kinds[0]).toBe(received[0])
    expect(left).toBeNull()
  })
})
