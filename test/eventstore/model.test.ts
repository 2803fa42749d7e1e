/** Random operations on both stores do what a simple model says, and the two agree to the byte. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createMemoryEventStore,
  createMemorySnapshots,
  isEventStoreError,
  openLevelEventStore,
  type EventStore,
  type RecordedEvent,
  type Snapshots,
} from '../../eventstore/index.ts'
import { Model, operations, type Append, type Fact, type Operation } from './store-model.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const toFact = ({ stream_id, version, position, payload }: RecordedEvent): Fact => ({
  stream: stream_id,
  version,
  position,
  payload,
})

/** A store under test, and what was begun on it. */
type Subject = {
  store: EventStore
  readonly reopen: (store: EventStore) => Promise<EventStore>
  readonly snapshots: Snapshots
  /** What live subscriptions saw, each with the position it began after. */
  subscriptions: { from: number; readonly seen: Fact[] }[]
}

const streamAppend = ({ stream, payloads, expected: expectedVersion }: Append) => ({
  stream_id: stream,
  events: payloads.map((payload) => ({ event_type: 'counted', payload })),
  expectedVersion,
})

/** How many events were written, or the code of the refusal. */
const outcomeOf = async (
  work: Promise<{ events: readonly RecordedEvent[]; duplicate: boolean }>,
): Promise<number | string> =>
  work.then(
    ({ events, duplicate }) => (duplicate ? 0 : events.length),
    (error: unknown) => {
      if (!isEventStoreError(error)) throw error
      return error.code
    },
  )

const append = async (store: EventStore, one: Append): Promise<number | string> =>
  outcomeOf(
    store.appendBatch({
      appends: [streamAppend(one)],
      ...(one.commandId === undefined ? {} : { commandId: one.commandId }),
    }),
  )

const perform = async (subject: Subject, model: Model, operation: Operation): Promise<void> => {
  const { store } = subject
  switch (operation.type) {
    case 'append':
      expect(await append(store, operation.append)).toBe(
        model.append([operation.append], operation.append.commandId),
      )
      return
    case 'concurrent': {
      const got = operation.appends.map((one) => append(store, one))
      const want = operation.appends.map((one) => model.append([one], one.commandId))
      expect(await Promise.all(got)).toEqual(want)
      return
    }
    case 'batch': {
      const { key, value, appends } = operation
      const got = await outcomeOf(
        store.appendBatch({ appends: appends.map(streamAppend), entries: [{ key, value }] }),
      )
      expect(got).toBe(model.batch(appends, { key, value }))
      return
    }
    case 'check': {
      const { stream, from } = operation
      const read = await collect(store.readStream(stream, { fromVersion: from + 1 }))
      expect(read.map(toFact)).toEqual(model.stream(stream, from))
      const back = await collect(store.readStream(stream, { direction: 'backwards' }))
      expect(back.map(toFact)).toEqual(model.stream(stream, 0).toReversed())
      const rest = await collect(store.readAll({ fromPosition: Math.min(from, model.facts.length) }))
      expect(rest.map(toFact)).toEqual(model.log(from))
      return
    }
    case 'subscribe': {
      const seen: Fact[] = []
      subject.subscriptions.push({ from: store.position(), seen })
      store.subscribe({ fromPosition: 'now' }).subscribe((event) => seen.push(toFact(event)))
      return
    }
    case 'snapshot': {
      const head = await store.head(operation.stream)
      if (head === undefined) return
      const { version, hash } = head
      await subject.snapshots.save({
        stream_id: operation.stream,
        version,
        hash,
        machine: 'm@1',
        state: version,
      })
      model.saveSnapshot(operation.stream)
      return
    }
    case 'load': {
      const snapshot = await subject.snapshots.load(store, operation.stream, 'm@1')
      expect(snapshot?.state).toBe(model.snapshot(operation.stream))
      return
    }
    case 'archive': {
      const expectedVersion = model.version(operation.stream)
      if (expectedVersion === 0) return
      const tombstone = { event_type: 'archived', payload: { expectedVersion } }
      await store.truncate?.(operation.stream, { tombstone, expectedVersion })
      model.archive(operation.stream)
      return
    }
    case 'compact':
      await store.compact?.()
      return
    case 'reopen':
      assertSubscriptions(subject, model)
      subject.store = await subject.reopen(store)
  }
}

/** Live events are handed out before their append resolves, so nothing needs to be waited for. */
const assertSubscriptions = (subject: Subject, model: Model): void => {
  for (const { from, seen } of subject.subscriptions) expect(seen).toEqual(model.everything(from))
  subject.subscriptions = []
}

const run = async (subject: Subject, list: readonly Operation[]): Promise<void> => {
  const model = new Model()
  for (const operation of list) await perform(subject, model, operation)
  assertSubscriptions(subject, model)
  const { store } = subject
  expect((await collect(store.readAll())).map(toFact)).toEqual(model.log(0))
  expect(await collect(store.entries(''))).toEqual(model.sortedEntries())
  expect(await store.verify()).toMatchObject({ ok: true, events: model.log(0).length, problems: [] })
}

/** The same ids and times for every store, so that even the hashes are equal. */
const deterministic = () => {
  let id = 0
  return { clock: () => 1_760_000_000_000, newId: () => `evt-${id++}` }
}

describe('random operations', () => {
  let folder = ''
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('both stores do what the model says and hold the same log', async () => {
    folder = await mkdtemp(join(tmpdir(), 'event-store-model-'))
    let round = 0
    expect.hasAssertions()
    await fc.assert(
      fc.asyncProperty(operations, async (list) => {
        round += 1
        const path = join(folder, String(round))
        const ids = deterministic()
        const memory: Subject = {
          store: createMemoryEventStore(deterministic()),
          reopen: async (store) => store,
          snapshots: createMemorySnapshots(),
          subscriptions: [],
        }
        const level: Subject = {
          store: await openLevelEventStore({ path, ...ids }),
          reopen: async (store) => {
            await store.close()
            return openLevelEventStore({ path, ...ids })
          },
          snapshots: createMemorySnapshots(),
          subscriptions: [],
        }
        try {
          await run(memory, list)
          await run(level, list)
          expect(await collect(level.store.readAll())).toEqual(await collect(memory.store.readAll()))
        } finally {
          await memory.store.close()
          await level.store.close()
        }
      }),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 60), endOnFailure: false },
    )
  })
})
