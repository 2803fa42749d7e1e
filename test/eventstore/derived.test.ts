/** What is derived from the log: found by indexes, begun from snapshots, followed by name, read through upcasters. */
import { cp, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createMemoryEventStore,
  createMemoryIndexes,
  createMemorySnapshots,
  openLevelEventStore,
  openLevelIndexes,
  openLevelSnapshots,
  subscribeDurably,
  withUpcasters,
  type EventStore,
  type RecordedEvent,
} from '../../eventstore/index.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-derived-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const positions = (events: readonly RecordedEvent[]): number[] => events.map((event) => event.position)

describe('indexes', () => {
  const newEvent = fc.record({
    stream: fc.constantFrom('a', 'b', 'b/c'),
    event_type: fc.constantFrom('paid', 'paid.late', 'shipped'),
    correlation_id: fc.constantFrom('', 'x', 'xy'),
    state: fc.constantFrom(null, 'open', 'closed', { open: 'half' }, { open: { half: 'way' } }),
    minute: fc.nat(59),
  })

  const timestamp = (minute: number): string => `2026-01-01T00:${String(minute).padStart(2, '0')}:00.000Z`

  const isIn = (state: unknown, name: string): boolean =>
    JSON.stringify(state)?.replace(/[{}"]/g, '').replaceAll(':', '.').startsWith(name) ?? false

  test('find what a scan of the whole log finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(newEvent, { maxLength: 40 }),
        fc.nat(40),
        fc.nat(59),
        async (all, split, minute) => {
          const store = createMemoryEventStore()
          const append = async (part: typeof all): Promise<void> => {
            for (const { stream, minute: at, ...event } of part) {
              await store.append(stream, [{ ...event, timestamp: timestamp(at) }])
            }
          }
          await append(all.slice(0, split))
          const indexes = createMemoryIndexes(store)
          await append(all.slice(split))
          const log = await collect(store.readAll())
          for (const type of ['paid', 'paid.late', 'unknown']) {
            expect(await collect(indexes.byType(type))).toEqual(
              log.filter((event) => event.event_type === type),
            )
          }
          expect(
            await collect(indexes.byType('paid', { fromPosition: 3, toPosition: 9, backwards: true })),
          ).toEqual(
            log
              .filter((event) => event.event_type === 'paid' && event.position > 3 && event.position <= 9)
              .toReversed(),
          )
          expect(await collect(indexes.byCorrelation('x'))).toEqual(
            log.filter((event) => event.correlation_id === 'x'),
          )
          const from = new Date(timestamp(minute))
          expect(new Set(positions(await collect(indexes.byTime({ from }))))).toEqual(
            new Set(positions(log.filter((event) => new Date(event.timestamp) >= from))),
          )
          const heads = await collect(store.heads())
          for (const { stream_id } of heads) {
            expect(new Set(positions(await collect(indexes.byTime({ from, stream_id }))))).toEqual(
              new Set(
                positions(
                  log.filter((event) => event.stream_id === stream_id && new Date(event.timestamp) >= from),
                ),
              ),
            )
          }
          for (const state of ['open', 'open.half', 'open.half.way', 'closed']) {
            expect((await collect(indexes.byState(state))).map((head) => head.stream_id)).toEqual(
              heads.filter((head) => isIn(head.state, state)).map((head) => head.stream_id),
            )
          }
          await indexes.close()
        },
      ),
      { numRuns: 40 },
    )
  })

  test('end every query when its reader aborts', async () => {
    const store = createMemoryEventStore()
    await store.append('a', [{ event_type: 'x', correlation_id: 'c', machine: 'm@1', state: 'open' }])
    const indexes = createMemoryIndexes(store)
    const options = { signal: AbortSignal.abort() }
    const queries = [
      indexes.byType('x', options),
      indexes.byCorrelation('c', options),
      indexes.byTime(options),
      indexes.byState('open', options),
    ]
    for (const query of queries) await expect(collect<unknown>(query)).rejects.toThrow('aborted')
    await indexes.close()
    await store.close()
  })

  test('go on where they were, and begin again if the log is another or they are damaged', async () => {
    const path = join(folder, 'store')
    const indexPath = join(folder, 'indexes')
    const store = await openLevelEventStore({ path })
    await store.append('a', [{ event_type: 'one' }, { event_type: 'two' }])
    const first = await openLevelIndexes({ store, path: indexPath })
    expect(await collect(first.byType('two'))).toHaveLength(1)
    await expect(openLevelIndexes({ store, path: indexPath })).rejects.toMatchObject({ code: 'ES_LOCKED' })
    await first.close()
    await store.append('a', [{ event_type: 'two' }])

    const second = await openLevelIndexes({ store, path: indexPath })
    expect(await collect(second.byType('two'))).toHaveLength(2)
    await second.close()
    await cp(indexPath, `${indexPath}-other`, { recursive: true })

    const [log = ''] = (await readdir(indexPath)).filter((name) => name.endsWith('.log'))
    const file = await open(join(indexPath, log), 'r+')
    await file.write(Buffer.from('nonsense'), 0, 8, 3)
    await file.close()
    const third = await openLevelIndexes({ store, path: indexPath })
    expect(await collect(third.byType('two'))).toHaveLength(2)
    await third.rebuild()
    expect(await collect(third.byType('two'))).toHaveLength(2)
    await third.close()
    await store.close()
    await expect(third.caughtUp()).rejects.toMatchObject({ code: 'ES_CLOSED' })

    const other = createMemoryEventStore()
    await other.append('b', [
      { event_type: 'two' },
      { event_type: 'x' },
      { event_type: 'y' },
      { event_type: 'z' },
    ])
    const fourth = await openLevelIndexes({ store: other, path: `${indexPath}-other` })
    expect((await collect(fourth.byType('two'))).map((event) => event.stream_id)).toEqual(['b'])
    await fourth.close()
  })
})

