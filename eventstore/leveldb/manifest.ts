/** Reads which files make up a LevelDB database: `CURRENT`, and the MANIFEST that it names. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ByteReader, MalformedError } from './byte-reader.ts'
import { readLogFile } from './log-file.ts'
import type { KeySpan } from './table-file.ts'

export type TableEntry = { readonly number: number; readonly size: number; readonly keys: KeySpan }

export type DatabaseFiles = {
  readonly tables: readonly TableEntry[]
  /** Write-ahead logs before this number are in the tables already. */
  readonly firstLog: number
}

/**
 * @throws {MalformedError} if CURRENT or the MANIFEST cannot be read to the end.
 */
export const readManifest = async (folder: string): Promise<DatabaseFiles> => {
  const current = await readFile(join(folder, 'CURRENT'), 'utf8')
  const name = current.trimEnd()
  if (!/^MANIFEST-\d+$/.test(name)) throw new MalformedError('CURRENT does not name a MANIFEST')
  const tables = new Map<number, TableEntry>()
  const seen = new Set<number>()
  let firstLog = 0
  for (const item of readLogFile(await readFile(join(folder, name)))) {
    if (item.type === 'torn') break
    if (item.type === 'bad') throw new MalformedError(`${name} at ${item.offset}: ${item.detail}`)
    const edit = readEdit(item.bytes())
    for (const tag of edit.tags) seen.add(tag)
    if (edit.log !== undefined) firstLog = edit.log
    for (const number of edit.removed) tables.delete(number)
    for (const table of edit.added) tables.set(table.number, table)
  }
  // Its first record has all of these; one that was cut off in it describes no database.
  if (![LOG, NEXT_FILE, LAST_SEQUENCE].every((tag) => seen.has(tag))) {
    throw new MalformedError(`${name} ends before it has said which files there are`)
  }
  return { tables: Array.from(tables.values()), firstLog }
}

type Edit = {
  log: number | undefined
  readonly removed: number[]
  readonly added: TableEntry[]
  /** The kinds of change in it. */
  readonly tags: number[]
}

const KEY_TAIL = 8
/** Kinds of change: the first write-ahead log that counts, the next file's number, the last sequence number. */
const LOG = 2
const NEXT_FILE = 3
const LAST_SEQUENCE = 4

/** One change to the set of files. */
const readEdit = (bytes: Buffer): Edit => {
  const reader = new ByteReader(bytes)
  const edit: Edit = { log: undefined, removed: [], added: [], tags: [] }
  const key = (): string => {
    const internal = reader.prefixed()
    return internal.toString('utf8', 0, Math.max(0, internal.length - KEY_TAIL))
  }
  while (!reader.isAtEnd) {
    const tag = reader.varint()
    edit.tags.push(tag)
    switch (tag) {
      case 1: // the comparator's name
        reader.prefixed()
        break
      case LOG:
        edit.log = reader.varint()
        break
      case NEXT_FILE:
      case LAST_SEQUENCE:
      case 9: // the log before, in databases older than this format
        reader.varint()
        break
      case 5: // where a compaction goes on: level and key
        reader.varint()
        reader.prefixed()
        break
      case 6:
        reader.varint()
        edit.removed.push(reader.varint())
        break
      case 7: {
        reader.varint()
        const number = reader.varint()
        const size = reader.varint()
        const [first, last] = [key(), key()]
        edit.added.push({ number, size, keys: { after: justBefore(first), upTo: last } })
        break
      }
      default:
        throw new MalformedError(`a change of the unknown kind ${tag}`)
    }
  }
  return edit
}

/** A text that is before `key` and after what is before it, near enough to name a stretch of keys. */
const justBefore = (key: string): string => {
  const code = key.charCodeAt(key.length - 1)
  return code > 0 ? key.slice(0, -1) + String.fromCharCode(code - 1) : key.slice(0, -1)
}
