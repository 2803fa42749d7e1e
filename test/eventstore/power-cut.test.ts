/**
 * Power cuts and failing reads at every point of a scenario: a part of the last write, unsynced writes in another
 * order, each read. What is not sound is refused or reported, and nothing wrong is ever served.
 */
import { cp, mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isEventStoreError, openLevelEventStore, type RecordedEvent } from '../../eventstore/index.ts'
import { collect, openOver, scenario, type Call, type Payload } from './fault-scenario.ts'
import { FaultyStorage } from './faulty-storage.ts'

/** What a run without any fault writes, in order. */
const cleanRun = async (): Promise<{ writes: number; log: readonly RecordedEvent[] }> => {
  const storage = new FaultyStorage()
  const store = await openOver(storage)
  await scenario(store, storage)
  const log = await collect(store.readAll())
  await store.close()
  return { writes: storage.writes, log }
}

const withoutTime = (event: RecordedEvent): unknown => {
  const { payload, stream_id, version, position } = event
  return { payload, stream_id, version, position }
}

/** Whether the store was found to be damaged. What it serves until then is what was written, batch by whole batch. */
const isFoundDamaged = async (storage: FaultyStorage, log: readonly RecordedEvent[]): Promise<boolean> => {
  try {
    const store = await openOver(storage)
    const served: RecordedEvent[] = []
    try {
      for await (const event of store.readAll()) served.push(event)
    } finally {
      expect(served.map(withoutTime)).toEqual(log.slice(0, served.length).map(withoutTime))
    }
    const { ok } = await store.verify()
    if (!ok) return true
    assertWhole(served)
    return false
  } catch (error) {
    if (!isEventStoreError(error, 'ES_CORRUPT')) throw error
    return true
  }
}

const assertWhole = (events: readonly RecordedEvent[]): void => {
  const counts = new Map<string, number>()
  const sizes = new Map<string, number>()
  for (const { payload } of events) {
    const { name, size } = payload as Payload
    counts.set(name, (counts.get(name) ?? 0) + 1)
    sizes.set(name, size)
  }
  expect(counts).toEqual(sizes)
}

const assertKept = async (storage: FaultyStorage, calls: readonly Call[]): Promise<void> => {
  const store = await openOver(storage)
  const names = new Set((await collect(store.readAll())).map(({ payload }) => (payload as Payload).name))
  for (const { name, durability, outcome } of calls) {
    if (outcome === 'acknowledged' && durability === 'fsync') expect(names).toContain(name)
  }
}

describe('a power cut at every write of a scenario', () => {
  test('that keeps a part of the write is found, whatever the part', async () => {
    const { writes, log } = await cleanRun()
    for (let write = 1; write <= writes; write += 1) {
      const storage = new FaultyStorage({ write, fault: 'dies before' })
      const calls = await scenario(await openOver(storage), storage)
      expect(storage.dying).toBeGreaterThan(3)
      for (let torn = 0; torn <= storage.dying; torn += 1) {
        const isWhole = torn === 0 || torn === storage.dying
        const isFound = await isFoundDamaged(await storage.afterTear(torn), log)
        expect({ write, torn, isFound }).toEqual({ write, torn, isFound: !isWhole })
      }
      await assertKept(await storage.afterTear(0), calls)
    }
  })

  test('that keeps unsynced writes in another order is found, in every order', async () => {
    const { writes, log } = await cleanRun()
    let reordered = 0
    for (let write = 1; write <= writes; write += 1) {
      const storage = new FaultyStorage({ write, fault: 'dies after' })
      const calls = await scenario(await openOver(storage), storage)
      const { unsynced } = storage
      for (let subset = 0; subset < 2 ** unsynced; subset += 1) {
        const places = Array.from({ length: unsynced }, (_, place) => place)
        const kept = places.filter((place) => (subset & (1 << place)) !== 0)
        const isPrefix = kept.every((place, index) => place === index)
        if (!isPrefix) reordered += 1
        const disk = await storage.afterReordering(new Set(kept))
        expect(await isFoundDamaged(disk, log), `${kept.join()} of ${unsynced}`).toBe(!isPrefix)
        if (isPrefix) await assertKept(disk, calls)
      }
    }
    expect(reordered).toBeGreaterThan(2)
  })
})

