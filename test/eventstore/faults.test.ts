/** At every point where a write can fail or the process can die, what was acknowledged is kept and the rest told apart. */
import { describe, expect, test } from 'vitest'
import { EventLog } from '../../eventstore/event-log.ts'
import { isEventStoreError, type AtomicBatch, type EventStore } from '../../eventstore/index.ts'
import { checkAtOpen } from '../../eventstore/open-check.ts'
import { FaultyStorage, type Fault } from './faulty-storage.ts'

const openOver = async (storage: FaultyStorage): Promise<EventLog> => {
  const end = await checkAtOpen(storage, { reached: undefined, dropped: [] })
  let id = 0
  return new EventLog({ storage, end, newId: () => `evt-${(id += 1)}`, close: () => storage.close() })
}

type Call = {
  readonly name: string
  readonly durability: 'fsync' | 'os'
  readonly size: number
  readonly batch: AtomicBatch
  outcome: string
}

/** Turns of the event loop until nothing more can happen in a storage that needs one turn per write. */
const settle = async (storage: FaultyStorage): Promise<void> => {
  for (let quiet = 0, writes = -1; quiet < 5; quiet += 1) {
    if (storage.writes !== writes) quiet = 0
    writes = storage.writes
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Appends of all kinds: alone, together, in batches over several streams, synced and not. */
const scenario = async (store: EventStore, storage: FaultyStorage): Promise<Call[]> => {
  const calls: Call[] = []
  const start = (name: string, size: number, durability: 'fsync' | 'os' = 'fsync'): void => {
    const events = Array.from({ length: size }, (_, index) => ({
      event_type: 'counted',
      payload: { name, index, size },
    }))
    const half = Math.ceil(size / 2)
    const batch: AtomicBatch = {
      appends: [
        { stream_id: `stream-${calls.length % 3}`, events: events.slice(0, half) },
        { stream_id: 'shared', events: events.slice(half) },
      ],
      entries: [{ key: `owed/${name}`, value: size }],
      commandId: name,
      durability,
    }
    const call: Call = { name, durability, size, batch, outcome: 'silence' }
    calls.push(call)
    store.appendBatch(batch).then(
      () => (call.outcome = 'acknowledged'),
      (error: unknown) => (call.outcome = isEventStoreError(error) ? error.code : String(error)),
    )
  }
  start('alone', 1)
  await settle(storage)
  start('first of two', 2)
  start('second of two', 3)
  await settle(storage)
  start('unsynced', 2, 'os')
  await settle(storage)
  start('unsynced too', 1, 'os')
  await settle(storage)
  start('in flight', 1)
  await new Promise((resolve) => process.nextTick(resolve))
  start('queued', 3)
  start('queued too', 2)
  await settle(storage)
  start('late', 1)
  await settle(storage)
  return calls
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

type Payload = { readonly name: string; readonly size: number }

/** What a store that was opened again must hold, given what its callers were told. */
const examine = async (store: EventStore, calls: readonly Call[], survived: 'power cut' | 'process end') => {
  expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
  const kept = new Map<string, number>()
  for (const { payload } of await collect(store.readAll())) {
    const { name } = payload as Payload
    kept.set(name, (kept.get(name) ?? 0) + 1)
  }
  const owed = new Set((await collect(store.entries('owed/'))).map(({ key }) => key))
  for (const { name, durability, size, outcome } of calls) {
    const count = kept.get(name) ?? 0
    expect([0, size], `${name} is whole or absent`).toContain(count)
    expect(owed.has(`owed/${name}`), `the entry of ${name} shares its fate`).toBe(count > 0)
    const sure = durability === 'fsync' || survived === 'process end'
    if (outcome === 'acknowledged' && sure) expect(count, `${name} was acknowledged`).toBe(size)
    if (outcome === 'ES_NOT_WRITTEN' || outcome === 'ES_POISONED')
      expect(count, `${name} was refused`).toBe(0)
  }
  // A retry finds the first result if there is one, and writes what was lost if there is none.
  for (const call of calls) {
    const { duplicate, events } = await store.appendBatch(call.batch)
    expect(duplicate).toBe(kept.has(call.name))
    expect(events).toHaveLength(call.size)
  }
}

/** What the callers of a store that failed, but did not die, were told. */
const assertTruthful = (calls: readonly Call[]): void => {
  const outcomes = calls.map((call) => call.outcome)
  expect(outcomes).toContain('ES_WRITE_UNKNOWN')
  expect(outcomes).not.toContain('silence')
  const firstBad = outcomes.findIndex((outcome) => outcome !== 'acknowledged')
  expect(outcomes.slice(firstBad)).not.toContain('acknowledged')
}

const FAULTS: readonly Fault[] = ['refused', 'kept but failed', 'dies before', 'dies after']

describe('every crash point of a scenario', () => {
  test('without a fault everything is acknowledged', async () => {
    const storage = new FaultyStorage()
    const store = await openOver(storage)
    const calls = await scenario(store, storage)
    expect(new Set(calls.map((call) => call.outcome))).toEqual(new Set(['acknowledged']))
    expect(storage.writes).toBeGreaterThanOrEqual(6)
    await store.close()
  })

  test.each(FAULTS)('a write that is %s', async (fault) => {
    expect.hasAssertions()
    const clean = new FaultyStorage()
    await scenario(await openOver(clean), clean)
    for (let write = 1; write <= clean.writes; write += 1) {
      const storage = new FaultyStorage({ write, fault })
      const store = await openOver(storage)
      const calls = await scenario(store, storage)
      if (!storage.isDead) {
        assertTruthful(calls)
        await store.close()
      }
      const unsynced = storage.unsynced
      for (let kept = 0; kept <= unsynced; kept += 1) {
        const again = await openOver(await storage.afterPowerCut(kept))
        await examine(again, calls, kept === unsynced ? 'process end' : 'power cut')
        await again.close()
      }
    }
  })
})

describe('after a failed write', () => {
  const failing = async () => {
    const storage = new FaultyStorage({ write: 2, fault: 'refused' })
    const store = await openOver(storage)
    await store.append('a', [{ event_type: 'before' }])
    return store
  }

  test('what was in flight is unknown, what was queued was not written, and nothing more is taken', async () => {
    const store = await failing()
    const inFlight = store.append('a', [{ event_type: 'in flight' }])
    await new Promise((resolve) => process.nextTick(resolve))
    const queued = store.append('a', [{ event_type: 'queued' }])
    await expect(inFlight).rejects.toMatchObject({
      code: 'ES_WRITE_UNKNOWN',
      message: expect.stringContaining('No space left on device') as string,
      cause: expect.any(Error) as Error,
    })
    await expect(queued).rejects.toMatchObject({ code: 'ES_NOT_WRITTEN' })
    await expect(store.append('a', [{ event_type: 'later' }])).rejects.toMatchObject({ code: 'ES_POISONED' })
    await store.close()
  })

  test('what is on disk can still be read', async () => {
    const store = await failing()
    await expect(store.append('a', [{ event_type: 'lost' }])).rejects.toMatchObject({
      code: 'ES_WRITE_UNKNOWN',
    })
    expect((await collect(store.readAll())).map((event) => event.event_type)).toEqual(['before'])
    expect((await store.head('a'))?.version).toBe(1)
    expect(store.position()).toBe(1)
    await store.close()
  })

  test('subscribers saw nothing that was not acknowledged', async () => {
    const store = await failing()
    const seen: string[] = []
    store.subscribe().subscribe((event) => seen.push(event.event_type))
    await expect(store.append('a', [{ event_type: 'lost' }])).rejects.toMatchObject({
      code: 'ES_WRITE_UNKNOWN',
    })
    await store.close()
    expect(seen).toEqual(['before'])
  })

  test('closing does not wait for ever', async () => {
    const store = await failing()
    const lost = store.append('a', [{ event_type: 'lost' }])
    const closed = store.close()
    await expect(lost).rejects.toMatchObject({ code: 'ES_WRITE_UNKNOWN' })
    await closed
    await expect(store.append('a', [])).rejects.toMatchObject({ code: 'ES_CLOSED' })
  })
})
