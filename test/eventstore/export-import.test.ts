/** A log goes out as lines of JSON and comes back as the same log, verified on the way. */
import { Readable } from 'node:stream'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createMemoryEventStore,
  exportLog,
  fromCloudEvent,
  importLog,
  toCloudEvent,
  type EventStore,
  type ExportProgress,
  type RecordedEvent,
} from '../../eventstore/index.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const filled = async (size = 1200): Promise<EventStore> => {
  const store = createMemoryEventStore()
  for (let n = 0; n < size / 3; n += 1) {
    await store.appendBatch({
      appends: [
        {
          stream_id: `stream-${n % 5}`,
          events: [{ event_type: 'counted', payload: { n, text: 'é\u{1F600}\n"' } }],
        },
        {
          stream_id: 'audit',
          events: [{ event_type: 'seen' }, { event_type: 'checked', payload: [n, -0, 1e21] }],
        },
      ],
      entries: [{ key: `owed/${n % 3}`, value: { n } }],
    })
  }
  return store
}

const textOf = async (pieces: AsyncIterable<string>): Promise<string> => (await collect(pieces)).join('')

/** The text in pieces that end anywhere. */
const inPieces = (text: string, size = 1000): AsyncIterable<Uint8Array> => {
  const bytes = Buffer.from(text)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return Readable.from(pieces)
}

const lines = (text: string): string[] => text.trimEnd().split('\n')

