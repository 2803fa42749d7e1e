/** Random operations on both stores do what a simple model says, and the two agree to the byte. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createMemoryEventStore,
  isEventStoreError,
  openLevelEventStore,
  type EventStore,
  type ExpectedVersion,
  type RecordedEvent,
} from '../../eventstore/index.ts'

const STREAMS = ['a', 'b', 'b/1', 'é\u{1F600}']

type Append = {
  stream: string
  payloads: unknown[]
  expected: ExpectedVersion
  commandId: string | undefined
}

type Operation =
  | { type: 'append'; append: Append }
  | { type: 'batch'; appends: Append[]; key: string; value: unknown }
  | { type: 'concurrent'; appends: Append[] }
  | { type: 'check'; stream: string; from: number }
  | { type: 'reopen' }

const expected = fc.oneof(
  { weight: 4, arbitrary: fc.constant('any' as const) },
  { weight: 1, arbitrary: fc.constantFrom('no_stream' as const, 'stream_exists' as const) },
  { weight: 2, arbitrary: fc.nat(6) },
)

const append: fc.Arbitrary<Append> = fc.record({
  stream: fc.constantFrom(...STREAMS),
  payloads: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 3 }),
  expected,
  commandId: fc.option(fc.constantFrom('c1', 'c2', 'c3'), { nil: undefined, freq: 4 }),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: append.map((one) => ({ type: 'append' as const, append: one })) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('batch' as const),
      appends: fc.array(append, { maxLength: 3 }),
      key: fc.constantFrom('k/1', 'k/2', 'l'),
      value: fc.option(fc.jsonValue(), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(append, { maxLength: 5 })
      .map((appends) => ({ type: 'concurrent' as const, appends })),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('check' as const),
      stream: fc.constantFrom(...STREAMS),
      from: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'reopen' as const }) },
)

type Fact = { stream: string; version: number; payload: unknown }

/** What a store is, without any of how: a list of facts, entries, and the commands that were seen. */
class Model {
  facts: Fact[] = []
  readonly entries = new Map<string, unknown>()
  readonly commands = new Map<string, { streams: string[]; count: number }>()

  version(stream: string): number {
    return this.facts.filter((fact) => fact.stream === stream).length
  }

  /** The code of the refusal, or how many events were written; a duplicate writes none. */
  apply(appends: readonly Append[], commandId: string | undefined): string | number {
    const streams = Array.from(new Set(appends.map((one) => one.stream)))
    const known = commandId === undefined ? undefined : this.commands.get(commandId)
    if (known !== undefined) {
      return known.streams.toSorted().join('|') === streams.toSorted().join('|') ? 0 : 'ES_COMMAND_REUSED'
    }
    const before = this.facts
    this.facts = before.slice()
    for (const { stream, payloads, expected } of appends) {
      const version = this.version(stream)
      const holds =
        expected === 'any' ||
        (expected === 'no_stream'
          ? version === 0
          : expected === 'stream_exists'
            ? version > 0
            : version === expected)
      if (!holds) {
        this.facts = before
        return 'ES_VERSION_CONFLICT'
      }
      payloads.forEach((payload, index) => this.facts.push({ stream, version: version + 1 + index, payload }))
    }
    const count = this.facts.length - before.length
    if (commandId !== undefined) this.commands.set(commandId, { streams, count })
    return count
  }
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const toFact = ({ stream_id, version, payload }: RecordedEvent): Fact => ({
  stream: stream_id,
  version,
  payload,
})

/** What JSON makes of a value: -0 becomes 0. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown

type Subject = { store: EventStore; readonly reopen: (store: EventStore) => Promise<EventStore> }

const streamAppend = ({ stream, payloads, expected: expectedVersion }: Append) => ({
  stream_id: stream,
  events: payloads.map((payload) => ({ event_type: 'counted', payload })),
  expectedVersion,
})

const outcomeOf = async (work: Promise<{ events: readonly RecordedEvent[]; duplicate: boolean }>) =>
  work.then(
    ({ events, duplicate }) => (duplicate ? 0 : events.length),
    (error: unknown) => {
      if (!isEventStoreError(error)) throw error
      return error.code
    },
  )

const run = async (subject: Subject, model: Model, operations: readonly Operation[]): Promise<void> => {
  for (const operation of operations) {
    switch (operation.type) {
      case 'append': {
        const { commandId, ...one } = operation.append
        const got = outcomeOf(
          subject.store.appendBatch({
            appends: [streamAppend({ ...one, commandId })],
            ...(commandId === undefined ? {} : { commandId }),
          }),
        )
        expect(await got).toBe(model.apply([operation.append], commandId))
        break
      }
      case 'batch': {
        const { key, value, appends } = operation
        const got = await outcomeOf(
          subject.store.appendBatch({ appends: appends.map(streamAppend), entries: [{ key, value }] }),
        )
        const want = model.apply(appends, undefined)
        expect(got).toBe(want)
        if (typeof want === 'string') break
        if (value === undefined) model.entries.delete(key)
        else model.entries.set(key, asJson(value))
        break
      }
      case 'concurrent': {
        const got = operation.appends.map(({ commandId, ...one }) =>
          outcomeOf(
            subject.store.appendBatch({
              appends: [streamAppend({ ...one, commandId })],
              ...(commandId === undefined ? {} : { commandId }),
            }),
          ),
        )
        const want = operation.appends.map((one) => model.apply([one], one.commandId))
        expect(await Promise.all(got)).toEqual(want)
        break
      }
      case 'check': {
        const { stream, from } = operation
        const read = await collect(subject.store.readStream(stream, { fromVersion: from + 1 }))
        const facts = model.facts.filter((fact) => fact.stream === stream && fact.version > from)
        expect(read.map(toFact)).toEqual(asJson(facts))
        const rest = await collect(
          subject.store.readAll({ fromPosition: Math.min(from, model.facts.length) }),
        )
        expect(rest.map(toFact)).toEqual(asJson(model.facts.slice(from)))
        break
      }
      case 'reopen':
        subject.store = await subject.reopen(subject.store)
        break
    }
  }
  expect((await collect(subject.store.readAll())).map(toFact)).toEqual(asJson(model.facts))
  expect(await collect(subject.store.entries(''))).toEqual(
    Array.from(model.entries, ([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1)),
  )
  expect(await subject.store.verify()).toMatchObject({ ok: true, events: model.facts.length, problems: [] })
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
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
        round += 1
        const path = join(folder, String(round))
        const ids = deterministic()
        const memory: Subject = {
          store: createMemoryEventStore(deterministic()),
          reopen: async (store) => store,
        }
        const level: Subject = {
          store: await openLevelEventStore({ path, ...ids }),
          reopen: async (store) => {
            await store.close()
            return openLevelEventStore({ path, ...ids })
          },
        }
        try {
          await run(memory, new Model(), operations)
          await run(level, new Model(), operations)
          const [left, right] = [await collect(memory.store.readAll()), await collect(level.store.readAll())]
          expect(left).toEqual(right)
        } finally {
          await memory.store.close()
          await level.store.close()
        }
      }),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 60), endOnFailure: false },
    )
  })
})
