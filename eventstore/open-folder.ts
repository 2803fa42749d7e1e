/** The procedure that opens a store's folder: what is looked at, in which order, before the log is served. */
import { v7 } from 'uuid'
import { Ballast, growBallast, releaseBallast } from './ballast.ts'
import { corruptError, damage } from './damage.ts'
import { EventStoreError, isEventStoreError } from './errors.ts'
import { EventLog } from './event-log.ts'
import type { EventStore } from './event-store.ts'
import { checkFiles, type FileCheck } from './file-check.ts'
import type { FolderStorage, OpenFolderOptions } from './folder-options.ts'
import { HighWater, readHighWater } from './high-water.ts'
import { FORMAT_KEY } from './keys.ts'
import { isOutOfSpace, lockedError, openError } from './level-errors.ts'
import { checkAtOpen } from './open-check.ts'
import { openReadOnlyCopy, readQuarantine, rebuildDamaged } from './open-damaged.ts'
import { countUncleanEnds, readStoreOwner, removeStoreOwner, writeStoreOwner } from './owner.ts'
import { readDroppedBytes } from './recovery-report.ts'
import { seal, unseal, type FormatRecord } from './sealed.ts'
import {
  assertFormat,
  databasePath,
  FORMAT,
  inspectFolder,
  writeMarker,
  type FolderState,
} from './store-folder.ts'

/** Things to be closed again, the last opened first. */
class Opened {
  readonly #closers: (() => Promise<void>)[] = []

  add(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) await close()
  }
}

/** Opens a store, sound or, as far as the policy allows, damaged. */
export const openFolder = async (options: OpenFolderOptions): Promise<EventStore> => {
  try {
    return await openSound(options)
  } catch (error) {
    if (!isEventStoreError(error, 'ES_CORRUPT')) throw error
    switch (options.log.onDamage) {
      case 'fail-stop':
        throw error
      case 'read-only':
        return openReadOnlyCopy(options, error)
      case 'quarantine':
        // Whose the lost end was cannot be known, and its positions would be given to others.
        if (error.kind === 'tail') throw error
        await rebuildDamaged(options)
        return openSound(options)
    }
  }
}

const openSound = async (options: OpenFolderOptions): Promise<EventStore> => {
  const { path, log } = options
  const folder = await inspectFolder(path, options.create)
  const reached = await readHighWater(path)
  const uncleanEnds = await countUncleanEnds(path)
  if (folder.type === 'store') await checkUnopened(path, { reached, uncleanEnds })
  const { storage, short } = await openWithSpace(options, folder)
  const opened = new Opened()
  opened.add(() => storage.close())
  try {
    const now = (): string => new Date(log.clock()).toISOString()
    await settleFolder(storage, { path, folder, now })
    // Removed before the database is closed: whoever opens it next writes its own.
    await writeStoreOwner(path, { startedAt: now(), uncleanEnds }).catch(ignoreOutOfSpace)
    opened.add(() => removeStoreOwner(path))
    const end = await checkAtOpen(storage, { reached, dropped: await readDroppedBytes(path) })
    const highWater = await HighWater.open(path)
    opened.add(() => highWater.close())
    const ballast = new Ballast(path, 0)
    opened.add(() => ballast.close())
    return new EventLog({
      ...log,
      storage,
      end,
      quarantined: await readQuarantine(path),
      ...(short ? { refuseAppends: diskFullError(path) } : {}),
      onWritten: ({ end: synced, durability, size }) => {
        if (durability === 'fsync') highWater.note(synced)
        ballast.note(size)
      },
      close: () => opened.close(),
    })
  } catch (error) {
    await opened.close()
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

/** Opens the database; on a full disk with the room that the ballast kept, and then for reading only. */
const openWithSpace = async (
  { path, openStorage }: OpenFolderOptions,
  folder: FolderState,
): Promise<{ storage: FolderStorage; short: boolean }> => {
  const open = async (): Promise<FolderStorage> =>
    openStorage({ folder: databasePath(path), create: folder.type === 'empty' })
  let released = 0
  try {
    return { storage: await open(), short: false }
  } catch (error) {
    if (!isOutOfSpace(error)) throw await openError(path, error)
    released = await releaseBallast(path)
    if (released === 0) throw diskFullError(path, error)
  }
  try {
    const storage = await open()
    // There is room again only if the ballast can be what it was.
    return { storage, short: !(await growBallast(path, released)) }
  } catch (error) {
    if (isOutOfSpace(error)) throw diskFullError(path, error)
    throw await openError(path, error)
  }
}

const diskFullError = (path: string, cause?: unknown): EventStoreError =>
  new EventStoreError('ES_DISK_FULL', {
    happened: `The disk that holds ${path} is full; nothing was written`,
    expected: 'Expected room for what is to be written, and for the ballast that keeps the store openable',
    remedy: 'Free some space, then open the store again',
    cause,
  })

const ignoreOutOfSpace = (error: unknown): void => {
  if (!isOutOfSpace(error)) throw error
}

type Settling = { readonly path: string; readonly folder: FolderState; readonly now: () => string }

/** Completes what a creation leaves behind: the format record in the database, then the marker beside it. */
const settleFolder = async (storage: FolderStorage, { path, folder, now }: Settling): Promise<void> => {
  const format = (await readFormat(storage)) ?? (await makeFormat(storage, { path, folder, now }))
  if (folder.type === 'store' && folder.marker !== undefined) return
  await writeMarker(path, { format: format.format, id: format.id, created_at: format.created_at })
}

const readFormat = async (storage: FolderStorage): Promise<FormatRecord | undefined> => {
  const stored = storage.getSync(FORMAT_KEY)
  if (stored === undefined) return undefined
  const format = unseal<FormatRecord>(FORMAT_KEY, stored)
  if (format.type === 'damaged') {
    throw corruptError(damage('unreadable', `the format record: ${format.detail}`, {}))
  }
  assertFormat(format.value.format)
  return format.value
}

/** A database without a format record is new, or its creation was cut off, or it is damaged, or it is not ours. */
const makeFormat = async (storage: FolderStorage, { path, folder, now }: Settling): Promise<FormatRecord> => {
  if (folder.type === 'store' && folder.marker !== undefined) {
    const detail = `the store was created at ${folder.marker.created_at}, but its database has no format record: a table or the MANIFEST that names it has lost it`
    throw corruptError(damage('file', detail, {}))
  }
  if (!(await storage.isEmpty())) {
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
