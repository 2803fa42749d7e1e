/** The story that the golden outputs are about: its script makes the same log each time, and the log stays readable. */
import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { STORY, storyStore, tellStory } from './story.ts'

/** Without the entries, whose keys are random, and without what sums up the lines. */
const events = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('{"event_id"'))

test('the script makes the same events each time', async () => {
  const first = await tellStory()
  expect(events(await tellStory())).toEqual(events(first))
  if (process.env['UPDATE_STORY'] === '1') await writeFile(STORY, first)
}, 60_000)

test('the log that it made once is whole, and has something of everything', async () => {
  const types = new Set(
    events(await readFile(STORY, 'utf8')).map(
      (line) => (JSON.parse(line) as { event_type: string }).event_type,
    ),
  )
  for (const type of [
    'tool.judged',
    'tool.doubted',
    'runtime.refused',
    'runtime.dead_letter',
    'agent.spent',
    'agent.parked',
    'agent.failed',
    'handoff.claimed',
  ])
    expect(types).toContain(type)
  const store = await storyStore()
  expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
})
