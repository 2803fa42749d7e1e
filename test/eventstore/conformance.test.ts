/** Both stores, and the log over a storage with bad days, pass the suite that any store must pass. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { createMemoryEventStore, openLevelEventStore, type EventStore } from '../../eventstore/index.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import { checkAtOpen } from '../../eventstore/open-check.ts'
import { eventStoreConformance } from '../../src/testing/event-store-conformance.ts'
import { FaultyStorage } from './faulty-storage.ts'

eventStoreConformance(
  { describe, test },
  {
    name: 'memory',
    open: async () => createMemoryEventStore(),
    destroy: async (store) => store.close(),
  },
)

const folders = new Map<EventStore, string>()

const openIn = async (path: string): Promise<EventStore> => {
  const store = await openLevelEventStore({ path })
  folders.set(store, path)
  return store
}

const folderOf = (store: EventStore): string => folders.get(store) ?? ''

eventStoreConformance(
  { describe, test },
  {
    name: 'LevelDB',
    open: async () => openIn(join(await mkdtemp(join(tmpdir(), 'event-store-')), 'store')),
    reopen: async (store) => {
      await store.close()
      return openIn(folderOf(store))
    },
    destroy: async (store) => {
      await store.close()
      await rm(join(folderOf(store), '..'), { recursive: true, force: true })
    },
  },
)

const storages = new Map<EventStore, FaultyStorage>()

const openOver = async (storage: FaultyStorage): Promise<EventStore> => {
  const end = await checkAtOpen(storage, { reached: undefined, dropped: [] })
  const store = new EventLog({ storage, end, close: () => storage.close() })
  storages.set(store, storage)
  return store
}

const storageOf = (store: EventStore): FaultyStorage => storages.get(store) ?? new FaultyStorage()

eventStoreConformance(
  { describe, test },
  {
    name: 'a storage that keeps only what was synced',
    open: async () => openOver(new FaultyStorage()),
    reopen: async (store) => {
      await store.close()
      const storage = storageOf(store)
      return openOver(await storage.afterPowerCut(storage.unsynced))
    },
    crash: async (store) => openOver(await storageOf(store).afterPowerCut(0)),
    destroy: async (store) => store.close(),
  },
)
