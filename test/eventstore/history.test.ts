/**
 * Logs that earlier versions of the package wrote are opened and read by this one, as they were.
 *
 * Each folder of `test/histories/` is a store as it was on disk, and its export as it was then. They are never
 * changed. To add one for a new format: `HISTORY=<name> npx vitest run test/eventstore/history.test.ts`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  archiveStreams,
  createMemoryEventStore,
  exportLog,
  importLog,
  openLevelEventStore,
  type EventStore,
} from '../../eventstore/index.ts'

const histories = fileURLToPath(new URL('../histories/', import.meta.url))
const names = readdirSync(histories)
  .filter((name) => existsSync(join(histories, name, 'store')))
  .sort()

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-history-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** The lines of an export without its frame. */
const contentOf = async (store: EventStore): Promise<string[]> => {
  let text = ''
  for await (const piece of exportLog(store, { entries: true })) text += piece
  return text.trimEnd().split('\n').slice(1, -1)
}

/** Something of everything a log can hold: part of it in a table, part in the write-ahead log. */
const write = async (path: string): Promise<EventStore> => {
  let id = 0
  let time = Date.UTC(2026, 0, 1)
  const options = { path, clock: () => (time += 1000), newId: () => `evt-${(id += 1)}` }
  const first = await openLevelEventStore(options)
  await first.append('order/1', [
    {
      event_type: 'order.placed',
      payload: { total: 12.5, lines: [1, null, 'é\u{1F600}'] },
      machine: 'order@1',
      state: 'placed',
    },
    {
      event_type: 'order.paid',
      payload: null,
      correlation_id: 'c-1',
      causation_id: 'evt-1',
      state: { paid: 'fully' },
    },
  ])
  await first.appendBatch({
    appends: [
      {
        stream_id: 'parent',
        events: [
          { event_type: 'spawned', schema_version: 3, source_agent: 'agent', subject_id: 's', key_id: 'k' },
        ],
      },
      { stream_id: 'child 日本', events: [{ event_type: 'created' }] },
    ],
    entries: [
      { key: 'owed/1', value: { since: 1 } },
      { key: 'owed/2', value: 'gone soon' },
    ],
    commandId: 'command-1',
  })
  await first.append('odd', [{ event_type: 'outcome', payload: { when: new Date(0), n: 1n } }], {
    outcome: true,
  })
  await first.append('closed', [{ event_type: 'created' }, { event_type: 'ended', state: 'closed' }])
  await first.close()
  const second = await openLevelEventStore(options)
  await archiveStreams(second, {
    folder: join(folder, 'archive'),
    isClosed: (head) => head.state === 'closed',
  })
  await second.appendBatch({ appends: [], entries: [{ key: 'owed/2', value: undefined }] })
  await second.append('order/1', [{ event_type: 'order.shipped' }], { expectedVersion: 2, durability: 'os' })
  return second
}

const wanted = process.env['HISTORY']

test.runIf(wanted !== undefined)('a new history is written', async () => {
  const path = join(histories, wanted ?? '')
  expect(existsSync(path)).toBe(false)
  const store = await write(join(path, 'store'))
  await writeFile(join(path, 'export.ndjson'), `${(await contentOf(store)).join('\n')}\n`)
  await store.close()
  // LevelDB's own reports are no part of the log.
  for (const file of ['LOG', 'LOG.old', 'LOCK']) await rm(join(path, 'store', 'db', file), { force: true })
})

describe.each(names)('the log %s', (name) => {
  const expected = async (): Promise<string[]> =>
    (await readFile(join(histories, name, 'export.ndjson'), 'utf8')).trimEnd().split('\n')

  test('reads as it did, verifies, and goes on', async () => {
    const path = join(folder, name)
    await cp(join(histories, name, 'store'), path, { recursive: true })
    const store = await openLevelEventStore({ path })
    expect(await contentOf(store)).toEqual(await expected())
    expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
    const retry = await store.appendBatch({
      appends: [
        { stream_id: 'parent', events: [] },
        { stream_id: 'child 日本', events: [] },
      ],
      commandId: 'command-1',
    })
    expect(retry.duplicate).toBe(true)
    const head = await store.head('order/1')
    const { version } = await store.append('order/1', [{ event_type: 'order.read' }])
    expect(version).toBe((head?.version ?? 0) + 1)
    await store.close()
    const again = await openLevelEventStore({ path })
    expect(await again.verify()).toMatchObject({ ok: true, problems: [] })
    await again.close()
  })

  test('is written today with the same hashes', async () => {
    const path = join(folder, `${name}-again`)
    const store = await write(path)
    expect((await contentOf(store)).map((line) => JSON.parse(line) as unknown)).toEqual(
      (await expected()).map((line) => JSON.parse(line) as unknown),
    )
    const copy = createMemoryEventStore()
    await importLog(copy, exportLog(store))
    expect(await copy.verify()).toMatchObject({ ok: true })
    await store.close()
  })
})
