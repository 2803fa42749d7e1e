/** A log that seals: what it keeps, what it gives back, and what is left of a subject that was erased. */
import { createReadStream, createWriteStream } from 'node:fs'
import { cp, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import {
  archiveStreams,
  createMemoryEventStore,
  createMemoryKeyRing,
  ERASURES,
  exportLog,
  importLog,
  openLevelEventStore,
  openLevelSnapshots,
  openSealedStore,
  salvage,
  unopenedIn,
  type EventStore,
  type RecordedEvent,
  type SealedStore,
} from '../../../eventstore/index.ts'
import { collect, filesWith, inFolder, openSealing, payloads, subjectOf } from './project.ts'

const SECRET = 'the-patient-said-it-hurts'

const inMemory = async (): Promise<{ store: SealedStore; stored: EventStore }> => {
  const stored = createMemoryEventStore()
  return { store: await openSealedStore(stored, { keys: createMemoryKeyRing(), subjectOf }), stored }
}

const visits = async (store: EventStore): Promise<void> => {
  for (const person of ['anna', 'ben'])
    for (const nth of [1, 2, 3])
      await store.append(`${person}/visit`, [
        { event_type: 'noted', payload: { nth, note: `${SECRET} ${person}` } },
      ])
  await store.append('shop', [{ event_type: 'opened', payload: { note: 'nobody in particular' } }])
}

const erase = { by: 'clerk', reason: 'asked for in writing' }

describe('with sealing (X-10)', () => {
  test('the log has what is sealed, and a reader what was appended', async () => {
    const { store, stored } = await inMemory()
    await visits(store)
    expect(await payloads(store.readStream('anna/visit'))).toEqual(
      [1, 2, 3].map((nth) => ({ nth, note: `${SECRET} anna` })),
    )
    expect(await payloads(store.readStream('shop'))).toEqual([{ note: 'nobody in particular' }])
    const kept = await collect(stored.readAll())
    expect(JSON.stringify(kept)).not.toContain(SECRET)
    expect(kept.map(({ subject_id }) => subject_id)).toEqual([
      ...Array(3).fill('anna'),
      ...Array(3).fill('ben'),
      '',
    ])
    const [anna, ben] = [kept[0]?.key_id, kept[3]?.key_id]
    expect([anna, ben]).toEqual([expect.stringMatching(/^key_/), expect.stringMatching(/^key_/)])
    expect(anna).not.toBe(ben)
  })

  test('what an append gives back is what a read gives back, also for a command that is repeated', async () => {
    const { store } = await inMemory()
    const events = [{ event_type: 'noted', payload: { note: SECRET, at: Number.NaN } }]
    const first = await store.append('anna/visit', events, { commandId: 'c-1', outcome: true })
    expect(first.events).toEqual(await collect(store.readStream('anna/visit')))
    expect(first.events[0]).toMatchObject({
      payload: { note: SECRET, at: 'NaN' },
      normalized: ['payload.at'],
    })
    const again = await store.append('anna/visit', events, { commandId: 'c-1', outcome: true })
    expect(again).toMatchObject({ duplicate: true, events: first.events })
  })

  test('a subject can be named event by event, in a stream that is nobody’s', async () => {
    const { store, stored } = await inMemory()
    await store.append('orders', [
      { event_type: 'ordered', payload: 'tea', subject_id: 'anna' },
      { event_type: 'ordered', payload: 'coffee', subject_id: 'ben' },
      { event_type: 'counted', payload: 2 },
    ])
    expect(await payloads(store.readStream('orders'))).toEqual(['tea', 'coffee', 2])
    expect(JSON.stringify(await payloads(stored.readAll()))).not.toMatch(/tea|coffee/)
    await store.eraseSubject('anna', erase)
    const read = await collect(store.readStream('orders'))
    expect(read.map(unopenedIn)).toEqual(['erased', undefined, undefined])
    expect(read.map(({ payload }) => payload).slice(1)).toEqual(['coffee', 2])
  })

  test('entries beside the events are sealed with them, and open for their reader', async () => {
    const { store, stored } = await inMemory()
    await store.appendBatch({
      appends: [{ stream_id: 'anna/visit', events: [{ event_type: 'noted', payload: SECRET }] }],
      entries: [{ key: 'owed/reply', value: { to: SECRET } }],
    })
    await store.appendBatch({
      appends: [],
      entries: [{ key: 'due/x', value: { stream_id: 'anna/visit', what: SECRET } }],
    })
    expect(JSON.stringify(await collect(stored.entries('')))).not.toContain(SECRET)
    expect(await collect(store.entries(''))).toEqual([
      { key: 'due/x', value: { stream_id: 'anna/visit', what: SECRET } },
      { key: 'owed/reply', value: { to: SECRET } },
    ])
    await store.eraseSubject('anna', erase)
    expect(await collect(store.entries(''))).toEqual([])
    expect(
      (await collect(stored.entries(''))).map(({ key }) => key).filter((key) => !key.startsWith('sealing/')),
    ).toEqual([])
  })

  test('subscribers and followers get what was appended', async () => {
    const { store } = await inMemory()
    const seen: RecordedEvent[] = []
    const subscription = store.subscribe().subscribe((event) => seen.push(event))
    await visits(store)
    for await (const event of store.follow()) if (event.position === store.position()) break
    await expect.poll(() => seen.length).toBe(7)
    expect(seen).toEqual(await collect(store.readAll()))
    subscription.unsubscribe()
  })

  test('a sealed payload that is moved to another event is damage, even where all hashes hold', async () => {
    const { store, stored } = await inMemory()
    await visits(store)
    const [one, two] = await collect(stored.readStream('anna/visit'))
    await stored.append('anna/visit', [{ ...only(one), event_id: 'forged', payload: only(two).payload }])
    expect((await stored.verify()).ok).toBe(true)
    await expect(collect(store.readStream('anna/visit'))).rejects.toMatchObject({
      code: 'ES_CORRUPT',
      kind: 'sealed',
      stream_id: 'anna/visit',
      version: 4,
    })
  })

  test('a payload that looks sealed is refused', async () => {
    const { store } = await inMemory()
    const append = store.append('anna/visit', [{ event_type: 'noted', payload: { $sealed: 'erased' } }])
    await expect(append).rejects.toMatchObject({ code: 'ES_INVALID_EVENT', path: 'payload.$sealed' })
  })

  test('a stream whose first append was refused is nobody’s, and the next one that is written makes it somebody’s', async () => {
    await inFolder(async (folder) => {
      const { store } = await openSealing(folder)
      const refused = store.append('anna/visit', [{ event_type: 'noted', payload: 1 }], {
        expectedVersion: 'stream_exists',
      })
      await expect(refused).rejects.toMatchObject({ code: 'ES_VERSION_CONFLICT' })
      await store.append('anna/visit', [{ event_type: 'noted', payload: SECRET }])
      await store.close()
      const { store: again } = await openSealing(folder, { subjectOf: () => undefined })
      await again.append('anna/visit', [{ event_type: 'noted', payload: SECRET }])
      expect((await again.eraseSubject('anna', erase)).length).toBe(1)
      expect((await collect(again.readStream('anna/visit'))).map(unopenedIn)).toEqual(['erased', 'erased'])
      await again.close()
    })
  })
})

const only = (
  event: RecordedEvent | undefined,
): Omit<RecordedEvent, 'hash' | 'position' | 'stream_id' | 'version'> => {
  if (event === undefined) throw new Error('there is no such event')
  const { hash: _hash, position: _position, stream_id: _stream, version: _version, ...rest } = event
  return rest
}

describe('a subject that was erased (X-10, M-044)', () => {
  test('reads as erased, event by event, while all others read as before and the log verifies', async () => {
    const { store } = await inMemory()
    await visits(store)
    await store.eraseSubject('anna', erase)
    const read = await collect(store.readStream('anna/visit'))
    expect(read.map(({ payload }) => payload)).toEqual(
      read.map(({ key_id }) => ({ $sealed: 'erased', subject_id: 'anna', key_id })),
    )
    expect(read.map(unopenedIn)).toEqual(['erased', 'erased', 'erased'])
    expect(await payloads(store.readStream('ben/visit'))).toHaveLength(3)
    expect((await collect(store.readStream('ben/visit'))).map(unopenedIn)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
  })

  test('leaves a record of who did it, when, why and which key, and of nothing else', async () => {
    const { store } = await inMemory()
    await visits(store)
    const [before] = await collect(store.readStream('anna/visit'))
    const at = Date.parse('2026-03-01T10:00:00.000Z')
    const [recorded] = await store.eraseSubject('anna', { ...erase, at })
    expect(await collect(store.erasures())).toEqual([recorded])
    expect(recorded).toMatchObject({
      stream_id: ERASURES,
      event_type: 'subject.erased',
      timestamp: '2026-03-01T10:00:00.000Z',
      source_agent: 'clerk',
      payload: { subject_id: 'anna', key_id: before?.key_id, by: 'clerk', reason: 'asked for in writing' },
    })
    expect(Object.keys(recorded?.payload as object)).toEqual(['subject_id', 'key_id', 'by', 'reason'])
  })

  test('is erased once: a second call finds nothing, two at once are one', async () => {
    const { store } = await inMemory()
    await visits(store)
    const [one, two] = await Promise.all([
      store.eraseSubject('anna', erase),
      store.eraseSubject('anna', erase),
    ])
    expect(one).toEqual(two)
    expect(await store.eraseSubject('anna', erase)).toEqual([])
    expect(await store.eraseSubject('nobody', erase)).toEqual([])
    expect(await collect(store.erasures())).toHaveLength(1)
  })

  test('does not hold up what is written about it by others', async () => {
    const { store } = await inMemory()
    await visits(store)
    await store.eraseSubject('anna', erase)
    const entries = [{ key: 'outbox/anna', value: { stream_id: 'anna/visit' } }]
    await store.appendBatch({ appends: [{ stream_id: 'shop', events: [{ event_type: 'called' }] }], entries })
    expect(await collect(store.entries('outbox/'))).toEqual(entries)
  })

  test('takes no more in its streams, and gets another key where it comes back', async () => {
    const { store } = await inMemory()
    await visits(store)
    const [before] = await collect(store.readStream('anna/visit'))
    await store.eraseSubject('anna', erase)
    await expect(store.append('anna/visit', [{ event_type: 'noted', payload: 4 }])).rejects.toMatchObject({
      code: 'ES_SUBJECT_ERASED',
      stream_id: 'anna/visit',
    })
    await store.append('anna/second', [{ event_type: 'noted', payload: SECRET }])
    const [after] = await collect(store.readStream('anna/second'))
    expect(after?.payload).toBe(SECRET)
    expect(after?.key_id).not.toBe(before?.key_id)
  })
})

describe('on disk (X-10, O-102)', () => {
  test('no file of the folder has the plaintext, nor its exports and archives: written, compacted, closed, erased', async () => {
    await inFolder(async (folder) => {
      const { store } = await openSealing(folder)
      await visits(store)
      await store.append('anna/old', [{ event_type: 'noted', payload: { note: SECRET }, state: 'closed' }])
      await pipeline(
        Readable.from(exportLog(store, { entries: true })),
        createWriteStream(join(folder, 'export.ndjson')),
      )
      await archiveStreams(store, {
        folder: join(folder, 'archive'),
        isClosed: ({ state }) => state === 'closed',
      })
      expect(await readdir(join(folder, 'archive'))).toHaveLength(1)
      await store.compact()
      expect(await filesWith(folder, SECRET)).toEqual([])
      await store.close()
      // What is looked for is found where it is: the shop is nobody's.
      expect((await filesWith(folder, 'nobody in particular')).length).toBeGreaterThan(0)
      expect(await filesWith(folder, SECRET)).toEqual([])
      const again = await openSealing(folder)
      await again.store.eraseSubject('anna', erase)
      await again.store.compact()
      await again.store.close()
      expect(await filesWith(folder, SECRET)).toEqual([])
      expect(await readdir(join(folder, 'keys'))).toHaveLength(1)
    })
  })

  test('verify, export, import, archive and salvage need no key', async () => {
    await inFolder(async (folder) => {
      const { store, stored } = await openSealing(folder)
      await visits(store)
      await store.eraseSubject('ben', erase)
      const kept = await collect(stored.readAll())
      await store.close()
      const path = join(folder, 'log')
      const bare = await openLevelEventStore({ path })
      expect(await bare.verify()).toMatchObject({ ok: true })
      await pipeline(Readable.from(exportLog(bare)), createWriteStream(join(folder, 'export.ndjson')))
      await bare.close()
      const copy = await openLevelEventStore({ path: join(folder, 'copy', 'log') })
      const report = await importLog(copy, createReadStream(join(folder, 'export.ndjson')))
      expect(report.samePositions).toBe(true)
      expect(await collect(copy.readAll())).toEqual(kept)
      await copy.close()
      await salvage({ from: path, into: join(folder, 'salvaged', 'log') })
      for (const where of ['copy', 'salvaged']) {
        // With the keys the copy opens; what was erased is erased there as well.
        await cp(join(folder, 'keys'), join(folder, where, 'keys'), { recursive: true })
        const { store: opened } = await openSealing(join(folder, where))
        expect(await payloads(opened.readStream('anna/visit'))).toContainEqual({
          nth: 1,
          note: `${SECRET} anna`,
        })
        expect((await collect(opened.readStream('ben/visit'))).map(unopenedIn)).toContain('erased')
        // It belongs to her there as well.
        await opened.append('anna/visit', [{ event_type: 'noted', payload: SECRET }])
        await opened.eraseSubject('anna', erase)
        expect(new Set((await collect(opened.readStream('anna/visit'))).map(unopenedIn))).toEqual(
          new Set(['erased']),
        )
        await opened.close()
      }
    })
  })

  test('an import into an open log puts back what was exported, and knows whose it is', async () => {
    const { store } = await inMemory()
    await visits(store)
    await store.eraseSubject('ben', erase)
    const pieces: string[] = []
    for await (const piece of exportLog(store)) pieces.push(piece)
    const keys = createMemoryKeyRing()
    // Nothing here would be the shop's or anybody's: what comes in decides.
    const other = await openSealedStore(createMemoryEventStore(), { keys, subjectOf: () => 'everybody' })
    expect(await importLog(other, Readable.from(pieces))).toMatchObject({ samePositions: true })
    expect((await collect(other.readStream('ben/visit'))).map(unopenedIn)).toEqual(Array(3).fill('erased'))
    expect((await collect(other.readStream('anna/visit'))).map(unopenedIn)).toEqual(Array(3).fill('locked'))
    expect(other.subjectOf('anna/visit')).toBe('anna')
    expect(await payloads(other.readStream('shop'))).toEqual([{ note: 'nobody in particular' }])
    await expect(other.append('ben/visit', [{ event_type: 'noted' }])).rejects.toMatchObject({
      code: 'ES_SUBJECT_ERASED',
    })
    expect((await other.eraseSubject('anna', erase)).length).toBe(1)
  })

  test('without the folder of keys payloads are locked, not erased, and what is owed is not passed over', async () => {
    await inFolder(async (folder) => {
      const { store, stored } = await openSealing(folder)
      await store.appendBatch({
        appends: [{ stream_id: 'anna/visit', events: [{ event_type: 'noted', payload: SECRET }] }],
        entries: [{ key: 'owed/x', value: 1 }],
      })
      const without = await openSealedStore(stored, { keys: createMemoryKeyRing(), subjectOf })
      expect((await collect(without.readStream('anna/visit'))).map(unopenedIn)).toEqual(['locked'])
      await expect(collect(without.entries(''))).rejects.toMatchObject({ code: 'ES_KEY_MISSING' })
      await expect(without.append('anna/visit', [{ event_type: 'noted' }])).rejects.toMatchObject({
        code: 'ES_KEY_MISSING',
      })
      await store.close()
    })
  })

  test('a key that a backup brings back is destroyed when the log is opened', async () => {
    await inFolder(async (folder) => {
      const { store } = await openSealing(folder)
      await visits(store)
      await cp(join(folder, 'keys'), join(folder, 'backup'), { recursive: true })
      await store.eraseSubject('anna', erase)
      await store.close()
      await cp(join(folder, 'backup'), join(folder, 'keys'), { recursive: true })
      expect(await readdir(join(folder, 'keys'))).toHaveLength(2)
      const { store: again } = await openSealing(folder)
      expect(await readdir(join(folder, 'keys'))).toHaveLength(1)
      expect((await collect(again.readStream('anna/visit'))).map(unopenedIn)).toContain('erased')
      await again.close()
    })
  })

  test('snapshots beside the log are sealed as well, and are none for a subject that was erased', async () => {
    await inFolder(async (folder) => {
      const { store } = await openSealing(folder)
      await visits(store)
      const path = join(folder, 'snapshots')
      const snapshots = await openLevelSnapshots({ path, seal: store })
      const { hash = '' } = (await store.head('anna/visit')) ?? {}
      const snapshot = {
        stream_id: 'anna/visit',
        version: 3,
        hash,
        machine: 'visit@1',
        state: { note: SECRET },
      }
      await snapshots.save(snapshot)
      await snapshots.save({ ...snapshot, stream_id: 'shop', version: 1, state: 'nobody in particular' })
      expect(await snapshots.load(store, 'anna/visit', 'visit@1')).toEqual(snapshot)
      await store.eraseSubject('anna', erase)
      expect(await snapshots.load(store, 'anna/visit', 'visit@1')).toBeUndefined()
      await snapshots.save({ ...snapshot, version: 4 })
      expect(await snapshots.candidates('anna/visit', 'visit@1')).toEqual([])
      await snapshots.close()
      await store.close()
      expect(await filesWith(path, SECRET)).toEqual([])
      expect((await filesWith(path, 'nobody in particular')).length).toBeGreaterThan(0)
    })
  })

  test('an erasure whose record could not be written has erased nothing', async () => {
    await inFolder(async (folder) => {
      const { store, stored } = await openSealing(folder)
      await visits(store)
      const appendBatch = stored.appendBatch.bind(stored)
      stored.appendBatch = async () => Promise.reject(new Error('no room'))
      await expect(store.eraseSubject('anna', erase)).rejects.toThrow('no room')
      stored.appendBatch = appendBatch
      expect((await collect(store.readStream('anna/visit'))).map(unopenedIn)).toEqual(
        Array(3).fill(undefined),
      )
      expect(await store.eraseSubject('anna', erase)).toHaveLength(1)
      await store.close()
    })
  })
})

test.skipIf(process.platform === 'win32')('files of keys are for their owner alone (X-10)', async () => {
  await inFolder(async (folder) => {
    const { store } = await openSealing(folder)
    await visits(store)
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
    expect(await modeOf(join(folder, 'keys'))).toBe(0o700)
    for (const name of await readdir(join(folder, 'keys')))
      expect(await modeOf(join(folder, 'keys', name))).toBe(0o600)
    await store.close()
  })
})