test('a read that fails, whichever, is an error to its caller, and the next try gives what is there', async () => {
  const fill = async (storage: FaultyStorage): Promise<void> => {
    const store = await openOver(storage)
    await store.append('a', [{ event_type: 'x' }, { event_type: 'y' }])
    await store.append('b', [{ event_type: 'z' }], { commandId: 'c-1' })
    await store.close()
  }
  const use = async (storage: FaultyStorage): Promise<(unknown[] | Error)[]> => {
    const results: (unknown[] | Error)[] = []
    const attempt = async (work: () => Promise<unknown[]>): Promise<void> => {
      results.push(await work().catch((error: unknown) => error as Error))
    }
    const store = await openOver(storage).catch((error: unknown) => error as Error)
    if (store instanceof Error) return [store]
    const typesOf = async (events: AsyncIterable<RecordedEvent>) =>
      (await collect(events)).map(({ event_type }) => event_type)
    await attempt(async () => typesOf(store.readAll()))
    await attempt(async () => typesOf(store.readStream('a')))
    await attempt(async () => [(await store.head('b'))?.version])
    await attempt(async () => [(await store.verify()).ok])
    await attempt(async () => [
      (await store.append('b', [{ event_type: 'w' }], { commandId: 'c-1' })).duplicate,
    ])
    await attempt(async () => [(await store.append('a', [{ event_type: 'v' }])).version])
    await store.close()
    return results
  }
  const sound = new FaultyStorage()
  await fill(sound)
  const filled = sound.reads
  const expected = await use(sound)
  const total = sound.reads - filled
  expect(expected).toEqual([['x', 'y', 'z'], ['x', 'y'], [1], [true], [true], [3]])
  expect(total).toBeGreaterThan(10)
  for (let read = 1; read <= total; read += 1) {
    const storage = new FaultyStorage({ write: 0, fault: 'refused', read: filled + read })
    await fill(storage)
    const results = await use(storage)
    const failed = results.filter((result) => result instanceof Error)
    expect(failed.map(String), `read ${read}`).toEqual([
      expect.stringContaining('Input/output error') as string,
    ])
    // A log that could not be opened is opened by the next try.
    const again = results.length === 1 ? await use(storage) : results
    const right = again.map((result, index) => (result instanceof Error ? expected[index] : result))
    expect(right).toEqual(expected)
  }
})

test('a write-ahead log cut off anywhere in the write that nobody was told of leaves all before it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-power-cut-'))
  const [before, after, copy] = ['before', 'after', 'copy'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  try {
    const store = await openLevelEventStore({ path: after })
    for (let n = 1; n <= 5; n += 1) await store.append('a', [{ event_type: 'x', payload: n }])
    // Its mark of how far it had come is that of a process that had not heard of the last write.
    await cp(after, before, { recursive: true })
    await store.append('a', [{ event_type: 'x', payload: 'last' }, { event_type: 'x' }])
    const name = (await readdir(join(after, 'db'))).find((file) => file.endsWith('.log')) ?? ''
    const whole = await readFile(join(after, 'db', name))
    const { length: start } = await readFile(join(before, 'db', name))
    expect(whole.length).toBeGreaterThan(start + 1000)
    const steps = Number(process.env['DAMAGE_ROUNDS'] ?? 10) >= 500 ? 1 : 97
    for (let length = start; length <= whole.length; length += steps) {
      await rm(copy, { recursive: true, force: true })
      await cp(before, copy, { recursive: true })
      await rm(join(copy, 'owner.json'), { force: true })
      await cp(join(after, 'db', name), join(copy, 'db', name))
      await truncate(join(copy, 'db', name), length)
      const again = await openLevelEventStore({ path: copy })
      expect(again.position(), `cut at ${length} of ${whole.length}`).toBe(length === whole.length ? 7 : 5)
      expect(await again.verify()).toMatchObject({ ok: true })
      await again.close()
    }
    await store.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
