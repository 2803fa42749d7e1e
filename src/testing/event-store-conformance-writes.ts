/** The part of the conformance suite about what goes in: appends, versions, commands, refusals, batches. */
import assert from 'node:assert/strict'
import type { NewEvent } from '../../eventstore/event.ts'
import {
  collect,
  fact,
  facts,
  fails,
  positions,
  upTo,
  versions,
  type Suite,
} from './event-store-conformance-suite.ts'

export const appends = ({ given }: Suite): void => {
  given('an empty store has no events, no streams and is at position 0', async (store) => {
    assert.equal(store.position(), 0)
    assert.deepEqual(await collect(store.readAll()), [])
    assert.deepEqual(await collect(store.heads()), [])
    assert.equal(await store.head('order-1'), undefined)
  })

  given('an appended event comes back as it was recorded', async (store) => {
    const result = await store.append('order-1', [fact('order.placed', { total: 12.5, items: ['a', null] })])
    assert.equal(result.version, 1)
    assert.equal(result.position, 1)
    assert.equal(result.duplicate, false)
    const events = await collect(store.readStream('order-1'))
    assert.deepEqual(events, result.events)
    assert.deepEqual(events[0]?.payload, { total: 12.5, items: ['a', null] })
    assert.equal(events[0]?.stream_id, 'order-1')
  })

  given('what the caller leaves out is filled in', async (store) => {
    const { events } = await store.append('order-1', [{ event_type: 'order.placed' }])
    const [event] = events
    assert.ok(event)
    assert.equal(typeof event.event_id, 'string')
    assert.match(event.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(
      [event.payload, event.source_agent, event.correlation_id, event.causation_id, event.schema_version],
      [null, '', '', null, 1],
    )
    assert.deepEqual([event.machine, event.state, event.subject_id, event.key_id], ['', null, '', ''])
    assert.match(event.hash, /^[0-9a-f]{64}$/)
  })

  given('what the caller gives is kept', async (store) => {
    const given: NewEvent = {
      event_id: 'evt-1',
      event_type: 'order.paid',
      timestamp: '2026-01-02T03:04:05.678Z',
      source_agent: 'cashier',
      payload: { amount: 3 },
      correlation_id: 'corr-1',
      causation_id: 'evt-0',
      schema_version: 7,
      machine: 'order@3',
      state: { paid: 'fully' },
      subject_id: 'person-1',
      key_id: 'key-1',
      normalized: ['payload.receipt'],
    }
    const { events } = await store.append('order-1', [given])
    const { stream_id, version, position, hash, ...rest } = events[0] ?? assert.fail('no event')
    assert.deepEqual(rest, given)
    assert.deepEqual([stream_id, version, position, hash.length], ['order-1', 1, 1, 64])
  })

  given('a caller who changes the payload afterwards changes nothing in the log', async (store) => {
    const payload = { items: [1, 2] }
    const appended = store.append('order-1', [fact('order.placed', payload)])
    payload.items.push(3)
    const { events } = await appended
    assert.deepEqual(events[0]?.payload, { items: [1, 2] })
    const [read] = await collect(store.readStream('order-1'))
    assert.deepEqual(read?.payload, { items: [1, 2] })
  })

  given('versions count per stream and positions over the whole log, without gaps', async (store) => {
    await store.append('a', facts(2))
    await store.append('b', facts(1))
    await store.append('a', facts(3))
    assert.deepEqual(versions(await collect(store.readStream('a'))), [1, 2, 3, 4, 5])
    assert.deepEqual(positions(await collect(store.readStream('a'))), [1, 2, 4, 5, 6])
    assert.deepEqual(positions(await collect(store.readAll())), upTo(6))
    assert.equal(store.position(), 6)
  })

  given('concurrent appends keep the order in which they were called', async (store) => {
    const writers = Array.from({ length: 50 }, (_, n) => store.append(`s-${n % 5}`, [fact('counted', { n })]))
    const results = await Promise.all(writers)
    assert.deepEqual(
      results.map((result) => result.position),
      upTo(50),
    )
    const log = await collect(store.readAll())
    assert.deepEqual(
      log.map((event) => event.payload),
      Array.from({ length: 50 }, (_, n) => ({ n })),
    )
  })

  given('the result says how durable the append is', async (store) => {
    assert.equal((await store.append('a', facts(1))).durability, 'fsync')
    const { durability } = await store.append('a', facts(1), { durability: 'os' })
    assert.ok(durability === 'os' || durability === 'fsync')
  })

  given('streams whose ids begin alike, or are not ASCII, do not mix', async (store) => {
    const ids = ['a', 'ab', 'a b', 'a/1', 'é', '日本', '\u{1F600}', '\uFFFD']
    for (const [index, id] of ids.entries()) await store.append(id, facts(index + 1))
    for (const [index, id] of ids.entries()) {
      assert.deepEqual(versions(await collect(store.readStream(id))), upTo(index + 1), id)
    }
  })
}

export const expectedVersions = ({ given }: Suite): void => {
  given('an exact version that holds lets the append pass', async (store) => {
    await store.append('a', facts(2), { expectedVersion: 0 })
    const { version } = await store.append('a', facts(1), { expectedVersion: 2 })
    assert.equal(version, 3)
  })

  given(
    'one that does not hold is a conflict that carries expected and actual, and writes nothing',
    async (store) => {
      await store.append('a', facts(2))
      await fails(store.append('a', facts(1), { expectedVersion: 1 }), {
        code: 'ES_VERSION_CONFLICT',
        stream_id: 'a',
        expected: 1,
        actual: 2,
      })
      assert.equal(store.position(), 2)
    },
  )

  given("'no_stream' refuses a stream that exists", async (store) => {
    await store.append('a', facts(1), { expectedVersion: 'no_stream' })
    await fails(store.append('a', facts(1), { expectedVersion: 'no_stream' }), {
      code: 'ES_VERSION_CONFLICT',
      expected: 'no_stream',
      actual: 1,
    })
  })

  given("'stream_exists' refuses one that does not", async (store) => {
    await fails(store.append('a', facts(1), { expectedVersion: 'stream_exists' }), {
      code: 'ES_VERSION_CONFLICT',
      expected: 'stream_exists',
      actual: 0,
    })
    await store.append('a', facts(1))
    assert.equal((await store.append('a', facts(1), { expectedVersion: 'stream_exists' })).version, 2)
  })

  given('of two writers of one version exactly one wins', async (store) => {
    await store.append('a', facts(1))
    const writers = Array.from({ length: 10 }, () => store.append('a', facts(1), { expectedVersion: 1 }))
    const outcomes = await Promise.allSettled(writers)
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1)
    assert.equal((await store.head('a'))?.version, 2)
  })

  given('a writer may go on before its last append is on disk', async (store) => {
    const first = store.append('a', facts(1), { expectedVersion: 0 })
    const second = store.append('a', facts(1), { expectedVersion: 1 })
    assert.deepEqual([(await first).version, (await second).version], [1, 2])
  })
}

