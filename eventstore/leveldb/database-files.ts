/** Reads the files of a LevelDB database without LevelDB: each block and record that is whole, and what is not. */
import { open, readdir, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { MalformedError } from './byte-reader.ts'
import { BLOCK, LogChunks, readLogFile, type LogItem } from './log-file.ts'
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

/** One write-ahead log: the records that are whole, as what gives their bytes, and the first stretch that is not. */
export type WriteAheadLog<TRecord = () => Buffer> = {
  readonly file: string
  /** Before the first bad stretch. */
  readonly records: readonly TRecord[]
  readonly bad: FileDamage | undefined
  /** Whole records after the first bad stretch. */
  readonly recordsAfter: readonly TRecord[]
}

/** The write-ahead logs that LevelDB would read when it opens, the oldest first. */
export const readWriteAheadLogs = async (folder: string, files: DatabaseFiles): Promise<WriteAheadLog[]> => {
  const logs: WriteAheadLog[] = []
  for (const file of await namesOfLogs(folder, files)) {
    // Gone since we looked: what it held is in a table now.
    const bytes = await readFile(join(folder, file)).catch(() => undefined)
    if (bytes === undefined) continue
    const log = new Collected(file, (record) => record.bytes)
    for (const item of readLogFile(bytes)) log.take(item)
    logs.push(log)
  }
  return logs
}

/**
 * The same for who only has to know that they are whole: chunk by chunk through one buffer, as fresh memory for all of it
 * can take longer than reading. Records are read again when they are asked for.
 */
export const checkWriteAheadLogs = async (
  folder: string,
  files: DatabaseFiles,
): Promise<WriteAheadLog<() => Promise<Buffer>>[]> => {
  const logs: WriteAheadLog<() => Promise<Buffer>>[] = []
  const chunk = Buffer.allocUnsafeSlow(CHUNK)
  for (const file of await namesOfLogs(folder, files)) {
    const path = join(folder, file)
    const log = new Collected(
      file,
      ({ offset, end }) =>
        async () =>
          readRecord(path, { offset, end }),
    )
    // As above.
    const isThere = await takeChunks(path, chunk, log).catch(() => false)
    if (isThere) logs.push(log)
  }
  return logs
}

const CHUNK = 32 * BLOCK

const namesOfLogs = async (folder: string, { firstLog }: DatabaseFiles): Promise<string[]> => {
  const files = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name)).sort()
  return files.filter((name) => Number.parseInt(name, 10) >= firstLog)
}

type FoundRecord = Extract<LogItem, { type: 'record' }>

/** What is found in a log, before and after the first bad stretch. */
class Collected<TRecord> implements WriteAheadLog<TRecord> {
  readonly file: string
  readonly records: TRecord[] = []
  bad: FileDamage | undefined
  readonly recordsAfter: TRecord[] = []
  readonly #kept: (record: FoundRecord) => TRecord

  constructor(file: string, kept: (record: FoundRecord) => TRecord) {
    this.file = file
    this.#kept = kept
  }

  take(item: LogItem): void {
    if (item.type === 'record')
      (this.bad === undefined ? this.records : this.recordsAfter).push(this.#kept(item))
    else if (item.type === 'bad') this.bad ??= { file: this.file, offset: item.offset, detail: item.detail }
  }
}

const takeChunks = async (path: string, chunk: Buffer, log: Collected<unknown>): Promise<true> => {
  const handle = await open(path)
  try {
    const chunks = new LogChunks()
    for (let at = 0, isLast = false; !isLast; at += CHUNK) {
      const length = await fill(handle, chunk, at)
      isLast = length < CHUNK
      for (const item of chunks.take(chunk.subarray(0, length), { isLast })) log.take(item)
    }
  } finally {
    await handle.close()
  }
  return true
}

/** Reads as much as there is room for, or as there is; how much that was. */
const fill = async (handle: FileHandle, bytes: Buffer, position: number): Promise<number> => {
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, position + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

/** @throws {MalformedError} if it is not there any more */
const readRecord = async (
  path: string,
  { offset, end }: Pick<FoundRecord, 'end' | 'offset'>,
): Promise<Buffer> => {
  const start = offset % BLOCK
  const bytes = Buffer.alloc(end - offset + start)
  const handle = await open(path)
  try {
    await fill(handle, bytes, offset - start)
  } finally {
    await handle.close()
  }
  for (const item of readLogFile(bytes, start)) if (item.type === 'record') return item.bytes()
  throw new MalformedError(`the record at byte ${offset} is not there any more`)
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