describe('snapshots', () => {
  const filled = async (): Promise<{ store: EventStore; events: readonly RecordedEvent[] }> => {
    const store = createMemoryEventStore()
    const { events } = await store.append(
      'a',
      Array.from({ length: 10 }, () => ({ event_type: 'counted' })),
    )
    return { store, events }
  }

  test('are found again, the latest first, and a fold goes on after them', async () => {
    const { store, events } = await filled()
    const snapshots = createMemorySnapshots({ every: 3 })
    expect([snapshots.isDue(2, 0), snapshots.isDue(3, 0)]).toEqual([false, true])
    for (const version of [3, 6]) {
      await snapshots.save({
        stream_id: 'a',
        version,
        hash: events[version - 1]?.hash ?? '',
        machine: 'm@1',
        state: { count: version },
      })
    }
    const { snapshot, events: rest } = await snapshots.replay(store, 'a', 'm@1')
    expect(snapshot).toMatchObject({ version: 6, state: { count: 6 } })
    expect((await collect(rest)).map((event) => event.version)).toEqual([7, 8, 9, 10])
  })

  test('of another machine, or of an event that the log does not have, do not count', async () => {
    const { store, events } = await filled()
    const snapshots = createMemorySnapshots()
    const save = (version: number, hash: string): Promise<void> =>
      snapshots.save({ stream_id: 'a', version, hash, machine: 'm@1', state: version })
    await save(3, events[2]?.hash ?? '')
    await save(6, 'f'.repeat(64))
    expect(await snapshots.load(store, 'a', 'm@1')).toMatchObject({ version: 3 })
    expect(await snapshots.load(store, 'a', 'm@2')).toBeUndefined()
    expect(await snapshots.load(store, 'b', 'm@1')).toBeUndefined()
    expect(await collect((await snapshots.replay(store, 'b', 'm@1')).events)).toEqual([])
  })

  test('are kept only as many as asked, on disk as in memory', async () => {
    const { store, events } = await filled()
    const path = join(folder, 'snapshots')
    const first = await openLevelSnapshots({ path, keep: 2 })
    for (const version of [1, 2, 3, 4]) {
      const hash = version > 2 ? 'gone' : (events[version - 1]?.hash ?? '')
      await first.save({ stream_id: 'a', version, hash, machine: 'm@1', state: version })
    }
    // Only 3 and 4 are left, and the log has neither.
    expect(await first.load(store, 'a', 'm@1')).toBeUndefined()
    await first.save({ stream_id: 'a', version: 5, hash: events[4]?.hash ?? '', machine: 'm@1', state: 5 })
    await first.close()
    const second = await openLevelSnapshots({ path })
    expect(await second.load(store, 'a', 'm@1')).toMatchObject({ version: 5 })
    await second.drop('a')
    expect(await second.load(store, 'a', 'm@1')).toBeUndefined()
    await second.close()
  })

  test('hold only what JSON carries', async () => {
    const snapshots = createMemorySnapshots()
    await expect(
      snapshots.save({ stream_id: 'a', version: 1, hash: '', machine: 'm', state: { at: new Date(0) } }),
    ).rejects.toMatchObject({ code: 'ES_NOT_SERIALISABLE', path: 'state.at' })
    expect(() => createMemorySnapshots({ every: 0 })).toThrow(
      expect.objectContaining({ code: 'ES_INVALID_OPTION', path: 'every' }) as Error,
    )
  })
})

