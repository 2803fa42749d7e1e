/** Appending without a promise: the same as `appendBatch`, told by name. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { AppendHearer } from '../../eventstore/append-waiters.ts'
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { createMemoryEventStore, type AtomicBatch, type EventStore } from '../../eventstore/index.ts'
import { FaultyStorage } from './faulty-storage.ts'

const unhandled: unknown[] = []
const listener = (error: unknown): void => void unhandled.push(error)

afterEach(() => {
  process.off('unhandledRejection', listener)
  unhandled.length = 0
})

type Heard = { events: readonly RecordedEvent[] } | { error: unknown }

/** Appends, and gives what the hearer heard, once. */
const heard = async (
  store: EventStore,
  batch: AtomicBatch,
  door: 'appendFor' | 'appendSound' = 'appendFor',
): Promise<Heard> => {
  const answers: Heard[] = []
  const told = new Promise<void>((resolve) => {
    const hear = (answer: Heard): void => {
      answers.push(answer)
      resolve()
    }
    EventLog[door](store, batch, {
      written: (events) => hear({ events }),
      failed: (error) => hear({ error }),
    })
  })
  expect(answers).toEqual([])
  await told
  return answers[0] as Heard
}

const one = (stream_id: string, payload: unknown = {}): AtomicBatch => ({
  appends: [{ stream_id, events: [{ event_type: 'made', payload }] }],
})

describe('appending without a promise', () => {
  test('tells of the events once they can be read', async () => {
    const store = createMemoryEventStore()
    const answer = await heard(store, one('a', { n: 1 }))
    const [event] = 'events' in answer ? answer.events : []
    expect(event).toMatchObject({ stream_id: 'a', version: 1, position: 1, payload: { n: 1 } })
    const read = await store.readAll()[Symbol.asyncIterator]().next()
    expect(read.value).toEqual(event)
  })

  test('tells what is refused, after the call and before anything is written', async () => {
    const store = createMemoryEventStore()
    const conflict: AtomicBatch = {
      appends: [{ stream_id: 'a', events: [{ event_type: 'made' }], expectedVersion: 3 }],
    }
    expect(await heard(store, conflict)).toMatchObject({ error: { code: 'ES_VERSION_CONFLICT' } })
    expect(await heard(store, one(''))).toMatchObject({ error: { code: 'ES_INVALID_EVENT' } })
    expect(await heard(store, one('a', 1n))).toMatchObject({ error: { code: 'ES_NOT_SERIALISABLE' } })
    await store.close()
    expect(await heard(store, one('a'))).toMatchObject({ error: { code: 'ES_CLOSED' } })
    expect(store.position()).toBe(0)
  })

  test('tells all that were in a write which failed, and all that waited behind it', async () => {
    const storage = new FaultyStorage({ write: 1, fault: 'kept but failed' })
    const store = new EventLog({ storage, end: FIRST_BATCH, close: () => storage.close() })
    const first = heard(store, one('a'))
    // The next turn: it is in a group of its own.
    await new Promise((resolve) => process.nextTick(resolve))
    const second = heard(store, one('b'))
    expect(await first).toMatchObject({ error: { code: 'ES_WRITE_UNKNOWN' } })
    expect(await second).toMatchObject({ error: { code: 'ES_NOT_WRITTEN' } })
    expect(await heard(store, one('c'))).toMatchObject({ error: { code: 'ES_POISONED' } })
  })

  test('goes on where a hearer throws, whose trouble is nobody else’s', async () => {
    process.on('unhandledRejection', listener)
    const store = createMemoryEventStore()
    const clumsy: AppendHearer = {
      written() {
        throw new Error('clumsy')
      },
      failed() {},
    }
    EventLog.appendFor(store, one('a'), clumsy)
    const neighbour = heard(store, one('b'))
    const promised = store.append('c', [{ event_type: 'made' }])
    expect(await neighbour).toMatchObject({ events: [{ position: 2 }] })
    expect(await promised).toMatchObject({ position: 3 })
    await vi.waitFor(() => expect(unhandled).toEqual([new Error('clumsy')]))
  })

  test('asks what stands around a log through its own door', async () => {
    const log = createMemoryEventStore()
    const seen: AtomicBatch[] = []
    const around = new Proxy(log, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'appendBatch')
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        return (batch: AtomicBatch) => {
          seen.push(batch)
          return target.appendBatch(batch)
        }
      },
    })
    expect(await heard(around, one('a'))).toMatchObject({ events: [{ position: 1 }] })
    expect(seen).toEqual([one('a')])
  })
})

describe('appending what is known to be sound', () => {
  const event = { event_id: 'e-1', event_type: 'made', timestamp: '2026-01-02T03:04:05.678Z' }
  const sound = (payload: unknown, beside: object = {}): AtomicBatch => ({
    appends: [{ stream_id: 'a', events: [{ ...event, payload, ...beside }] }],
  })

  test('leaves the same on disk as any other append', async () => {
    const [usual, quick] = [createMemoryEventStore(), createMemoryEventStore()]
    const batch = sound(
      { n: 1, list: [{ deep: ['x'] }] },
      { state: { at: 'work' }, normalized: ['payload.n'] },
    )
    const answers = [await heard(usual, batch), await heard(quick, batch, 'appendSound')]
    expect(answers[1]).toEqual(answers[0])
    expect(await quick.verify()).toMatchObject({ ok: true, events: 1 })
  })

  test('copies what it is given, down to the last', async () => {
    const store = createMemoryEventStore()
    const payload = { list: [{ deep: 'before' }], state: { at: 'work' } }
    const appended = heard(store, sound(payload, { state: payload.state }), 'appendSound')
    for (const item of payload.list) item.deep = 'after'
    payload.state.at = 'rest'
    expect(await appended).toMatchObject({
      events: [{ payload: { list: [{ deep: 'before' }] }, state: { at: 'work' } }],
    })
  })

  test.each([
    ['event_id', 7],
    ['source_agent', 7],
    ['correlation_id', {}],
    ['causation_id', false],
  ])('refuses a %s that is no text', async (field, value) => {
    const store = createMemoryEventStore()
    const answer = await heard(store, sound({}, { [field]: value }), 'appendSound')
    expect(answer).toMatchObject({ error: { code: 'ES_INVALID_EVENT', path: field } })
    expect(store.position()).toBe(0)
  })
})
