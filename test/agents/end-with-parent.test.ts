/** Runs that end with their parent: however it ends, whatever is below them, and whenever the process dies in between. */
import { describe, expect, test } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { createRuntime, defineAgent, startBackgroundAgent, type Runtime } from '../../src/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, deferred, eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

/** `top` starts `below`, which would outlive it by itself; each says what it has, then hangs. */
const agents = (reached = deferred()) => [
  defineAgent({
    id: 'top',
    role: 'supervisor',
    run: async (ctx) => {
      await ctx.partial('half of it')
      await startBackgroundAgent({ agent_id: 'below' })
      return new Promise<never>(() => {})
    },
  }),
  defineAgent('below', async (ctx) => {
    await ctx.partial('a little')
    reached.resolve()
    return new Promise<never>(() => {})
  }),
  defineAgent('other', () => new Promise<never>(() => {})),
  defineAgent('returns', () => 'done'),
]

const stateOf = async (runtime: Runtime, id: string): Promise<string> =>
  (await runtime.agents.result({ agent_id: id })).state

/** Starts the tree under a session: a run that ends with it, one below that, and one that does not end with it. */
async function tree(runtime: Runtime, reached: Promise<void>): Promise<void> {
  await runtime.sessions.start({ role: 'orchestrator', session_id: 'sess_1' })
  const parent_id = 'sess_1'
  await runtime.agents.startById({ agent_id: 'other', run_id: 'other', parent_id })
  await runtime.agents.startById({ agent_id: 'top', run_id: 'top', parent_id, on_parent_end: 'cancel' })
  await reached
}

const bothCancelled = (runtime: Runtime) => async (): Promise<boolean> => {
  const states = await Promise.all(['top', 'below'].map((id) => stateOf(runtime, id).catch(() => 'none')))
  return states.every((state) => state === 'cancelled')
}

describe('a run that is to end with its parent (O-021)', () => {
  test('is cancelled with the runs below it when the session ends, and what they had is kept', async () => {
    const reached = deferred()
    const runtime = await project.open({ agents: agents(reached) })
    await tree(runtime, reached.promise)
    await runtime.sessions.pause('sess_1')
    expect(await stateOf(runtime, 'top')).toBe('running')
    await runtime.sessions.end('sess_1')
    await until(bothCancelled(runtime), 'both runs to be cancelled')
    expect((await runtime.agents.result({ agent_id: 'top' })).output).toMatchObject({
      partial: 'half of it',
      errors: ['cancelled: its parent "sess_1" has ended'],
    })
    expect((await runtime.agents.result({ agent_id: 'below' })).output.partial).toBe('a little')
    expect(await stateOf(runtime, 'other')).toBe('running')
    const [created] = await eventsOf(runtime, 'other')
    expect(created?.payload).not.toHaveProperty('input.on_parent_end')
  })

  test('is cancelled when its parent is a run, however that ended, and when it ended before the start', async () => {
    const runtime = await project.open({ agents: agents() })
    const child = (parent_id: string) =>
      runtime.agents.startById({ agent_id: 'other', parent_id, on_parent_end: 'cancel' })
    const role = 'supervisor' as const
    const cancelled = await runtime.agents.startById({ agent_id: 'other', role })
    const late = await runtime.agents.startById({ agent_id: 'other', role, deadline_ms: 200 })
    const done = await runtime.agents.startById({ agent_id: 'returns', role })
    await done.result()
    const children = [await child(cancelled.run_id), await child(late.run_id), await child(done.run_id)]
    await cancelled.cancel('enough')
    const results = await Promise.all(children.map((run) => run.result({ timeoutMs: 10_000 })))
    expect(results.map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'cancelled'])
  })

  test('goes on while a hook keeps it, and is asked about again at the next opening', async () => {
    const reached = deferred()
    const keep = {
      triggers: ['agent:cancel'],
      validate: () => (paying ? { allowed: false, reason: 'in the middle of a payment' } : { allowed: true }),
    }
    let paying = true
    const first = await project.open({ agents: agents(reached), hooks: { keep } })
    await tree(first, reached.promise)
    await first.sessions.end('sess_1')
    await until(async () => (await eventsOf(first, 'top~refused')).length > 0, 'the refusal')
    expect(await stateOf(first, 'top')).toBe('running')
    await first.close()
    paying = false
    const second = await project.open({ agents: agents(), hooks: { keep } })
    await until(bothCancelled(second), 'both runs to be cancelled')
    expect(await stateOf(second, 'other')).toBe('running')
  })

  test('is cancelled whichever event was the last before the process died', async () => {
    const story = async (runtime: Runtime, reached: Promise<void>): Promise<void> => {
      await tree(runtime, reached)
      await runtime.sessions.end('sess_1')
      await until(bothCancelled(runtime), 'both runs to be cancelled')
    }
    const reached = deferred()
    const probe = await project.open({ agents: agents(reached) })
    await story(probe, reached.promise)
    const events = await allEvents(probe)
    await probe.close()
    const ended = events.findIndex((event) => event.event_type === 'session.completed') + 1
    expect(ended).toBeGreaterThan(0)
    expect(events.length).toBeGreaterThan(ended)
    for (let last = ended; last <= events.length; last++) {
      const path = `${project.path()}-${last}`
      const open = () => openLevelEventStore({ path })
      const dying = dieAfter(await open(), last)
      const started = deferred()
      const first = await createRuntime({ store: dying.store, agents: agents(started), onError: () => {} })
      story(first, started.promise).catch(() => {})
      await dying.dead
      await dying.store.close()
      const second = await createRuntime({ store: await open(), agents: agents() })
      await until(bothCancelled(second), `both runs to be cancelled after event ${last}`)
      await second.close()
    }
  })
})
