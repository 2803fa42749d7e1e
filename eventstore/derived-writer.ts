/**
 * Writes what is derived from the log: one batch after another, without waiting for the disk.
 *
 * I1  At most one write is in flight, in the order in which they were asked for.
 */
import type { Storage, StorageBatch } from './storage.ts'

export class DerivedWriter {
  readonly #storage: Storage
  #last: Promise<void> = Promise.resolve()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Writes what `fill` puts into a batch, after all before it; a power cut may lose it. */
  async write(fill: (batch: StorageBatch) => void | Promise<void>): Promise<void> {
    const write = this.#last.then(async () => {
      const batch = this.#storage.batch()
      await fill(batch)
      await batch.write({ sync: false })
    })
    this.#last = write.catch(() => undefined)
    await write
  }

  async close(): Promise<void> {
    await this.#last
  }
}