export const commands = ({ given, target, test }: Suite): void => {
  given('a retry with the same command id gets the first result', async (store) => {
    const first = await store.append('a', facts(2), { commandId: 'c-1', expectedVersion: 0 })
    const retry = await store.append('a', facts(2), { commandId: 'c-1', expectedVersion: 0 })
    assert.equal(retry.duplicate, true)
    assert.deepEqual(retry.events, first.events)
    assert.deepEqual([retry.version, retry.position], [first.version, first.position])
    assert.equal(store.position(), 2)
  })

  given('so does a retry while the first is still being written', async (store) => {
    const results = await Promise.all(upTo(3).map(() => store.append('a', facts(1), { commandId: 'c-1' })))
    assert.deepEqual(
      results.map((result) => result.duplicate),
      [false, true, true],
    )
    assert.equal(store.position(), 1)
  })

  given('a refused append leaves its command id free', async (store) => {
    await fails(store.append('a', facts(1), { commandId: 'c-1', expectedVersion: 5 }), {
      code: 'ES_VERSION_CONFLICT',
    })
    assert.equal((await store.append('a', facts(1), { commandId: 'c-1' })).duplicate, false)
  })

  given('a command id that was used for another stream is refused', async (store) => {
    await store.append('a', facts(1), { commandId: 'c-1' })
    await fails(store.append('b', facts(1), { commandId: 'c-1' }), { code: 'ES_COMMAND_REUSED' })
  })

  const { reopen } = target
  if (reopen === undefined) return
  test('a retry after reopening gets the first result', async () => {
    const store = await target.open()
    const first = await store.append('a', facts(2), { commandId: 'c-1' })
    const again = await reopen(store)
    const retry = await again.append('a', facts(2), { commandId: 'c-1' })
    assert.equal(retry.duplicate, true)
    assert.deepEqual(retry.events, first.events)
    await target.destroy(again)
  })
}

