/** What comes from outside is not taken without bound: it waits its turn or is refused, as it asked. */
import { describe, expect, test } from 'vitest'
import { createMemoryEventStore, type AppendOptions } from '../../eventstore/index.ts'

const facts = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ event_type: 'counted', payload: { n } }))

const outcome = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'written',
    (error: unknown) => String(Reflect.get(error as object, 'code')),
  )

describe('when more waits to be written than the store wants to hold', () => {
  const full = () => {
    const store = createMemoryEventStore({ maxPendingEvents: 10 })
    const filling = store.append('filler', facts(10))
    return { store, filling }
  }

  test('an append that may be refused is refused, and others are taken', async () => {
    const { store, filling } = full()
    const refused = store.append('a', facts(1), { whenFull: 'refuse' })
    const accepted = store.append('a', facts(1))
    await expect(refused).rejects.toMatchObject({ code: 'ES_BUSY' })
    expect((await accepted).position).toBe(11)
    await filling
    expect((await store.append('a', facts(1), { whenFull: 'refuse' })).position).toBe(12)
  })

  test('those that wait are written in the order of their calls', async () => {
    const { store, filling } = full()
    const waiting = Array.from({ length: 50 }, () => store.append('a', facts(1), { whenFull: 'wait' }))
    expect((await Promise.all(waiting)).map((result) => result.version)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
    await filling
  })

  test('the version is checked when its turn comes', async () => {
    const { store } = full()
    const options: AppendOptions = { whenFull: 'wait', expectedVersion: 1 }
    const waiting = store.append('a', facts(1), options)
    await store.append('a', facts(1))
    expect((await waiting).version).toBe(2)
  })

  test('what the caller changes while it waits changes nothing', async () => {
    const { store } = full()
    const payload = { items: [1] }
    const waiting = store.append('a', [{ event_type: 'x', payload }], { whenFull: 'wait' })
    payload.items.push(2)
    expect((await waiting).events[0]?.payload).toEqual({ items: [1] })
    const { store: other } = full()
    await expect(
      other.append('a', [{ event_type: 'x', payload: new Date(0) }], { whenFull: 'wait' }),
    ).rejects.toMatchObject({ code: 'ES_NOT_SERIALISABLE', path: 'payload' })
  })

  test('closing ends the wait', async () => {
    const { store } = full()
    const waiting = Array.from({ length: 3 }, () =>
      outcome(store.append('a', facts(1), { whenFull: 'wait' })),
    )
    await store.close()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['ES_CLOSED']))
  })
})