describe('export and import', () => {
  test('into an empty store keep every event as it was, hash and position included', async () => {
    const store = await filled()
    const text = await textOf(exportLog(store, { entries: true }))
    const copy = createMemoryEventStore()
    const report = await importLog(copy, inPieces(text, 997))
    expect(report).toEqual({ lines: 1205, imported: 1200, skipped: 0, entries: 3, samePositions: true })
    expect(await collect(copy.readAll())).toEqual(await collect(store.readAll()))
    expect(await collect(copy.entries(''))).toEqual(await collect(store.entries('')))
    expect(await copy.verify()).toMatchObject({ ok: true })
  })

  test('report progress while they run', async () => {
    const store = await filled()
    const progress: ExportProgress[] = []
    const text = await textOf(exportLog(store, { onProgress: (step) => progress.push(step) }))
    expect(progress.length).toBeGreaterThan(1)
    expect(progress.at(-1)).toEqual({ events: 1200, position: 1200, until: 1200 })
    const imported: number[] = []
    await importLog(createMemoryEventStore(), inPieces(text), {
      onProgress: (step) => imported.push(step.imported),
    })
    expect(imported).toEqual([500, 1000, 1200])
  })

  test('go on after an interruption', async () => {
    const store = await filled()
    const text = await textOf(exportLog(store))
    const copy = createMemoryEventStore()
    const cut = lines(text).slice(0, 800).join('\n')
    await expect(importLog(copy, inPieces(cut))).rejects.toMatchObject({
      code: 'ES_IMPORT_REFUSED',
      path: 'line 801',
    })
    expect(copy.position()).toBe(500)
    expect(await importLog(copy, inPieces(text))).toMatchObject({
      imported: 700,
      skipped: 500,
      samePositions: true,
    })
    expect(await collect(copy.readAll())).toEqual(await collect(store.readAll()))
  })

  test('can be done in parts', async () => {
    const store = await filled(600)
    const first = await textOf(exportLog(store))
    await store.append('stream-1', [{ event_type: 'late' }])
    const second = await textOf(exportLog(store, { fromPosition: 600 }))
    const copy = createMemoryEventStore()
    await importLog(copy, inPieces(first))
    await importLog(copy, inPieces(second))
    expect(await collect(copy.readAll())).toEqual(await collect(store.readAll()))
    const empty = createMemoryEventStore()
    await expect(importLog(empty, inPieces(second))).rejects.toMatchObject({ code: 'ES_IMPORT_REFUSED' })
  })

  test('into a store with other streams give new positions and remember the old', async () => {
    const store = await filled(30)
    const other = createMemoryEventStore()
    await other.append('mine', [{ event_type: 'here' }, { event_type: 'first' }])
    const report = await importLog(other, inPieces(await textOf(exportLog(store))))
    expect(report).toMatchObject({ imported: 30, samePositions: false })
    expect(await collect(other.entries('imported/'))).toEqual([
      { key: 'imported/0000000000000003', value: [[3, 1, 30]] },
    ])
    const content = ({ position: _position, hash: _hash, ...event }: RecordedEvent) => event
    expect((await collect(other.readAll({ fromPosition: 2 }))).map(content)).toEqual(
      (await collect(store.readAll())).map(content),
    )
    expect(await other.verify()).toMatchObject({ ok: true })
  })

  test('refuse a stream that exists with other events', async () => {
    const store = await filled(30)
    const other = createMemoryEventStore()
    await other.append('audit', [{ event_type: 'mine' }])
    await expect(importLog(other, inPieces(await textOf(exportLog(store))))).rejects.toMatchObject({
      code: 'ES_STREAM_EXISTS',
      stream_id: 'audit',
    })
  })

  test('take some streams only', async () => {
    const store = await filled(300)
    const text = await textOf(exportLog(store, { streams: ['stream-1', 'stream-2'] }))
    const copy = createMemoryEventStore()
    await importLog(copy, inPieces(text))
    expect((await collect(copy.heads())).map((head) => head.stream_id)).toEqual(['stream-1', 'stream-2'])
    expect(await copy.verify()).toMatchObject({ ok: true })
  })

  test('refuse lines that were changed, dropped, swapped or added', async () => {
    const text = lines(await textOf(exportLog(await filled(60))))
    await fc.assert(
      fc.asyncProperty(fc.nat(59), fc.constantFrom('change', 'drop', 'swap', 'repeat'), async (at, how) => {
        const changed = text.slice()
        const line = changed[at + 1] ?? ''
        if (how === 'change') changed[at + 1] = line.replace(/"event_type":"(.)/, '"event_type":"X')
        if (how === 'drop') changed.splice(at + 1, 1)
        if (how === 'repeat') changed.splice(at + 1, 0, line)
        if (how === 'swap') [changed[at + 1], changed[at + 2]] = [changed[at + 2] ?? '', line]
        await expect(importLog(createMemoryEventStore(), inPieces(changed.join('\n')))).rejects.toMatchObject(
          {
            code: 'ES_IMPORT_REFUSED',
          },
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('CloudEvents', () => {
  test('carry everything but version, position and hash there and back', async () => {
    const store = createMemoryEventStore()
    const { events } = await store.append('order-1', [
      {
        event_type: 'order.paid',
        payload: { amount: 3 },
        source_agent: 'cashier',
        correlation_id: 'c',
        causation_id: 'e',
        machine: 'order@1',
        state: { paid: 'fully' },
        schema_version: 2,
        subject_id: 's',
        key_id: 'k',
      },
      { event_type: 'order.shipped' },
    ])
    for (const recorded of events) {
      const cloud = toCloudEvent(recorded, { source: 'https://example.com/log' })
      expect(cloud).toMatchObject({
        specversion: '1.0',
        id: recorded.event_id,
        source: 'https://example.com/log',
        type: recorded.event_type,
        subject: 'order-1',
        time: recorded.timestamp,
      })
      for (const name of Object.keys(cloud)) expect(name).toMatch(/^[a-z0-9]{1,20}$/)
      const { stream_id, event } = fromCloudEvent(JSON.parse(JSON.stringify(cloud)))
      const { version: _v, position: _p, hash: _h, stream_id: stream, ...rest } = recorded
      expect(stream_id).toBe(stream)
      expect(event).toEqual(rest)
    }
  })

  test('of others are accepted with what they have', () => {
    expect(
      fromCloudEvent({
        specversion: '1.0',
        id: '1',
        source: '/orders',
        type: 'com.example.paid',
        subject: 'order-1',
        time: '2026-01-01T10:00:00+02:00',
      }),
    ).toMatchObject({ stream_id: 'order-1', event: { timestamp: '2026-01-01T08:00:00.000Z', payload: null } })
  })

  test('without a subject, or that are none, are refused with the path', () => {
    const refusal = (value: unknown): unknown => {
      try {
        return fromCloudEvent(value)
      } catch (error) {
        return error
      }
    }
    expect(refusal({ specversion: '1.0', id: '1', source: '/', type: 't' })).toMatchObject({
      code: 'ES_INVALID_EVENT',
      path: 'subject',
    })
    expect(
      refusal({ specversion: '1.0', id: '1', source: '/', type: 't', subject: 's', machinestate: '{' }),
    ).toMatchObject({
      code: 'ES_INVALID_EVENT',
      path: 'machinestate',
    })
  })
})
