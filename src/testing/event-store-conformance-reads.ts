/** The part of the conformance suite about what comes out: reading, following, closing, reopening. */
import assert from 'node:assert/strict'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
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

export const reads = ({ given }: Suite): void => {
  given('a stream is read forwards, backwards and between versions', async (store) => {
    await store.append('a', facts(600))
    const read = async (options: Parameters<EventStore['readStream']>[1]): Promise<number[]> =>
      versions(await collect(store.readStream('a', options)))
    assert.deepEqual(await read({}), upTo(600))
    assert.deepEqual(await read({ direction: 'backwards' }), upTo(600).toReversed())
    assert.deepEqual(await read({ fromVersion: 599 }), [599, 600])
    assert.deepEqual(await read({ toVersion: 2 }), [1, 2])
    assert.deepEqual(await read({ fromVersion: 256, toVersion: 258 }), [256, 257, 258])
    assert.deepEqual(await read({ direction: 'backwards', fromVersion: 3 }), [3, 2, 1])
    assert.deepEqual(await read({ direction: 'backwards', toVersion: 599 }), [600, 599])
    assert.deepEqual(
      await read({ direction: 'backwards', fromVersion: 258, toVersion: 256 }),
      [258, 257, 256],
    )
    assert.deepEqual(await read({ fromVersion: 601 }), [])
  })

  given('a stream that does not exist reads as empty', async (store) => {
    await store.append('a', facts(1))
    assert.deepEqual(await collect(store.readStream('b')), [])
  })

  given('the log is read from a position', async (store) => {
    await store.append('a', facts(3))
    await store.append('b', facts(2))
    assert.deepEqual(positions(await collect(store.readAll({ fromPosition: 0 }))), upTo(5))
    assert.deepEqual(positions(await collect(store.readAll({ fromPosition: 3 }))), [4, 5])
    assert.deepEqual(await collect(store.readAll({ fromPosition: 5 })), [])
  })

  given('the log is read to the end across many batches', async (store) => {
    await Promise.all(upTo(2500).map((n) => store.append(`s-${n % 7}`, [fact('counted', { n })])))
    assert.deepEqual(positions(await collect(store.readAll())), upTo(2500))
    assert.deepEqual(positions(await collect(store.readAll({ fromPosition: 1234 }))), upTo(2500).slice(1234))
  })

  given('a reader that began before an append does not see half of it', async (store) => {
    await store.append('a', facts(2))
    const seen: number[] = []
    for await (const event of store.readAll()) {
      if (event.version === 1) await store.append('a', facts(2))
      seen.push(event.version)
    }
    assert.deepEqual(seen, [1, 2])
  })

  given('a reader may stop early', async (store) => {
    await store.append('a', facts(10))
    for await (const event of store.readAll()) {
      assert.equal(event.version, 1)
      break
    }
    for await (const event of store.readStream('a')) {
      assert.equal(event.version, 1)
      break
    }
    await store.append('a', facts(1))
  })

  given('an aborted read throws the reason', async (store) => {
    await store.append('a', facts(10))
    const reason = new Error('enough')
    const controller = new AbortController()
    await assert.rejects(async () => {
      for await (const event of store.readAll({ signal: controller.signal })) {
        if (event.version === 3) controller.abort(reason)
        assert.ok(event.version <= 3)
      }
    }, reason)
    await assert.rejects(collect(store.readStream('a', { signal: controller.signal })), reason)
    await assert.rejects(collect(store.heads('', { signal: controller.signal })), reason)
    await assert.rejects(collect(store.entries('', { signal: controller.signal })), reason)
  })

  given('an option that makes no sense is refused', async (store) => {
    await fails(async () => collect(store.readStream('a', { fromVersion: 0 })), {
      code: 'ES_INVALID_OPTION',
      path: 'options.fromVersion',
    })
    await fails(async () => collect(store.readAll({ fromPosition: -1 })), { code: 'ES_INVALID_OPTION' })
  })

  given('heads are the last events of the streams, in the order of their ids', async (store) => {
    await store.append('b', [{ event_type: 'x', machine: 'order@1', state: 'placed' }])
    await store.append('a', facts(2))
    const { events } = await store.append('b', facts(1))
    const heads = await collect(store.heads())
    assert.deepEqual(
      heads.map((head) => [head.stream_id, head.version, head.position]),
      [
        ['a', 2, 3],
        ['b', 2, 4],
      ],
    )
    assert.deepEqual(await store.head('b'), heads[1])
    assert.equal(heads[1]?.hash, events[0]?.hash)
    assert.deepEqual([heads[1]?.machine, heads[1]?.state], ['order@1', 'placed'])
    assert.deepEqual(
      (await collect(store.heads('b'))).map((head) => head.stream_id),
      ['b'],
    )
  })

  given('a log that is whole verifies', async (store) => {
    await store.append('a', facts(300), { commandId: 'c-1' })
    await store.appendBatch({
      appends: [{ stream_id: 'b', events: facts(3) }],
      entries: [{ key: 'owed/b', value: 1 }],
    })
    assert.deepEqual(await store.verify(), { ok: true, events: 303, streams: 2, problems: [] })
  })
}

