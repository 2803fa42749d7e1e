/** What is done to a log over a storage with bad days, and what must be true of it afterwards. */
import { expect } from 'vitest'
import { EventLog } from '../../eventstore/event-log.ts'
import { isEventStoreError, type AtomicBatch, type EventStore } from '../../eventstore/index.ts'
import { checkAtOpen } from '../../eventstore/open-check.ts'
import type { FaultyStorage } from './faulty-storage.ts'

export const openOver = async (storage: FaultyStorage): Promise<EventLog> => {
  const end = await checkAtOpen(storage, { reached: undefined, dropped: [] })
  let id = 0
  return new EventLog({ storage, end, newId: () => `evt-${(id += 1)}`, close: () => storage.close() })
}

export type Call = {
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
export const scenario = async (store: EventStore, storage: FaultyStorage): Promise<Call[]> => {
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

export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export type Payload = { readonly name: string; readonly size: number }

/** What a store that was opened again must hold, given what its callers were told. */
export const examine = async (
  store: EventStore,
  calls: readonly Call[],
  survived: 'power cut' | 'process end',
) => {
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
