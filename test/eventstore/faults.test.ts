/** At every point where a write can fail or the process can die, what was acknowledged is kept and the rest told apart. */
import { describe, expect, test } from 'vitest'
import { collect, examine, openOver, scenario, type Call } from './fault-scenario.ts'
import { FaultyStorage, type Fault } from './faulty-storage.ts'

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
