/** What the store writes for a load, put by put, so that bare LevelDB can be given the same keys and values. */
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import type { EventStore } from '../../eventstore/index.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'
import type { StorageBatch } from '../../eventstore/storage.ts'

export type Put = readonly [key: string, value: string]

/** The batches that `load` makes the store write; entries that it deletes are left out. */
export async function recordPuts(load: (store: EventStore) => Promise<void>): Promise<Put[][]> {
  const batches: Put[][] = []
  const storage = new RecordingStorage(batches)
  const store = new EventLog({ storage, end: FIRST_BATCH, close: () => storage.close() })
  await load(store)
  await store.close()
  return batches
}

class RecordingStorage extends MemoryStorage {
  readonly #batches: Put[][]

  constructor(batches: Put[][]) {
    super()
    this.#batches = batches
  }

  override batch(): StorageBatch {
    const batch = super.batch()
    const puts: Put[] = []
    return {
      put: (key, value) => {
        puts.push([key, value])
        batch.put(key, value)
      },
      del: (key) => batch.del(key),
      write: async (options) => {
        this.#batches.push(puts)
        await batch.write(options)
      },
      discard: () => batch.discard(),
    }
  }
}
