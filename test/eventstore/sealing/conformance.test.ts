/** A store that seals passes the suite that any store must pass: with nothing to seal, and with everything sealed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { map } from 'rxjs'
import { describe, test } from 'vitest'
import {
  createMemoryEventStore,
  createMemoryKeyRing,
  openFileKeyRing,
  openLevelEventStore,
  openSealedStore,
  type AppendOptions,
  type AtomicBatch,
  type EventStore,
  type KeyRing,
  type NewEvent,
  type RecordedEvent,
} from '../../../eventstore/index.ts'
import { eventStoreConformance } from '../../../src/testing/event-store-conformance.ts'

eventStoreConformance(
  { describe, test },
  {
    name: 'sealing with nothing to seal (X-10)',
    open: async () => openSealedStore(createMemoryEventStore(), { keys: createMemoryKeyRing() }),
    destroy: async (store) => store.close(),
  },
)

/** What only the sealing adds to an event; the suite knows of no subject. */
const withoutOwner = (event: RecordedEvent): RecordedEvent =>
  event.subject_id === 'everybody' ? { ...event, subject_id: '', key_id: '' } : event

async function* eachWithoutOwner(events: AsyncIterable<RecordedEvent>): AsyncGenerator<RecordedEvent> {
  for await (const event of events) yield withoutOwner(event)
}

const hidden = (store: EventStore): EventStore =>
  new Proxy(store, {
    get(target, name) {
      switch (name) {
        case 'append':
          return async (id: string, events: readonly NewEvent[], options?: AppendOptions) => {
            const result = await target.append(id, events, options)
            return { ...result, events: result.events.map(withoutOwner) }
          }
        case 'appendBatch':
          return async (batch: AtomicBatch) => {
            const result = await target.appendBatch(batch)
            return { ...result, events: result.events.map(withoutOwner) }
          }
        case 'readStream':
          return (...args: Parameters<EventStore['readStream']>) =>
            eachWithoutOwner(target.readStream(...args))
        case 'readAll':
          return (...args: Parameters<EventStore['readAll']>) => eachWithoutOwner(target.readAll(...args))
        case 'follow':
          return (...args: Parameters<EventStore['follow']>) => eachWithoutOwner(target.follow(...args))
        case 'subscribe':
          return (...args: Parameters<EventStore['subscribe']>) =>
            target.subscribe(...args).pipe(map(withoutOwner))
        default: {
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        }
      }
    },
  })

const folders = new Map<EventStore, string>()

const openSealing = async (folder: string): Promise<EventStore> => {
  const keys: KeyRing = await openFileKeyRing(join(folder, 'keys'))
  const stored = await openLevelEventStore({ path: join(folder, 'log') })
  const store = hidden(
    await openSealedStore(stored, { keys, subjectOf: () => 'everybody', aboutOf: () => ['anything'] }),
  )
  folders.set(store, folder)
  return store
}

const folderOf = (store: EventStore): string => folders.get(store) ?? ''

eventStoreConformance(
  { describe, test },
  {
    name: 'sealing everything, on disk (X-10)',
    open: async () => openSealing(await mkdtemp(join(tmpdir(), 'sealed-store-'))),
    reopen: async (store) => {
      await store.close()
      return openSealing(folderOf(store))
    },
    destroy: async (store) => {
      await store.close()
      await rm(folderOf(store), { recursive: true, force: true })
    },
  },
)
