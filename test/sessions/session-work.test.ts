/** What a session records of its work, and what is there again when it goes on: after a pause, weeks, or in a successor. */
import { describe, expect, test } from 'vitest'
import { listNamedSessions, startSession } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { eventsOf } from '../agents/project-folder.ts'

const DAY = 24 * 60 * 60_000

describe('progress, decisions and artifacts (O-092, O-101, O-105, O-202)', () => {
  test('are there when the session is resumed three weeks and a restart later (O-008, O-090, O-113)', async () => {
    const first = await createTestRuntime()
    const session = await first.sessions.start({ role: 'supervisor', name: 'redesign' })
    await first.sessions.progress(session, { phase: 'components', percent: 40, completed_steps: ['header'] })
    await first.sessions.progress(session, { completed_steps: ['footer', 'header'] })
    await first.sessions.decide(session, { what: 'use a grid', why: 'two columns', alternatives: ['floats'] })
    await first.sessions.addArtifact(session, { name: 'mock', uri: 'docs/a.png', sha256: 'a'.repeat(64) })
    await first.sessions.addArtifact(session, { name: 'mock', uri: 'docs/b.png' })
    await first.sessions.handOff(
      { from: session, to: session },
      { type: 'supervisor_continuation', context: { next_steps: 'buttons\nforms', blockers: ['no icons'] } },
    )
    await first.sessions.pause(session)
    await first.clock.advance(21 * DAY)
    await using second = await first.restart()
    const again = await second.sessions.resume((await second.sessions.byName('redesign'))!)
    expect(again).toMatchObject({
      status: 'active',
      progress: {
        phase: 'components',
        percent: 40,
        completed_steps: ['header', 'footer'],
        next_steps: ['buttons', 'forms'],
        blockers: ['no icons'],
      },
      decisions: [{ what: 'use a grid', why: 'two columns', alternatives: ['floats'] }],
      artifacts: [{ name: 'mock', uri: 'docs/b.png' }],
    })
  })

  test('two sessions are taken up in turn without losing anything (O-011)', async () => {
    await using runtime = await createTestRuntime()
    const { sessions } = runtime
    const one = await sessions.start({ role: 'supervisor', name: 'one' })
    const two = await sessions.start({ role: 'supervisor', name: 'two' })
    for (const percent of [10, 20, 30]) {
      await sessions.pause(two)
      await sessions.progress(one, { percent })
      await sessions.pause(one)
      await sessions.resume(two)
      await sessions.progress(two, { percent: percent + 1 })
      await sessions.resume(one)
    }
    expect((await sessions.get(one)).percent).toBe(30)
    expect((await sessions.get(two)).percent).toBe(31)
  })
})

describe('tags (O-067, O-068, O-093, O-094)', () => {
  test('are added, removed, and asked for by all or any of them, beside those of the system', async () => {
    await using runtime = await createTestRuntime({ project: 'shop' })
    const { sessions } = runtime
    const one = await sessions.start({ role: 'supervisor', name: 'one', tags: ['feature:a', 'security'] })
    await sessions.start({ role: 'orchestrator', name: 'two', tags: ['feature:b'] })
    await sessions.tag(one, { add: ['phase:two', 'security'], remove: ['feature:a'] })
    const names = async (filter: object): Promise<unknown[]> =>
      (await sessions.list(filter)).map(({ name }) => name)
    expect((await sessions.get(one)).tags).toEqual(['security', 'phase:two'])
    expect(await names({ tags: ['security', 'phase:two'] })).toEqual(['one'])
    expect(await names({ tags: ['security', 'feature:b'] })).toEqual([])
    expect(await names({ anyTags: ['security', 'feature:b'] })).toEqual(['one', 'two'])
    expect(await names({ tags: ['role:supervisor'] })).toEqual(['one'])
    expect(await names({ tags: ['project:shop', 'kind:foreground'] })).toEqual(['one', 'two'])
    expect(await names({ kind: 'background' })).toEqual([])
  })
})

describe('a successor (O-100, O-109)', () => {
  test('goes on with the name, the tags and the latest handoff; the first one is completed and says where', async () => {
    await using runtime = await createTestRuntime()
    const { sessions } = runtime
    const first = await sessions.start({ role: 'supervisor', name: 'redesign', tags: ['feature:a'] })
    await sessions.handOff(
      { from: first, to: first },
      { type: 'supervisor_continuation', context: { current_phase: 'two', next_steps: ['forms'] } },
    )
    const second = await sessions.continueIn(first)
    expect(second).toMatchObject({
      name: 'redesign',
      tags: ['feature:a'],
      continues: first.id,
      next_steps: ['forms'],
    })
    expect(await sessions.get(first)).toMatchObject({ status: 'completed', continued_in: second.id })
    expect((await sessions.byName('redesign'))?.id).toBe(second.id)
    expect((await sessions.list({ status: 'continued' })).map(({ id }) => id)).toEqual([first.id])
    // Asked again, it is the same one, and nothing is sent twice.
    const before = runtime.store.position()
    expect((await sessions.continueIn(first)).id).toBe(second.id)
    const added = (await eventsOf(runtime, second.id)).filter(({ position }) => position > before)
    expect(added.map(({ event_type }) => event_type)).toEqual(['session.named'])
  })

  test('is not given to a session that has ended', async () => {
    await using runtime = await createTestRuntime()
    const session = await runtime.sessions.start({ role: 'supervisor' })
    await runtime.sessions.end(session)
    await expect(runtime.sessions.continueIn(session)).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
  })
})

test('a session without a project belongs to the one of its parent, or of the runtime (O-062)', async () => {
  await using runtime = await createTestRuntime({ project: 'shop' })
  await runtime.run(async () => {
    expect((await startSession({ role: 'orchestrator' })).project).toBe('shop')
  })
  await runtime.run(async () => {
    await startSession({ role: 'orchestrator', project: 'portfolio' })
    expect((await startSession({ role: 'supervisor' })).project).toBe('portfolio')
  })
})

test('a session as value is its id in text, and its record in JSON; ids are typed (O-061, O-063)', async () => {
  await using runtime = await createTestRuntime()
  await runtime.run(async () => {
    const session = await startSession({ role: 'supervisor' })
    expect(String(session)).toBe(session.id)
    expect(session.id).toMatch(/^sess_/)
    expect(JSON.parse(JSON.stringify(session))).toMatchObject({
      id: session.id,
      role: 'supervisor',
      start_time: '2030-01-01T00:00:00.000Z',
    })
    expect(await listNamedSessions({ status: 'active' })).toEqual([])
  })
})

test('spending is added up, and one booking counts once', async () => {
  await using runtime = await createTestRuntime()
  const { sessions } = runtime
  const session = await sessions.start({ role: 'supervisor' })
  for (const spend_id of ['a', 'b', 'a']) await sessions.spend(session, { usd: 0.1, tokens: 10, spend_id })
  expect(await sessions.get(session)).toMatchObject({ tokens_used: 20, estimated_cost: 0.2 })
})