const circular = (): unknown => {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

export const refusals = ({ given }: Suite): void => {
  const values: [name: string, payload: unknown, path: string][] = [
    ['a Date', { items: [1, 2, { when: new Date(0) }] }, 'payload.items[2].when'],
    ['a Map', { map: new Map() }, 'payload.map'],
    ['a BigInt', 1n, 'payload'],
    ['undefined in an array', [1, undefined], 'payload[1]'],
    ['NaN', { 'not a name': Number.NaN }, 'payload["not a name"]'],
    ['a function', { go: () => 1 }, 'payload.go'],
    ['a symbol', { mark: Symbol('mark') }, 'payload.mark'],
    ['a cycle', circular(), 'payload.self'],
  ]
  for (const [name, payload, path] of values) {
    given(`${name} is refused with the path to it, and nothing is written`, async (store) => {
      await fails(store.append('a', [fact('x', payload)]), { code: 'ES_NOT_SERIALISABLE', path })
      assert.equal(store.position(), 0)
    })

    given(`${name} in an outcome is kept as JSON, with the path to it`, async (store) => {
      const { events } = await store.append('a', [fact('x', payload)], { outcome: true })
      assert.deepEqual(events[0]?.normalized, [path])
      assert.deepEqual(await collect(store.readStream('a')), events)
    })
  }

  given('an undefined property is left out, as JSON does', async (store) => {
    const { events } = await store.append('a', [fact('x', { kept: 1, left: undefined })])
    assert.deepEqual(events[0]?.payload, { kept: 1 })
  })

  given(
    'a bad event is refused with the path to the field, and nothing of its append is written',
    async (store) => {
      const bad = { event_type: 'x', correlation_id: 7 } as unknown as NewEvent
      await fails(store.append('a', [fact('x'), bad]), {
        code: 'ES_INVALID_EVENT',
        path: 'events[1].correlation_id',
      })
      assert.equal(store.position(), 0)
    },
  )

  given('a stream id that is empty, too long or has control characters is refused', async (store) => {
    for (const id of ['', 'x'.repeat(513), 'a\u0000b', 'a\nb', '\ud800']) {
      await fails(store.append(id, facts(1)), { code: 'ES_INVALID_EVENT' })
    }
  })
}

export const batches = ({ given }: Suite): void => {
  given('several streams and entries are written together', async (store) => {
    const result = await store.appendBatch({
      appends: [
        { stream_id: 'parent', events: facts(2), expectedVersion: 'no_stream' },
        { stream_id: 'child', events: facts(1), expectedVersion: 0 },
      ],
      entries: [{ key: 'owed/child', value: { since: 1 } }],
    })
    assert.deepEqual(Array.from(result.versions), [
      ['parent', 2],
      ['child', 1],
    ])
    assert.equal(result.position, 3)
    assert.deepEqual(positions(result.events), [1, 2, 3])
    assert.deepEqual(await collect(store.entries('owed/')), [{ key: 'owed/child', value: { since: 1 } }])
  })

  given('or not at all', async (store) => {
    await fails(
      store.appendBatch({
        appends: [
          { stream_id: 'a', events: facts(1) },
          { stream_id: 'b', events: facts(1), expectedVersion: 4 },
        ],
        entries: [{ key: 'owed/a', value: 1 }],
      }),
      { code: 'ES_VERSION_CONFLICT', stream_id: 'b' },
    )
    assert.equal(store.position(), 0)
    assert.equal(await store.head('a'), undefined)
    assert.deepEqual(await collect(store.entries('')), [])
    assert.equal((await store.append('a', facts(1), { expectedVersion: 0 })).position, 1)
  })

  given('an append without events only asks whether a version holds', async (store) => {
    await store.append('a', facts(1))
    await store.appendBatch({
      appends: [
        { stream_id: 'a', events: [], expectedVersion: 1 },
        { stream_id: 'b', events: facts(1) },
      ],
    })
    await fails(store.append('a', [], { expectedVersion: 2 }), { code: 'ES_VERSION_CONFLICT' })
    assert.equal(store.position(), 2)
  })

  given('entries are replaced, deleted and read in the order of their keys', async (store) => {
    const write = (key: string, value: unknown): Promise<unknown> =>
      store.appendBatch({ appends: [], entries: [{ key, value }] })
    for (const key of ['t/2', 't/10', 'u/1', 't/1']) await write(key, key)
    await write('t/1', 'new')
    await write('t/2', undefined)
    assert.deepEqual(await collect(store.entries('t/')), [
      { key: 't/1', value: 'new' },
      { key: 't/10', value: 't/10' },
    ])
    assert.equal(store.position(), 0)
  })
}
