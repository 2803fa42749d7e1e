/** What can be learnt from LevelDB's own files about an opening: what it will read again, what it dropped. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { databasePath } from './store-folder.ts'

/** The lines that say that bytes were dropped or an error was ignored; empty if recovery was clean. */
export const readDroppedBytes = async (path: string): Promise<readonly string[]> => {
  // LevelDB renames the last LOG to LOG.old when it opens, so this one is about this opening only.
  const text = await readFile(join(databasePath(path), 'LOG'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => /dropping \d+ bytes|ignoring error|Ignoring error/.test(line))
    .map(withoutTime)
}

/** Each line begins with a date and a thread's number. */
const withoutTime = (line: string): string => line.replace(/^\S+ \S+ /, '')

/** Size of the write-ahead logs, which LevelDB reads when it opens: only what is in them can get lost then. */
export const writeAheadBytes = async (path: string): Promise<number> => {
  const folder = databasePath(path)
  const files = await readdir(folder).catch((): string[] => [])
  let bytes = 0
  for (const file of files.filter((name) => name.endsWith('.log')))
    bytes += (await stat(join(folder, file))).size
  return bytes
}