describe('a durable subscription', () => {
  test('goes on after the last event it handled', async () => {
    const path = join(folder, 'durable')
    const store = await openLevelEventStore({ path })
    await store.append(
      'a',
      Array.from({ length: 10 }, () => ({ event_type: 'counted' })),
    )
    const handled: number[] = []
    for await (const event of subscribeDurably(store, { name: 'mailer' })) {
      if (event.position === 5) break
      handled.push(event.position)
    }
    await store.close()
    const again = await openLevelEventStore({ path })
    for await (const event of subscribeDurably(again, { name: 'mailer' })) {
      handled.push(event.position)
      if (event.position === 10) break
    }
    // The fifth was given before, but not handled.
    expect(handled).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect((await again.verify()).ok).toBe(true)
    await again.close()
  })

  test('gives an event again whose handler failed', async () => {
    const store = createMemoryEventStore()
    await store.append(
      'a',
      Array.from({ length: 3 }, () => ({ event_type: 'counted' })),
    )
    const seen: number[] = []
    const failing = async (): Promise<void> => {
      for await (const event of subscribeDurably(store, { name: 'x' })) {
        seen.push(event.position)
        if (event.position === 2) throw new Error('no')
      }
    }
    await expect(failing()).rejects.toThrow('no')
    const controller = new AbortController()
    for await (const event of subscribeDurably(store, { name: 'x', signal: controller.signal })) {
      seen.push(event.position)
      // By then the next event was asked for, and this one is handled.
      if (event.position === 3) setImmediate(() => controller.abort())
    }
    expect(seen).toEqual([1, 2, 2, 3])
    expect(await collect(store.entries('cursor/'))).toEqual([{ key: 'cursor/x', value: { position: 3 } }])
  })

  test('has one subscriber per name at a time', async () => {
    const store = createMemoryEventStore()
    await store.append('a', [{ event_type: 'x' }])
    const first = subscribeDurably(store, { name: 'n' })
    await first.next()
    await expect(subscribeDurably(store, { name: 'n' }).next()).rejects.toMatchObject({
      code: 'ES_SUBSCRIPTION_ACTIVE',
    })
    await first.return()
    const second = subscribeDurably(store, { name: 'n' })
    expect((await second.next()).value).toMatchObject({ position: 1 })
    await second.return()
    const third = subscribeDurably(store, { name: 'new', fromPosition: 'now' })
    await store.append('a', [{ event_type: 'y' }])
    expect((await third.next()).value).toMatchObject({ position: 2 })
    await third.return()
  })
})

describe('upcasters', () => {
  const upcasters = [
    { event_type: 'paid', from: 1, upcast: (payload: unknown) => ({ cents: Number(payload) * 100 }) },
    {
      event_type: 'paid',
      from: 2,
      rename: 'order.paid',
      upcast: (payload: unknown) => ({ amount: payload }),
    },
    { event_type: 'order.paid', from: 3, to: 5, upcast: (payload: unknown) => payload },
  ]

  test('bring each event up to date wherever it is read, and leave the log alone', async () => {
    const store = createMemoryEventStore()
    const now = withUpcasters(store, upcasters)
    await now.append('a', [{ event_type: 'paid', payload: 3 }])
    await now.append('a', [
      { event_type: 'order.paid', schema_version: 5, payload: { amount: { cents: 1 } } },
    ])
    const expected = [
      { event_type: 'order.paid', schema_version: 5, payload: { amount: { cents: 300 } }, version: 1 },
      { event_type: 'order.paid', schema_version: 5, payload: { amount: { cents: 1 } }, version: 2 },
    ]
    expect(await collect(now.readStream('a'))).toMatchObject(expected)
    expect(await collect(now.readAll())).toMatchObject(expected)
    const followed: RecordedEvent[] = []
    for await (const event of now.follow()) {
      followed.push(event)
      if (event.position === 2) break
    }
    expect(followed).toMatchObject(expected)
    const live: RecordedEvent[] = []
    now.subscribe().subscribe((event) => live.push(event))
    await now.append('b', [{ event_type: 'paid', payload: 1 }])
    await now.close()
    expect(live.map((event) => event.schema_version)).toEqual([5, 5, 5])
  })

  test('keep what is stored as it was', async () => {
    const store = createMemoryEventStore()
    const { events } = await store.append('a', [{ event_type: 'paid', payload: 3 }])
    const [read] = await collect(withUpcasters(store, upcasters).readStream('a'))
    expect(read).toMatchObject({ hash: events[0]?.hash, event_id: events[0]?.event_id, position: 1 })
    expect(await collect(store.readStream('a'))).toEqual(events)
  })

  test('that fail name the event; those that make no chain are refused', async () => {
    const store = createMemoryEventStore()
    await store.append('a', [{ event_type: 'paid', payload: 3 }])
    const failing = withUpcasters(store, [
      {
        event_type: 'paid',
        from: 1,
        upcast: () => {
          throw new Error('no')
        },
      },
    ])
    await expect(collect(failing.readAll())).rejects.toMatchObject({
      code: 'ES_UPCAST_FAILED',
      position: 1,
      stream_id: 'a',
    })
    const invalid = expect.objectContaining({ code: 'ES_INVALID_OPTION' }) as Error
    expect(() =>
      withUpcasters(store, [...upcasters, { event_type: 'paid', from: 1, upcast: () => 1 }]),
    ).toThrow(invalid)
    expect(() => withUpcasters(store, [{ event_type: 'x', from: 2, to: 2, upcast: () => 1 }])).toThrow(
      invalid,
    )
  })
})
