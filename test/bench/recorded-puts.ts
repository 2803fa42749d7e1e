/** What the store writes for a load, put by put, so that bare LevelDB can be given the same keys and values. */
import { FIRST_BATCH } from '../../eventstore/batch-auditor.ts'
import { EventLog } from '../../eventstore/event-log.ts'
import type { EventStore } from '../../eventstore/index.ts'
import type { KeyValue, Storage, StorageBatch, StorageSnapshot } from '../../eventstore/storage.ts'

export type Put = readonly [key: string, value: string]

/**
 * A log that remembers what it is made to write, and nothing else: the n-th load through it comes to the keys and values
 * that the n-th load of a store comes to, after as many events, so that LevelDB has as much to sort and compact.
 */
export class PutRecorder {
  readonly #storage = new ForgetfulStorage()
  readonly #store = new EventLog({
    storage: this.#storage,
    end: FIRST_BATCH,
    close: () => this.#storage.close(),
  })

  /** The puts that `load` makes the store write, in order; entries that it deletes are left out. */
  async record(load: (store: EventStore) => Promise<void>): Promise<Put[]> {
    await load(this.#store)
    return this.#storage.take()
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}

/** Takes writes and keeps none: what is appended to is known to the log's own cache of heads. */
class ForgetfulStorage implements Storage {
  #puts: Put[] = []

  take(): Put[] {
    const puts = this.#puts
    this.#puts = []
    return puts
  }

  batch(): StorageBatch {
    const puts: Put[] = []
    return {
      put: (key, value) => void puts.push([key, value]),
      del: () => {},
      write: async () => {
        for (const put of puts) this.#puts.push(put)
      },
      discard: () => {},
    }
  }

  getSync(): undefined {
    return undefined
  }

  async getMany(keys: readonly string[]): Promise<undefined[]> {
    return keys.map(() => undefined)
  }

  async range(): Promise<KeyValue[]> {
    return []
  }

  async *scan(): AsyncGenerator<readonly KeyValue[], void, undefined> {}

  async *scanValues(): AsyncGenerator<readonly string[], void, undefined> {}

  snapshot(): StorageSnapshot {
    throw new Error('what was forgotten cannot be read')
  }

  async close(): Promise<void> {}
}
