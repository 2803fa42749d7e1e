/** Reads the files of a LevelDB database without LevelDB: each block and record that is whole, and what is not. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readLogFile, type LogRecord } from './log-file.ts'
import { readManifest, type DatabaseFiles, type TableEntry } from './manifest.ts'
import { readTableFile, type KeySpan } from './table-file.ts'
import { readWriteBatch, type KeyVersion } from './write-batch.ts'

/** A stretch of a file that cannot be read. */
export type FileDamage = {
  readonly file: string
  readonly offset: number
  readonly detail: string
  /** Which keys were there, as far as the file around it says. */
  readonly keys?: KeySpan
}

export type FileItem =
  | { readonly type: 'entries'; readonly file: string; readonly entries: () => KeyVersion[] }
  | { readonly type: 'damage'; readonly damage: FileDamage }

/** Blocks of all tables that the MANIFEST names. */
export async function* readTables(folder: string, { tables }: DatabaseFiles): AsyncGenerator<FileItem> {
  for (const table of tables) {
    const found = await readTable(folder, table)
    if (found === undefined) {
      // Compacted away since we read the MANIFEST? Then it does not name it any more.
      const now = await readManifest(folder)
      if (now.tables.every(({ number }) => number !== table.number)) continue
      const file = tableName(table.number, 'ldb')
      yield { type: 'damage', damage: { file, offset: 0, detail: 'the file is missing', keys: table.keys } }
      continue
    }
    const { file, bytes } = found
    for (const item of readTableFile(bytes, table.keys)) {
      if (item.type === 'block') yield { type: 'entries', file, entries: item.entries }
      else
        yield { type: 'damage', damage: { file, offset: item.offset, detail: item.detail, keys: item.keys } }
    }
  }
}

const tableName = (number: number, ending: string): string => `${String(number).padStart(6, '0')}.${ending}`

const readTable = async (
  folder: string,
  { number }: TableEntry,
): Promise<{ file: string; bytes: Buffer } | undefined> => {
  for (const ending of ['ldb', 'sst']) {
    const file = tableName(number, ending)
    const bytes = await readFile(join(folder, file)).catch(() => undefined)
    if (bytes !== undefined) return { file, bytes }
  }
  return undefined
}

/** One write-ahead log: the records that are whole, and the first stretch that is not. */
export type WriteAheadLog = {
  readonly file: string
  /** Before the first bad stretch. */
  readonly records: readonly LogRecord[]
  readonly bad: FileDamage | undefined
  /** Whole records after the first bad stretch. */
  readonly recordsAfter: readonly LogRecord[]
}

/** The write-ahead logs that LevelDB would read when it opens, the oldest first. */
export const readWriteAheadLogs = async (
  folder: string,
  { firstLog }: DatabaseFiles,
): Promise<WriteAheadLog[]> => {
  const files = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name)).sort()
  const logs: WriteAheadLog[] = []
  for (const file of files.filter((name) => Number.parseInt(name, 10) >= firstLog)) {
    const records: LogRecord[] = []
    const recordsAfter: LogRecord[] = []
    let bad: FileDamage | undefined
    // Gone since we looked: what it held is in a table now.
    const bytes = await readFile(join(folder, file)).catch(() => undefined)
    if (bytes === undefined) continue
    for (const item of readLogFile(bytes)) {
      if (item.type === 'record') (bad === undefined ? records : recordsAfter).push(item.bytes)
      else if (item.type === 'bad') bad ??= { file, offset: item.offset, detail: item.detail }
    }
    logs.push({ file, records, bad, recordsAfter })
  }
  return logs
}

export type ReadFilesOptions = {
  /** Whether to read all files of the folder if it cannot be known which of them count; default false. */
  readonly evenIfManifestIsDamaged?: boolean
}

/** Every whole entry of tables and write-ahead logs, in no order, and every stretch that is not whole. */
export async function* readDatabaseFiles(
  folder: string,
  options: ReadFilesOptions = {},
): AsyncGenerator<FileItem> {
  let files: DatabaseFiles
  try {
    files = await readManifest(folder)
  } catch (error) {
    if (options.evenIfManifestIsDamaged !== true) throw error
    files = await allFiles(folder)
    const detail = error instanceof Error ? error.message : String(error)
    yield { type: 'damage', damage: { file: 'MANIFEST', offset: 0, detail } }
  }
  yield* readTables(folder, files)
  for (const { file, records, bad, recordsAfter } of await readWriteAheadLogs(folder, files)) {
    for (const record of [...records, ...recordsAfter]) {
      yield { type: 'entries', file, entries: () => readWriteBatch(record()) }
    }
    if (bad !== undefined) yield { type: 'damage', damage: bad }
  }
}

const allFiles = async (folder: string): Promise<DatabaseFiles> => {
  const names = (await readdir(folder)).filter((name) => /^\d+\.(ldb|sst)$/.test(name))
  const keys = { after: '', upTo: '\u{10FFFF}' }
  return { firstLog: 0, tables: names.map((name) => ({ number: Number.parseInt(name, 10), size: 0, keys })) }
}
