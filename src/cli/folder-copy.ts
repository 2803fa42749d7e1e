/**
 * A private copy of a log's folder, to be opened instead of it: opening a database rewrites its files, and evidence
 * must not change.
 *
 * Owns: one folder below the system's temporary folder, readable by its owner alone.
 * Never: writes to the original.
 *
 * I1. The copy is gone after `remove`, and also when the process ends by `process.exit`, SIGTERM or SIGHUP.
 * I2. If the original changed while it was copied, there is no copy but an error.
 */
import { constants, mkdtempSync, rmSync } from 'node:fs'
import { cp, readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

export type FolderCopy = { readonly path: string; readonly remove: () => void }

export class FolderChangedError extends Error {
  override readonly name = 'FolderChangedError'
}

/** These say who has the original open; the copy belongs to nobody. */
export const LEFT_OUT: ReadonlySet<string> = new Set(['owner.json', 'LOCK'])

const ENDINGS = { SIGTERM: 143, SIGHUP: 129 } as const

/** @throws FolderChangedError when somebody wrote to the folder meanwhile. */
export async function copyFolder(original: string): Promise<FolderCopy> {
  const before = await fingerprint(original)
  const { path, remove } = temporaryFolder()
  try {
    await cp(original, path, {
      recursive: true,
      // Where the file system can, the copy shares its blocks with the original until one of them is written.
      mode: constants.COPYFILE_FICLONE,
      // A link in the copy would lead back to the original.
      dereference: true,
      filter: (source) => source === original || !LEFT_OUT.has(basename(source)),
    })
    if ((await fingerprint(original)) !== before) {
      throw new FolderChangedError(`${original} changed while it was copied`)
    }
    return { path, remove }
  } catch (error) {
    remove()
    throw error
  }
}

function temporaryFolder(): FolderCopy {
  let path: string | undefined
  const forget = (): void => {
    if (path !== undefined) rmSync(path, { recursive: true, force: true })
  }
  const onSigterm = (): never => process.exit(ENDINGS.SIGTERM)
  const onSighup = (): never => process.exit(ENDINGS.SIGHUP)
  // Before there is a folder, or a signal in between would leave it behind.
  process.on('exit', forget)
  process.on('SIGTERM', onSigterm)
  process.on('SIGHUP', onSighup)
  path = mkdtempSync(join(tmpdir(), 'agentctl-'))
  return {
    path,
    remove: () => {
      forget()
      process.off('exit', forget)
      process.off('SIGTERM', onSigterm)
      process.off('SIGHUP', onSighup)
    },
  }
}

/** Names, sizes and times of all files: enough to see that somebody wrote. */
export async function fingerprint(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const lines = await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory())
      .map(async (entry) => {
        const file = join(entry.parentPath, entry.name)
        const found = await stat(file).catch(() => undefined)
        return `${file} ${found?.size ?? 'gone'} ${found?.mtimeMs ?? 'gone'}`
      }),
  )
  return lines.sort().join('\n')
}
