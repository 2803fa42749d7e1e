/** Opens a database of what is derived from the log: if it is not sound it is deleted, and built again. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { EventStoreError } from './errors.ts'
import { readDatabaseFiles } from './leveldb/database-files.ts'
import { isLocked } from './level-errors.ts'
import type { FolderStorage, OpenFolderOptions } from './folder-options.ts'

/** @throws {EventStoreError} `ES_LOCKED`, and what the disk says if it cannot be made anew either. */
export const openDerivedFolder = async (
  folder: string,
  openStorage: OpenFolderOptions['openStorage'],
): Promise<FolderStorage> => {
  await mkdir(folder, { recursive: true })
  try {
    if (await isSound(folder)) return await openStorage({ folder, create: true })
  } catch (cause) {
    if (isLocked(cause)) throw derivedLockedError(folder, cause)
  }
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return openStorage({ folder, create: true })
}

/** Whether every file of the database is whole; an empty folder is. */
const isSound = async (folder: string): Promise<boolean> => {
  const files = await readdir(folder)
  if (!files.includes('CURRENT')) return files.every((name) => !/\.(log|ldb|sst)$/.test(name))
  for await (const item of readDatabaseFiles(folder)) if (item.type === 'damage') return false
  return true
}

const derivedLockedError = (folder: string, cause: unknown): EventStoreError =>
  new EventStoreError('ES_LOCKED', {
    happened: `The folder ${folder} is open already, here or in another process`,
    expected: 'Expected to be its only user',
    remedy: 'Use the one that is open, or close it first',
    cause,
  })
