/** The store on disk: LevelDB behind the storage port, and the procedure that opens it. Alone imports `level`. */
import { open as openFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { Level } from 'level'
import { v7 } from 'uuid'
import { corruptError, damage, type Damage } from './damage.ts'
import { EventStoreError } from './errors.ts'
import type { EventStore } from './event-store.ts'
import { EventLog } from './event-log.ts'
import { checkFiles, type FileCheck } from './file-check.ts'
import { HighWater, readHighWater } from './high-water.ts'
import { FORMAT_KEY } from './keys.ts'
import { ignoreMissing, lockedError, openError, read, rethrow } from './level-errors.ts'
import { countUncleanEnds, readStoreOwner, removeStoreOwner, writeStoreOwner } from './owner.ts'
import { locateFileDamage } from './locate-file-damage.ts'
import { checkAtOpen } from './open-check.ts'
import { readDroppedBytes } from './recovery-report.ts'
import { seal, unseal, type FormatRecord } from './sealed.ts'
import type { KeyValue, ScanOptions, Storage, StorageBatch, StorageSnapshot, StorageView } from './storage.ts'
import { assertFormat, databasePath, FORMAT, inspectFolder, writeMarker } from './store-folder.ts'

export type LevelEventStoreOptions = {
  /** A folder of the store's own. */
  readonly path: string
  /** Whether a store may be created if there is none; default true. An existing one is never replaced. */
  readonly create?: boolean
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
}

type Database = ClassicLevel
type AbstractSnapshot = ReturnType<Database['snapshot']>

const PAGE = 1000
const READ_AHEAD_BYTES = 1024 * 1024
/** Larger than LevelDB's own 4 MB: steadier latency, at the price of a somewhat longer recovery. */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024

/**
 * Opens the store in a folder, which belongs to one process at a time.
 * @throws {EventStoreError} `ES_LOCKED`, `ES_NOT_FOUND`, `ES_DATABASE_MISSING`, `ES_FORMAT`,
 *   `ES_NOT_A_STORE`, `ES_CORRUPT`, `ES_OPEN_FAILED`.
 */
export const openLevelEventStore = async (options: LevelEventStoreOptions): Promise<EventStore> => {
  const { path, create = true, clock = Date.now, newId } = options
  const now = (): string => new Date(clock()).toISOString()
  const folder = await inspectFolder(path, create)
  const reached = await readHighWater(path)
  const uncleanEnds = await countUncleanEnds(path)
  if (folder.type === 'store') await checkUnopened(path, { reached, uncleanEnds })
  const storage = new LevelStorage(await openDatabase(path, folder.type === 'empty'))
  const opened: AsyncDisposable[] = [disposable(() => storage.close())]
  const closeAll = async (): Promise<void> => {
    for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
  }
  try {
    const format = await readFormat(storage, { path, isNew: folder.type === 'empty', now })
    if (folder.type === 'empty' || folder.marker === undefined) {
      await writeMarker(path, { format: format.format, id: format.id, created_at: format.created_at })
    }
    await writeStoreOwner(path, { startedAt: now(), uncleanEnds })
    opened.push(disposable(() => removeStoreOwner(path)))
    const end = await checkAtOpen(storage, { reached, dropped: await readDroppedBytes(path) })
    const highWater = await HighWater.open(path)
    opened.push(disposable(() => highWater.close()))
    return new EventLog({
      storage,
      end,
      clock,
      ...(newId === undefined ? {} : { newId }),
      onSynced: (synced) => highWater.note(synced),
      close: closeAll,
    })
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** A store that is open elsewhere changes while it is looked at; that it is locked is what matters then. */
const checkUnopened = async (path: string, check: Omit<FileCheck, 'folder'>): Promise<void> => {
  try {
    await checkFiles({ ...check, folder: databasePath(path) })
  } catch (error) {
    const { type } = await readStoreOwner(path)
    if (type !== 'live') throw error
    throw await lockedError(path, error)
  }
}

const disposable = (dispose: () => Promise<void>): AsyncDisposable => ({ [Symbol.asyncDispose]: dispose })

const openDatabase = async (path: string, createIfMissing: boolean): Promise<Database> => {
  // In Node, `level` is `classic-level`; its own types say no more than what browsers can do as well.
  const database = new Level(databasePath(path), {
    createIfMissing,
    writeBufferSize: WRITE_BUFFER_BYTES,
  }) as unknown as Database
  try {
    await database.open()
    return database
  } catch (error) {
    throw await openError(path, error)
  }
}

type FormatContext = { readonly path: string; readonly isNew: boolean; readonly now: () => string }

/** What the database says of itself; written now if it was just created, or its creation was cut off. */
const readFormat = async (
  storage: LevelStorage,
  { path, isNew, now }: FormatContext,
): Promise<FormatRecord> => {
  const stored = storage.getSync(FORMAT_KEY)
  if (stored !== undefined) {
    const format = unseal<FormatRecord>(FORMAT_KEY, stored)
    if (format.type === 'damaged')
      throw corruptError(damage('unreadable', `the format record: ${format.detail}`, {}))
    assertFormat(format.value.format)
    return format.value
  }
  if (!isNew && !(await storage.isEmpty())) {
    throw new EventStoreError('ES_NOT_A_STORE', {
      happened: `The database in ${databasePath(path)} was not made by this package, or lost its format record`,
      expected: 'Expected an event store or an empty folder',
      remedy: 'Give the store a folder of its own, or restore this one from a backup',
    })
  }
  const format: FormatRecord = { format: FORMAT, id: v7(), created_at: now() }
  const batch = storage.batch()
  batch.put(FORMAT_KEY, seal(FORMAT_KEY, format))
  await batch.write({ sync: true })
  return format
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

  /** Reads the next page while the reader works on this one. */
  async *scan({
    gte,
    lt,
    reverse = false,
  }: ScanOptions): AsyncGenerator<readonly KeyValue[], void, undefined> {
    const bounds = { gte, lt, reverse, highWaterMarkBytes: READ_AHEAD_BYTES, ...this.#at }
    const iterator = read(() => this.#db.iterator(bounds))
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

class LevelStorage extends LevelView implements Storage {
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
