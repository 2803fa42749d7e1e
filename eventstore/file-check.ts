/**
 * Looks at LevelDB's files before LevelDB does.
 *
 * LevelDB opens a damaged write-ahead log, drops what it cannot read, and then deletes the log: the
 * evidence is gone and the loss is final. A damaged table can make it abort the whole process. So both are
 * read here first, with every checksum, and what is damaged is refused untouched.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchEnd } from './batch-auditor.ts'
import { corruptError, damage, type Damage } from './damage.ts'
import { batchOfKey } from './keys.ts'
import { MalformedError } from './leveldb/byte-reader.ts'
import {
  checkWriteAheadLogs,
  readTables,
  type FileDamage,
  type WriteAheadLog,
} from './leveldb/database-files.ts'
import { readManifest, type DatabaseFiles } from './leveldb/manifest.ts'
import { readWriteBatch } from './leveldb/write-batch.ts'

export type FileCheck = {
  /** LevelDB's folder. */
  readonly folder: string
  /** Where the log ended when it was last known to be on disk. */
  readonly reached: BatchEnd | undefined
  /** How often in a row the store's owner ended without closing it. */
  readonly uncleanEnds: number
}

/** Tables of this size are checked at each opening; it takes a few hundredths of a second. */
const ALWAYS_CHECKED_BYTES = 16 * 1024 * 1024
/** Up to this size they are checked after one unclean end; above, only after two, which may be their fault. */
const CHECKED_AFTER_CRASH_BYTES = 512 * 1024 * 1024

/**
 * @throws {EventStoreError} `ES_CORRUPT` about the first damage; nothing was changed.
 */
export const checkFiles = async ({ folder, reached, uncleanEnds }: FileCheck): Promise<void> => {
  const files = await readFiles(folder)
  const found = await checkLogs(await checkWriteAheadLogs(folder, files), reached)
  if (found !== undefined) throw corruptError(found)
  const bytes = files.tables.reduce((sum, { size }) => sum + size, 0)
  const worthIt =
    bytes <= ALWAYS_CHECKED_BYTES ||
    (bytes <= CHECKED_AFTER_CRASH_BYTES ? uncleanEnds >= 1 : uncleanEnds >= 2)
  if (!worthIt) return
  for await (const item of readTables(folder, files)) {
    if (item.type === 'damage') throw corruptError(fileDamage(item.damage))
  }
}

const readFiles = async (folder: string): Promise<DatabaseFiles> => {
  try {
    return await readManifest(folder)
  } catch (error) {
    if (error instanceof MalformedError || (await isMissing(join(folder, 'CURRENT')))) {
      throw corruptError(damage('file', messageOf(error), {}))
    }
    throw corruptError(damage('file', `the MANIFEST cannot be read: ${messageOf(error)}`, {}))
  }
}

const isMissing = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    () => true,
  )

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A damaged stretch of a file, in the log's terms. */
export const fileDamage = ({ file, offset, detail }: FileDamage): Damage =>
  damage('file', `${file} at byte ${offset}: ${detail}`, {})

type CheckedRecord = () => Promise<Buffer>

/** What is wrong with the write-ahead logs, beyond an end that was being written when the process died. */
const checkLogs = async (
  logs: readonly WriteAheadLog<CheckedRecord>[],
  reached: BatchEnd | undefined,
): Promise<Damage | undefined> => {
  for (const [at, { bad, recordsAfter }] of logs.entries()) {
    const followed = recordsAfter.length > 0 || logs.slice(at + 1).some(({ records }) => records.length > 0)
    if (bad !== undefined && followed) return fileDamage(bad)
  }
  const end = await lastBatch(logs.flatMap(({ records }) => records))
  if (end === undefined || reached === undefined || !isBefore(end, reached)) return undefined
  const bad = logs.find((log) => log.bad !== undefined)?.bad
  const why = bad === undefined ? '' : `; ${bad.file} at byte ${bad.offset}: ${bad.detail}`
  const detail = `the log ends at position ${end.position}, but it had reached ${reached.position}${why}`
  return damage('tail', detail, { position: end.position + 1 })
}

type Reached = Pick<BatchEnd, 'position' | 'turn'>

export const isBefore = (end: Reached, other: Reached): boolean =>
  end.position < other.position || (end.position === other.position && end.turn < other.turn)

/** Where the last batch in these records ends; only the end is taken apart. */
const lastBatch = async (records: readonly CheckedRecord[]): Promise<Reached | undefined> => {
  for (const record of records.toReversed()) {
    for (const { key } of readWriteBatch(await record()).toReversed()) {
      const end = batchOfKey(key)
      if (end !== undefined) return end
    }
  }
  return undefined
}
