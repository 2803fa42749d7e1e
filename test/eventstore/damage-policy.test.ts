/** What a store does about damage is chosen when it is opened: stop, serve a copy for reading, or close the damaged streams. */
import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EventLog } from '../../eventstore/event-log.ts'
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import type { DamagePolicy } from '../../eventstore/damage-guard.ts'
import { openLevelEventStore, type EventStore, type RecordedEvent } from '../../eventstore/index.ts'
import { eventKey, FORMAT_KEY } from '../../eventstore/keys.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const noise = (seed: number): string => createHash('sha512').update(String(seed)).digest('base64').repeat(4)

const fill = async (store: EventStore): Promise<RecordedEvent[]> => {
  for (let n = 0; n < 90; n += 1) {
    await store.append(`stream-${n < 60 ? n % 6 : 7 + (n % 3)}`, [
      { event_type: 'counted', payload: { n, noise: noise(n) } },
    ])
  }
  return collect(store.readAll())
}

describe('damage that is found while a store is open', () => {
  /** A log in memory of which one record was changed behind its back. */
  const tampered = async (onDamage: DamagePolicy, position: number) => {
    const storage = new MemoryStorage()
    const store = new EventLog({ storage, end: FIRST_BATCH, onDamage, close: async () => {} })
    const events = await fill(store)
    const batch = storage.batch()
    const key = eventKey(position)
    batch.put(key, (storage.getSync(key) ?? '').replace('counted', 'changed'))
    await batch.write({ sync: true })
    return { store, events }
  }

  test.each(['fail-stop', 'read-only'] as const)(
    'ends all appends (%s), and reads go on as far as they verify',
    async (policy) => {
      const { store, events } = await tampered(policy, 10)
      const damagedStream = events[9]?.stream_id ?? ''
      await store.append('other', [{ event_type: 'fine' }])
      await expect(collect(store.readStream(damagedStream))).rejects.toMatchObject({
        code: 'ES_CORRUPT',
        position: 10,
      })
      await expect(store.append('other', [{ event_type: 'late' }])).rejects.toMatchObject({
        code: 'ES_READ_ONLY',
        cause: expect.objectContaining({ code: 'ES_CORRUPT', position: 10 }) as Error,
      })
      expect(await collect(store.readStream('stream-1'))).toHaveLength(10)
      await expect(collect(store.readAll())).rejects.toMatchObject({ code: 'ES_CORRUPT', position: 10 })
    },
  )

  test('ends appends also if verify() found it', async () => {
    const { store } = await tampered('fail-stop', 10)
    expect((await store.verify()).ok).toBe(false)
    await expect(store.append('other', [{ event_type: 'late' }])).rejects.toMatchObject({
      code: 'ES_READ_ONLY',
    })
  })

  test('closes only the damaged stream (quarantine), and reads of the whole log pass over it from there on', async () => {
    const { store, events } = await tampered('quarantine', 10)
    const damaged = events[9] as RecordedEvent
    const sound = (await collect(store.readAll())).map((event) => event.position)
    expect(sound).toEqual(
      events
        .filter((event) => event.stream_id !== damaged.stream_id || event.version < damaged.version)
        .map((event) => event.position),
    )
    expect(store.quarantined()).toEqual([{ stream_id: damaged.stream_id, soundUntil: damaged.version - 1 }])
    await expect(store.append(damaged.stream_id, [{ event_type: 'late' }])).rejects.toMatchObject({
      code: 'ES_QUARANTINED',
      stream_id: damaged.stream_id,
    })
    expect((await store.append('other', [{ event_type: 'fine' }])).version).toBe(1)
  })
})

describe('a store whose files are damaged', () => {
  let folder = ''
  let path = ''
  let events: RecordedEvent[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'event-store-policy-'))
    path = join(folder, 'store')
    const store = await openLevelEventStore({ path })
    events = await fill(store)
    await store.close()
    await (await openLevelEventStore({ path })).close()
    const [table = ''] = (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.ldb'))
    const bytes = await readFile(join(path, 'db', table))
    const at = Math.floor(bytes.length * 0.4)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(join(path, 'db', table), bytes)
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('is refused by default', async () => {
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_CORRUPT', kind: 'file' })
  })

  test('opens for reading as a copy, and stays as it was', async () => {
    const before = await readdir(join(path, 'db'))
    const store = await openLevelEventStore({ path, onDamage: 'read-only' })
    expect(store.position()).toBe(90)
    const readable = await collect(store.readStream('stream-7'))
    expect(readable).toEqual(events.filter((event) => event.stream_id === 'stream-7'))
    await expect(collect(store.readAll())).rejects.toMatchObject({ code: 'ES_CORRUPT', kind: 'missing' })
    await expect(store.append('x', [{ event_type: 'late' }])).rejects.toMatchObject({ code: 'ES_READ_ONLY' })
    await store.close()
    expect(await readdir(join(path, 'db'))).toEqual(before)
  })

  test('is rebuilt with what is whole, the damaged streams closed for good, the damaged files kept', async () => {
    const copy = join(folder, 'quarantined')
    await cp(path, copy, { recursive: true })
    const store = await openLevelEventStore({ path: copy, onDamage: 'quarantine' })
    const closed = store.quarantined?.() ?? []
    expect(closed.length).toBeGreaterThan(0)
    expect(closed.length).toBeLessThan(7)
    const soundUntil = new Map(closed.map((stream) => [stream.stream_id, stream.soundUntil]))
    const kept = events.filter(({ stream_id, version }) => version <= (soundUntil.get(stream_id) ?? 100))
    expect(await collect(store.readAll())).toEqual(kept)
    const { position, version } = await store.append('stream-7', [{ event_type: 'more' }])
    expect([position, version]).toEqual([91, 11])
    await expect(store.append(closed[0]?.stream_id ?? '', [{ event_type: 'more' }])).rejects.toMatchObject({
      code: 'ES_QUARANTINED',
    })
    await store.close()

    const again = await openLevelEventStore({ path: copy, onDamage: 'quarantine' })
    expect(again.quarantined?.()).toEqual(closed)
    expect(await collect(again.readAll({ fromPosition: 90 }))).toHaveLength(1)
    const seen = new Promise<number>((resolve) => {
      again.subscribe().subscribe(({ position: at }) => (at === 92 ? resolve(at) : undefined))
    })
    await again.append('stream-8', [{ event_type: 'more' }])
    expect(await seen).toBe(92)
    await again.close()
    expect((await readdir(copy)).some((name) => name.startsWith('db-damaged-'))).toBe(true)
  })

  test.each([
    { what: 'lost', stored: undefined, kind: 'file', says: 'its database has no format record' },
    { what: 'damaged', stored: '00000000{"format":1}', kind: 'unreadable', says: 'the format record' },
  ])(
    'whose record of its format is $what is damaged, and is rebuilt with it',
    async ({ what, stored, kind, says }) => {
      const lost = join(folder, `format-${what}`)
      const store = await openLevelEventStore({ path: lost })
      const written = await fill(store)
      await store.close()
      const database = new Level(join(lost, 'db'))
      await (stored === undefined ? database.del(FORMAT_KEY) : database.put(FORMAT_KEY, stored))
      await database.close()
      await expect(openLevelEventStore({ path: lost })).rejects.toMatchObject({
        code: 'ES_CORRUPT',
        kind,
        message: expect.stringContaining(says) as string,
      })
      await (await openLevelEventStore({ path: lost, onDamage: 'quarantine' })).close()
      const again = await openLevelEventStore({ path: lost })
      expect(await collect(again.readAll())).toEqual(written)
      await again.close()
    },
  )
})
