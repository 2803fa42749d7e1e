/** What LevelDB complains of, in the store's terms. */
import { corruptError, damage } from './damage.ts'
import { EventStoreError } from './errors.ts'
import { closedError } from './write-errors.ts'
import { readStoreOwner } from './owner.ts'
import { databasePath } from './store-folder.ts'

/** A log file that is gone since we looked was turned into a synced table. */
export const ignoreMissing = (error: unknown): undefined => {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}

/** Runs a read; its trouble comes out as the store's. */
export const read = <T>(what: () => T): T => {
  try {
    return what()
  } catch (error) {
    return rethrow(error)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** @throws {EventStoreError} `ES_CORRUPT`, `ES_CLOSED`, `ES_READ_FAILED`. */
export const rethrow = (error: unknown): never => {
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

/** Whether an error says that the database is open already. */
export const isLocked = (error: unknown): boolean =>
  codeOf(error) === 'LEVEL_LOCKED' || (error instanceof Error && codeOf(error.cause) === 'LEVEL_LOCKED')

/** Whether an error, or what caused it, says that the disk is full. */
export const isOutOfSpace = (error: unknown): boolean => {
  if (codeOf(error) === 'ENOSPC' || messageOf(error).includes('No space left on device')) return true
  return error instanceof Error && error.cause !== undefined && isOutOfSpace(error.cause)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const openError = async (path: string, error: unknown): Promise<EventStoreError> => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (isLocked(error)) return lockedError(path, error)
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

/** `ES_LOCKED`, naming the owner. */
export const lockedError = async (path: string, cause: unknown): Promise<EventStoreError> => {
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
  const attach = socket === undefined ? '' : ', or ask it with agentctl, which attaches to it'
  return new EventStoreError('ES_LOCKED', {
    happened: `The store in ${path} is open in ${own ? 'this process' : 'process'} ${pid}, since ${started_at}`,
    expected,
    remedy: own ? 'Use the store that is open, or close it first' : `Stop process ${pid}${attach}`,
    cause,
    details: { pid },
  })
}
