/** The store on disk: LevelDB behind the storage port. No other file imports `level`. */
import { open as openFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { Level } from 'level'
import type { Damage } from './damage.ts'
import type { DamagePolicy } from './damage-guard.ts'
import { openDerivedFolder } from './derived-folder.ts'
import { EventIndexes } from './event-indexes.ts'
import type { EventStore } from './event-store.ts'
import { everything, type KeyRange } from './keys.ts'
import { ignoreMissing, read, rethrow } from './level-errors.ts'
import { locateFileDamage } from './locate-file-damage.ts'
import type { FolderStorage, OpenFolderOptions } from './folder-options.ts'
import { openFolder } from './open-folder.ts'
import { salvageFolder, type SalvageOptions, type SalvageReport } from './salvage.ts'
import { Snapshots, type SnapshotOptions } from './snapshots.ts'
import type { KeyValue, ScanOptions, StorageBatch, StorageSnapshot, StorageView } from './storage.ts'

export type LevelEventStoreOptions = {
  /** A folder of the store's own. */
  readonly path: string
  /** Whether a store may be created if there is none; default true. An existing one is never replaced. */
  readonly create?: boolean
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
  /** When `whenFull` of an append applies: events that wait to be written; default 10,000. */
  readonly maxPendingEvents?: number
  /** What to do about damage; default `'fail-stop'`. */
  readonly onDamage?: DamagePolicy
}

type Database = ClassicLevel
type AbstractSnapshot = ReturnType<Database['snapshot']>

const PAGE = 1000
const READ_AHEAD_BYTES = 1024 * 1024
/** Larger than LevelDB's own 4 MB: half of its compaction, at the price of a longer recovery after a crash. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * Opens the store in a folder, which belongs to one process at a time.
 * @throws {EventStoreError} `ES_LOCKED`, `ES_NOT_FOUND`, `ES_DATABASE_MISSING`, `ES_FORMAT`,
 *   `ES_NOT_A_STORE`, `ES_CORRUPT`, `ES_DISK_FULL`, `ES_OPEN_FAILED`.
 */
export const openLevelEventStore = async (options: LevelEventStoreOptions): Promise<EventStore> => {
  const { path, create = true, clock = Date.now, newId, maxPendingEvents, onDamage = 'fail-stop' } = options
  const log = {
    clock,
    onDamage,
    ...(newId === undefined ? {} : { newId }),
    ...(maxPendingEvents === undefined ? {} : { maxPendingEvents }),
  }
  return openFolder({ path, create, log, openStorage })
}

/**
 * Copies what verifies out of a damaged store into a new folder, and names what is lost.
 * @throws {EventStoreError} `ES_LOCKED`, `ES_STREAM_EXISTS`, and what opening the new store throws.
 */
export const salvage = async (options: SalvageOptions): Promise<SalvageReport> =>
  salvageFolder(options, {
    openStore: (path) => openLevelEventStore({ path }),
    openScratch: async (folder) => openStorage({ folder, create: true }),
  })

/**
 * Opens indexes of a store in a folder of their own; they are built, or go on, in the background.
 * @throws {EventStoreError} `ES_LOCKED`.
 */
export const openLevelIndexes = async (options: {
  readonly store: EventStore
  readonly path: string
}): Promise<EventIndexes> => {
  const storage = await openDerivedFolder(options.path, openStorage)
  return new EventIndexes({ store: options.store, storage, close: () => storage.close() })
}

/**
 * Opens snapshots in a folder of their own.
 * @throws {EventStoreError} `ES_LOCKED`, `ES_INVALID_OPTION`.
 */
export const openLevelSnapshots = async (
  options: SnapshotOptions & { readonly path: string },
): Promise<Snapshots> => {
  const storage = await openDerivedFolder(options.path, openStorage)
  return new Snapshots(storage, { ...options, close: () => storage.close() })
}

/** Opens LevelDB; its trouble comes out as it is. */
const openStorage: OpenFolderOptions['openStorage'] = async ({ folder, create }) => {
  // In Node, `level` is `classic-level`; its own types say no more than what browsers can do as well.
  const database = new Level(folder, {
    createIfMissing: create,
    writeBufferSize: WRITE_BUFFER_BYTES,
  }) as unknown as Database
  await database.open()
  return new LevelStorage(database)
}

/** Reads of the database, or of a snapshot of it. */
class LevelView implements StorageView {
  readonly #db: Database
  readonly #at: { readonly snapshot?: AbstractSnapshot }

  constructor(db: Database, snapshot?: AbstractSnapshot) {
    this.#db = db
    this.#at = snapshot === undefined ? {} : { snapshot }
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.#db.getMany([...keys], this.#at).catch(rethrow)
  }

  async range({ gte, lt, reverse = false, limit = -1 }: ScanOptions): Promise<KeyValue[]> {
    const bounds = { gte, lt, reverse, limit, highWaterMarkBytes: READ_AHEAD_BYTES, ...this.#at }
    return read(() => this.#db.iterator(bounds))
      .all()
      .catch(rethrow)
  }

  scan({ gte, lt, reverse = false }: ScanOptions): AsyncIterable<readonly KeyValue[]> {
    const bounds = { gte, lt, reverse, highWaterMarkBytes: READ_AHEAD_BYTES, ...this.#at }
    return pagesOf(() => this.#db.iterator(bounds))
  }

  scanValues({ gte, lt }: KeyRange): AsyncIterable<readonly string[]> {
    const bounds = { gte, lt, highWaterMarkBytes: READ_AHEAD_BYTES, ...this.#at }
    return pagesOf(() => this.#db.values(bounds))
  }
}

type Pageable<T> = { nextv(size: number): Promise<T[]>; close(): Promise<void> }

/** Reads the next page while the reader works on this one. */
async function* pagesOf<T>(open: () => Pageable<T>): AsyncGenerator<readonly T[], void, undefined> {
  const iterator = read(open)
  let next = iterator.nextv(PAGE)
  try {
    for (;;) {
      const page = await next.catch(rethrow)
      if (page.length === 0) return
      next = iterator.nextv(PAGE)
      yield page
    }
  } finally {
    await next.catch(() => [])
    await iterator.close()
  }
}

class LevelSnapshot extends LevelView implements StorageSnapshot {
  readonly #snapshot: AbstractSnapshot

  constructor(db: Database) {
    const snapshot = read(() => db.snapshot())
    super(db, snapshot)
    this.#snapshot = snapshot
  }

  async close(): Promise<void> {
    await this.#snapshot.close()
  }
}

class LevelStorage extends LevelView implements FolderStorage {
  readonly #db: Database
  /** Whether something was written that no sync has covered yet. */
  #unsynced = false

  constructor(db: Database) {
    super(db)
    this.#db = db
  }

  batch(): StorageBatch {
    const chained = this.#db.batch()
    return {
      put: (key, value) => void chained.put(key, value),
      del: (key) => void chained.del(key),
      write: async ({ sync }) => {
        if (sync && this.#unsynced) await this.#syncLogs()
        await chained.write({ sync })
        this.#unsynced = !sync
      },
      discard: () => void chained.close(),
    }
  }

  getSync(key: string): string | undefined {
    return read(() => this.#db.getSync(key))
  }

  snapshot(): StorageSnapshot {
    return new LevelSnapshot(this.#db)
  }

  async compact(): Promise<void> {
    await this.#db.compactRange(everything.gte, everything.lt)
  }

  async locateDamage(options: { last: number; signal?: AbortSignal | undefined }): Promise<Damage[]> {
    return locateFileDamage(this.#db.location, options)
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#db.keys({ limit: 1 }).all()).length === 0
  }

  async close(): Promise<void> {
    await this.#db.close()
  }

  /**
   * A sync covers LevelDB's current log file only. When that file was full in between, the one before it
   * was closed without a sync: after a power cut an older write could be gone and this newer one there.
   */
  async #syncLogs(): Promise<void> {
    const folder = this.#db.location
    const files = await readdir(folder)
    for (const file of files.filter((name) => name.endsWith('.log'))) {
      const handle = await openFile(join(folder, file), 'r+').catch(ignoreMissing)
      if (handle === undefined) continue
      try {
        await handle.datasync()
      } finally {
        await handle.close()
      }
    }
  }
}
