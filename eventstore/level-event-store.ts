/** The store on disk: LevelDB behind the storage port, and the procedure that opens it. Alone imports `level`. */
import { open as openFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { Level } from 'level'
import { v7 } from 'uuid'
import { corruptError, damage } from './damage.ts'
import { EventStoreError } from './errors.ts'
import type { EventStore } from './event-store.ts'
import { EventLog } from './event-log.ts'
import { closedError } from './group-commit.ts'
import { FORMAT_KEY } from './keys.ts'
import { readStoreOwner, removeStoreOwner, writeStoreOwner } from './owner.ts'
import { seal, unseal, type FormatRecord } from './sealed.ts'
import type { KeyValue, ScanOptions, Storage, StorageBatch } from './storage.ts'
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

const PAGE = 1000
const READ_AHEAD_BYTES = 1024 * 1024
/** Larger than LevelDB's own 4 MB: steadier latency, at the price of a somewhat longer recovery. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * Opens the store in a folder, which belongs to one process at a time.
 * @throws {EventStoreError} `ES_LOCKED`, `ES_NOT_FOUND`, `ES_DATABASE_MISSING`, `ES_FORMAT`,
 *   `ES_NOT_A_STORE`, `ES_CORRUPT`, `ES_OPEN_FAILED`.
 */
export const openLevelEventStore = async (options: LevelEventStoreOptions): Promise<EventStore> => {
  const { path, create = true, clock = Date.now, newId = v7 } = options
  const folder = await inspectFolder(path, create)
  const database = await openDatabase(path, folder.type === 'empty')
  const storage = new LevelStorage(database)
  try {
    const now = (): string => new Date(clock()).toISOString()
    const format = await readFormat(storage, { path, isNew: folder.type === 'empty', now })
    if (folder.type === 'empty' || folder.marker === undefined) {
      await writeMarker(path, { format: format.format, id: format.id, created_at: format.created_at })
    }
    await writeStoreOwner(path, { startedAt: now() })
    return await EventLog.open({ storage, clock, newId, onClosed: () => removeStoreOwner(path) })
  } catch (error) {
    await storage.close()
    await removeStoreOwner(path)
    throw error
  }
}

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

class LevelStorage implements Storage {
  readonly #db: Database
  /** Whether something was written that no sync has covered yet. */
  #unsynced = false

  constructor(db: Database) {
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

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.#db.getMany([...keys]).catch(rethrow)
  }

  async range({
    gte,
    lt,
    reverse = false,
    limit = Number.POSITIVE_INFINITY,
  }: ScanOptions): Promise<KeyValue[]> {
    const bounds = { gte, lt, reverse, limit, highWaterMarkBytes: READ_AHEAD_BYTES }
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
    const iterator = read(() => this.#db.iterator({ gte, lt, reverse, highWaterMarkBytes: READ_AHEAD_BYTES }))
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

/** A log file that is gone since we looked was turned into a synced table. */
const ignoreMissing = (error: unknown): undefined => {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}

const read = <T>(what: () => T): T => {
  try {
    return what()
  } catch (error) {
    return rethrow(error)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** LevelDB's trouble with a read, in our terms. */
const rethrow = (error: unknown): never => {
  switch (codeOf(error)) {
    case 'LEVEL_CORRUPTION':
      throw corruptError(damage('unreadable', `LevelDB says: ${messageOf(error)}`, {}))
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
      throw closedError()
    default:
      throw new EventStoreError('ES_READ_FAILED', {
        happened: `A read failed (${messageOf(error)})`,
        expected: 'Expected the disk to give back what was written',
        remedy: 'Check the disk and the folder, then open the store again and run verify()',
        cause: error,
      })
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const openError = async (path: string, error: unknown): Promise<EventStoreError> => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (codeOf(cause) === 'LEVEL_LOCKED') return lockedError(path, error)
  const corrupt = codeOf(cause) === 'LEVEL_CORRUPTION'
  return new EventStoreError(corrupt ? 'ES_CORRUPT' : 'ES_OPEN_FAILED', {
    happened: `LevelDB cannot open ${databasePath(path)} (${messageOf(cause)})`,
    expected: 'Expected a whole database on a disk that can be written',
    remedy: corrupt
      ? 'Restore the folder from a backup, or copy what verifies into a new folder with salvage(); never repair the only copy'
      : 'Check that the disk has space and the folder can be written, then open again',
    cause: error,
    details: corrupt ? { kind: 'unreadable', position: 0, stream_id: '', version: 0 } : {},
  })
}

const lockedError = async (path: string, cause: unknown): Promise<EventStoreError> => {
  const ownership = await readStoreOwner(path)
  const expected = 'A store belongs to one process at a time'
  if (ownership.type !== 'live') {
    return new EventStoreError('ES_LOCKED', {
      happened: `The store in ${path} is open in another process, which has not said who it is`,
      expected,
      remedy: 'Wait until that process has opened or closed the store and try again',
      cause,
    })
  }
  const { pid, started_at, socket } = ownership.owner
  const own = pid === process.pid
  const attach = socket === undefined ? '' : `, or attach to it at ${socket}`
  return new EventStoreError('ES_LOCKED', {
    happened: `The store in ${path} is open in ${own ? 'this process' : 'process'} ${pid}, since ${started_at}`,
    expected,
    remedy: own ? 'Use the store that is open, or close it first' : `Stop process ${pid}${attach}`,
    cause,
    details: { pid },
  })
}