/** Resolves with the events once there are `count`; rejects if the subscription fails or ends before. */
const firstOf = async (
  store: EventStore,
  count: number,
  fromPosition: number | 'now' = 0,
): Promise<RecordedEvent[]> =>
  new Promise((resolve, reject) => {
    const seen: RecordedEvent[] = []
    const subscription = store.subscribe({ fromPosition }).subscribe({
      next: (event) => {
        seen.push(event)
        if (seen.length < count) return
        resolve(seen)
        queueMicrotask(() => subscription.unsubscribe())
      },
      error: reject,
      complete: () => reject(new Error(`completed after ${seen.length} events`)),
    })
  })

export const subscriptions = ({ given }: Suite): void => {
  given(
    'a subscription catches up, then follows, without a gap or a duplicate at the seam',
    async (store) => {
      await store.append('a', facts(1500))
      const all = firstOf(store, 3000)
      for (let n = 0; n < 15; n += 1) await store.append(`b-${n % 3}`, facts(100))
      assert.deepEqual(positions(await all), upTo(3000))
    },
  )

  given('so does an async iterator, at its own pace', async (store) => {
    await store.append('a', facts(20))
    const seen: number[] = []
    for await (const event of store.follow()) {
      seen.push(event.position)
      if (event.position % 10 === 0 && event.position < 60) await store.append('b', facts(10))
      if (event.position === 70) break
    }
    assert.deepEqual(seen, upTo(70))
  })

  given("'now' skips what is there already", async (store) => {
    await store.append('a', facts(3))
    const live = firstOf(store, 2, 'now')
    const iterator = store.follow({ fromPosition: 'now' })[Symbol.asyncIterator]()
    await store.append('a', facts(2))
    assert.deepEqual(positions(await live), [4, 5])
    const next = await iterator.next()
    assert.equal(next.done === true ? undefined : next.value.position, 4)
    await iterator.return?.()
  })

  given('a subscription from a position gets what is after it', async (store) => {
    await store.append('a', facts(5))
    assert.deepEqual(positions(await firstOf(store, 2, 3)), [4, 5])
  })

  given('a position that the log has not reached is an error: its reader saw another log', async (store) => {
    await store.append('a', facts(5))
    await fails(firstOf(store, 1, 6), { code: 'ES_POSITION_AHEAD', position: 6 })
    await fails(async () => collect(store.follow({ fromPosition: 6 })), { code: 'ES_POSITION_AHEAD' })
  })

  given('a subscriber sees an event only once it can be read', async (store) => {
    const readable: Promise<unknown>[] = []
    const subscription = store.subscribe().subscribe((event) => {
      assert.ok(store.position() >= event.position)
      readable.push(
        store.head(event.stream_id).then((head) => assert.ok((head?.version ?? 0) >= event.version)),
      )
    })
    await Promise.all(upTo(20).map(() => store.append('a', facts(1))))
    subscription.unsubscribe()
    await Promise.all(readable)
    assert.equal(readable.length, 20)
  })

  given('an aborted follower ends, also while it waits', async (store) => {
    await store.append('a', facts(1))
    const controller = new AbortController()
    const seen: number[] = []
    for await (const event of store.follow({ signal: controller.signal })) {
      seen.push(event.position)
      setImmediate(() => controller.abort())
    }
    assert.deepEqual(seen, [1])
  })

  given('closing the store completes subscriptions and followers', async (store) => {
    await store.append('a', facts(1))
    const completed = new Promise<void>((resolve, reject) => {
      store.subscribe().subscribe({ complete: resolve, error: reject })
    })
    const followed = collect(store.follow())
    await store.append('a', facts(1))
    await store.close()
    await completed
    assert.ok((await followed).length <= 2)
  })
}

