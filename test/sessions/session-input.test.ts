/** Bad input about sessions is refused at the door, with a typed error and nothing written. */
import { expect, test } from 'vitest'
import { defineAgent } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'

const many = Array.from({ length: 10_000 }, (_, n) => `tag:${n}`)

const bad: [string, (runtime: TestRuntime, id: string) => Promise<unknown>][] = [
  ...[
    '../etc',
    '/etc/passwd',
    'a/../b',
    'a//b',
    'a/',
    'a\\b',
    '..',
    '.hidden',
    'a\nb',
    'nul',
    'C:x',
    ' ',
    'x'.repeat(201),
    'a\u202eb',
  ].map((name): (typeof bad)[number] => [
    `the name ${JSON.stringify(name).slice(0, 30)}`,
    ({ sessions }, id) => sessions.name(id, { session_name: name }),
  ]),
  [
    'a name of a path at the start',
    ({ sessions }) => sessions.start({ role: 'supervisor', name: '../../x' }),
  ],
  ['ten thousand tags', ({ sessions }, id) => sessions.name(id, { session_name: 'n', tags: many })],
  ['ten thousand tags to add', ({ sessions }, id) => sessions.tag(id, { add: many })],
  ['a tag with a line break', ({ sessions }, id) => sessions.tag(id, { add: ['a\nb'] })],
  ['an unknown role', ({ sessions }) => sessions.start({ role: 'emperor' as never })],
  ['an agent id with a line break', ({ agents }) => agents.startById({ agent_id: 'a\nb' })],
  ['an empty agent id', ({ agents }) => agents.startById({ agent_id: '' })],
  ['a negative cost', ({ sessions }, id) => sessions.spend(id, { usd: -1 })],
  ['a cost that is no number', ({ sessions }, id) => sessions.spend(id, { usd: Number.NaN })],
  ['more than all of it done', ({ sessions }, id) => sessions.progress(id, { percent: 101 })],
  [
    'a context window of nothing',
    ({ sessions }, id) => sessions.reportContext(id, { context_tokens: 1, context_window: 0 }),
  ],
  ['an artifact without a place', ({ sessions }, id) => sessions.addArtifact(id, { name: 'a', uri: '' })],
  ['a decision about nothing', ({ sessions }, id) => sessions.decide(id, { what: '' })],
  [
    'a handoff whose blockers are no list',
    ({ sessions }, id) =>
      sessions.handOff(
        { from: id, to: id },
        { type: 'supervisor_continuation', context: { blockers: 'none' } },
      ),
  ],
]

test.each(bad)('%s is refused, and nothing is written (O-066, O-067)', async (_what, attempt) => {
  await using runtime = await createTestRuntime({ agents: [defineAgent('*', () => 1)] })
  const { id } = await runtime.sessions.start({ role: 'supervisor' })
  const before = runtime.store.position()
  await expect(attempt(runtime, id)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  expect(runtime.store.position()).toBe(before)
})

test('a session that has ended, or is at work, is not resumed; an unknown one is named (O-089)', async () => {
  await using runtime = await createTestRuntime()
  const { sessions, store } = runtime
  const done = await sessions.start({ role: 'supervisor' })
  await sessions.end(done)
  const busy = await sessions.start({ role: 'supervisor' })
  const before = store.position()
  await expect(sessions.resume(done)).rejects.toMatchObject({
    code: 'SESSION_REFUSED',
    message: expect.stringContaining('reopen: true') as string,
  })
  await expect(sessions.resume(busy)).rejects.toMatchObject({ code: 'SESSION_REFUSED' })
  await expect(sessions.resume('sess_nobody')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  await expect(sessions.end('sess_nobody')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  expect(store.position()).toBe(before)
})
