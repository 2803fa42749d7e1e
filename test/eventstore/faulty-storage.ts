/**
 * A storage that behaves as LevelDB does on a bad day: it fails or dies at a chosen write, fails at a chosen read,
 * loses what no sync has covered, keeps it in another order, or keeps a part of the write it died in.
 *
 * Owns what survives a power cut and what only the running process sees. Never lets two writes overlap:
 * LevelDB would apply them in either order, so a log that tries has lost already.
 */
import type { KeyRange } from '../../eventstore/keys.ts'
import type {
  KeyValue,
  ScanOptions,
  Storage,
  StorageBatch,
  StorageSnapshot,
} from '../../eventstore/storage.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'

export type Fault =
  /** The write is refused, and nothing of it is kept. */
  | 'refused'
  /** The write is kept, but says that it failed. */
  | 'kept but failed'
  /** The process dies before the write. */
  | 'dies before'
  /** The process dies after the write, before anybody is told. */
  | 'dies after'

export type FaultPlan = {
  /** Which write, counted from 1; 0 for none. */
  readonly write: number
  readonly fault: Fault
  /** Which read fails, counted from 1; none if left out. */
  readonly read?: number
}

type Operation = readonly [key: string, value: string | undefined]

export class FaultyStorage implements Storage {
  #plan: FaultPlan
  readonly #seen = new MemoryStorage()
  /** Batches in the order in which they were written; `synced` counts those that a sync has covered. */
  readonly #written: Operation[][] = []
  /** The batch that the process died in. */
  #dying: Operation[] = []
  #synced = 0
  #inFlight = false
  #dead = false
  writes = 0
  reads = 0

  constructor(plan: FaultPlan = { write: 0, fault: 'refused' }) {
    this.#plan = plan
  }

  get isDead(): boolean {
    return this.#dead
  }

  /** How many batches a power cut may or may not keep. */
  get unsynced(): number {
    return this.#written.length - this.#synced
  }

  /** How many puts and deletions the batch has that the process died in. */
  get dying(): number {
    return this.#dying.length
  }

  /** What is on disk after a power cut that kept this many of the unsynced batches, the oldest first. */
  async afterPowerCut(kept: number, plan?: FaultPlan): Promise<FaultyStorage> {
    return onDisk(this.#written.slice(0, this.#synced + kept), plan)
  }

  /** What is on disk after a power cut that kept some unsynced batches, by their place among them, and lost others. */
  async afterReordering(kept: ReadonlySet<number>): Promise<FaultyStorage> {
    return onDisk(this.#written.filter((_, index) => index < this.#synced || kept.has(index - this.#synced)))
  }

  /** What is on disk after a power cut that kept the first so many operations of the batch that was being written. */
  async afterTear(operations: number): Promise<FaultyStorage> {
    return onDisk([...this.#written, this.#dying.slice(0, operations)])
  }

  batch(): StorageBatch {
    const operations: Operation[] = []
    return {
      put: (key, value) => void operations.push([key, value]),
      del: (key) => void operations.push([key, undefined]),
      write: async ({ sync }) => {
        if (this.#inFlight) throw new Error('two writes are in flight')
        this.#inFlight = true
        // A write takes a while: what the log does meanwhile is what is to be tested.
        await new Promise((resolve) => setImmediate(resolve))
        await this.#write(operations, sync)
        this.#inFlight = false
      },
      discard: () => void (operations.length = 0),
    }
  }

  async #write(operations: Operation[], sync: boolean): Promise<void> {
    this.writes += 1
    const fault = this.writes > 0 && this.writes === this.#plan.write ? this.#plan.fault : undefined
    if (fault === 'dies before') this.#dying = operations
    if (fault !== 'refused' && fault !== 'dies before') {
      this.#written.push(operations)
      const batch = this.#seen.batch()
      for (const [key, value] of operations) {
        if (value === undefined) batch.del(key)
        else batch.put(key, value)
      }
      await batch.write({ sync })
      if (sync && fault === undefined) this.#synced = this.#written.length
    }
    if (fault === undefined) return
    this.#inFlight = false
    if (fault === 'dies before' || fault === 'dies after') {
      this.#dead = true
      // A dead process is told nothing.
      await new Promise(() => {})
    }
    throw new Error('No space left on device')
  }

  getSync(key: string): string | undefined {
    this.#read()
    return this.#seen.getSync(key)
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    this.#read()
    return this.#seen.getMany(keys)
  }

  async range(options: ScanOptions): Promise<KeyValue[]> {
    this.#read()
    return this.#seen.range(options)
  }

  async *scan(options: ScanOptions): AsyncGenerator<readonly KeyValue[], void, undefined> {
    for await (const page of this.#seen.scan(options)) {
      this.#read()
      yield page
    }
  }

  async *scanValues(options: KeyRange): AsyncGenerator<readonly string[], void, undefined> {
    for await (const page of this.#seen.scanValues(options)) {
      this.#read()
      yield page
    }
  }

  snapshot(): StorageSnapshot {
    this.#read()
    return this.#seen.snapshot()
  }

  async close(): Promise<void> {}

  #read(): void {
    this.reads += 1
    if (this.reads === this.#plan.read) throw new Error('Input/output error')
  }
}

const onDisk = async (
  batches: readonly (readonly Operation[])[],
  plan?: FaultPlan,
): Promise<FaultyStorage> => {
  const disk = new FaultyStorage(plan)
  // The plan counts from here: what is put back is not written anew.
  disk.writes = -batches.length
  for (const operations of batches) {
    const batch = disk.batch()
    for (const [key, value] of operations) {
      if (value === undefined) batch.del(key)
      else batch.put(key, value)
    }
    await batch.write({ sync: true })
  }
  return disk
}
