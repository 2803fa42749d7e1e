/**
 * The folder of a store: what is in it before the database is opened, and the marker that it was made.
 *
 * LevelDB makes a new, empty database wherever its `CURRENT` file is missing, even over the files of an old
 * one. The marker is written after the first creation, and from then on nothing may be created here.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { EventStoreError } from './errors.ts'

/** The format that this version writes; it reads this one and all before. */
export const FORMAT = 1

const markerRecord = z.object({ format: z.int().positive(), id: z.string(), created_at: z.string() })

/** What says that a store was created in a folder, and which. */
export type StoreMarker = z.infer<typeof markerRecord>

export type FolderState =
  /** Nothing here yet: a database may be created. */
  | { readonly type: 'empty' }
  /** A database, and the marker if it was created to the end. */
  | { readonly type: 'store'; readonly marker: StoreMarker | undefined }

export const databasePath = (path: string): string => join(path, 'db')
const markerPath = (path: string): string => join(path, 'store.json')

/**
 * What is in the folder; makes it if there is none and `create` allows it.
 * @throws {EventStoreError} `ES_NOT_FOUND`, `ES_DATABASE_MISSING`, `ES_FORMAT`, `ES_NOT_A_STORE`.
 */
export const inspectFolder = async (path: string, create: boolean): Promise<FolderState> => {
  const marker = await readMarker(path)
  const files = await readdir(databasePath(path)).catch((): string[] => [])
  if (files.includes('CURRENT')) return { type: 'store', marker }
  if (marker !== undefined || (await holdsData(path, files))) throw missingError(path, marker, files)
  if (!create) throw notFoundError(path)
  await mkdir(databasePath(path), { recursive: true })
  return { type: 'empty' }
}

/** Says, for good, that the store was created. */
export const writeMarker = async (path: string, marker: StoreMarker): Promise<void> => {
  const file = markerPath(path)
  const draft = `${file}.${randomBytes(4).toString('hex')}`
  const handle = await open(draft, 'w')
  try {
    await handle.writeFile(`${JSON.stringify(marker, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
  await syncFolder(path)
}

/** Makes the names in a folder survive a power cut, where the system can do that. */
const syncFolder = async (path: string): Promise<void> => {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** @throws {EventStoreError} `ES_FORMAT`, `ES_NOT_A_STORE`. */
export const readMarker = async (path: string): Promise<StoreMarker | undefined> => {
  const text = await readFile(markerPath(path), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const marker = markerRecord.safeParse(parseJson(text))
  if (!marker.success) {
    throw new EventStoreError('ES_NOT_A_STORE', {
      happened: `${markerPath(path)} is not the marker of an event store`,
      expected: 'Expected a JSON object with format, id and created_at',
      remedy: 'Restore the file from a backup, or give the store a folder of its own',
      cause: marker.error,
    })
  }
  assertFormat(marker.data.format)
  return marker.data
}

/** @throws {EventStoreError} `ES_FORMAT` if a later version wrote the store. */
export const assertFormat = (format: number): void => {
  if (format <= FORMAT) return
  throw new EventStoreError('ES_FORMAT', {
    happened: `The store has format ${format}`,
    expected: `This version reads formats up to ${FORMAT}`,
    remedy: 'Open it with the version of the package that wrote it, or a later one',
  })
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether there are files of a database with something in them; a creation that was cut off has none. */
const holdsData = async (path: string, files: readonly string[]): Promise<boolean> => {
  for (const file of files) {
    if (!/\.(log|ldb|sst)$/.test(file)) continue
    const { size } = await stat(join(databasePath(path), file))
    if (size > 0) return true
  }
  return false
}

const missingError = (
  path: string,
  marker: StoreMarker | undefined,
  files: readonly string[],
): EventStoreError =>
  new EventStoreError('ES_DATABASE_MISSING', {
    happened:
      files.length === 0
        ? `The store in ${path} was created at ${marker?.created_at ?? 'some time'}, but its database is gone`
        : `The database in ${databasePath(path)} has no file CURRENT, without which LevelDB would start an empty one over it`,
    expected: 'Expected the database that was created here',
    remedy: 'Restore the folder from a backup; nothing was changed',
  })

const notFoundError = (path: string): EventStoreError =>
  new EventStoreError('ES_NOT_FOUND', {
    happened: `There is no event store in ${path}`,
    expected: 'Expected an existing store, because create is false',
    remedy: 'Correct the path, or open with create: true to make a new store',
  })
