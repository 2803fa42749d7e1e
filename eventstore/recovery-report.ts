/** What LevelDB wrote into its own `LOG` when it opened: the only place where it says what it dropped. */
import { readFile } from 'node:fs/promises'
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
