/** Both stores pass the suite that any store must pass. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { createMemoryEventStore, openLevelEventStore, type EventStore } from '../../eventstore/index.ts'
import { eventStoreConformance } from '../../src/testing/event-store-conformance.ts'

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