export const closing = ({ given }: Suite): void => {
  given(
    'an append that was taken before close is written or told otherwise, never forgotten',
    async (store) => {
      const appends = upTo(100).map((n) => store.append(`s-${n % 10}`, facts(1)))
      await store.close()
      const outcomes = await Promise.allSettled(appends)
      const codes = outcomes
        .filter((outcome) => outcome.status === 'rejected')
        .map((outcome) => Reflect.get(outcome.reason as object, 'code') as unknown)
      assert.deepEqual(
        Array.from(new Set(codes)).filter((code) => code !== 'ES_CLOSED' && code !== 'ES_NOT_WRITTEN'),
        [],
      )
    },
  )

  given('a closed store refuses everything but to be closed again', async (store) => {
    await store.close()
    await store.close()
    await fails(store.append('a', facts(1)), { code: 'ES_CLOSED' })
    await fails(async () => collect(store.readAll()), { code: 'ES_CLOSED' })
    await fails(async () => collect(store.readStream('a')), { code: 'ES_CLOSED' })
    await fails(store.head('a'), { code: 'ES_CLOSED' })
    await fails(async () => collect(store.entries('')), { code: 'ES_CLOSED' })
    await fails(store.verify(), { code: 'ES_CLOSED' })
  })
}

export const reopening = ({ test, target }: Suite): void => {
  const { reopen } = target
  if (reopen === undefined) return

  test('what was acknowledged is there after reopening, and the log goes on where it was', async () => {
    const store = await target.open()
    await store.append('a', facts(3))
    await store.appendBatch({ appends: [], entries: [{ key: 'k', value: [1] }] })
    const before = await collect(store.readAll())
    const again = await reopen(store)
    assert.equal(again.position(), 3)
    assert.deepEqual(await collect(again.readAll()), before)
    assert.deepEqual(await collect(again.entries('')), [{ key: 'k', value: [1] }])
    const { version, position } = await again.append('a', facts(1), { expectedVersion: 3 })
    assert.deepEqual([version, position], [4, 4])
    assert.deepEqual((await again.verify()).problems, [])
    await target.destroy(again)
  })
}

export const crashing = ({ test, target }: Suite): void => {
  const { crash } = target
  if (crash === undefined) return

  test('what was acknowledged survives, and what was under way is whole or absent', async () => {
    const store = await target.open()
    await store.append('a', facts(3), { commandId: 'c-1' })
    const before = await collect(store.readAll())
    const underWay = store.appendBatch({
      appends: [
        { stream_id: 'a', events: facts(2) },
        { stream_id: 'b', events: facts(2) },
      ],
      commandId: 'c-2',
    })
    underWay.catch(() => undefined)
    const again = await crash(store)
    const after = await collect(again.readAll())
    assert.deepEqual(after.slice(0, 3), before)
    assert.ok(after.length === 3 || after.length === 7)
    assert.deepEqual((await again.verify()).problems, [])
    const first = await again.append('a', facts(3), { commandId: 'c-1' })
    assert.equal(first.duplicate, true)
    const second = await again.appendBatch({
      appends: [
        { stream_id: 'a', events: facts(2) },
        { stream_id: 'b', events: facts(2) },
      ],
      commandId: 'c-2',
    })
    assert.equal(second.duplicate, after.length === 7)
    assert.equal(again.position(), 7)
    await target.destroy(again)
  })
}
