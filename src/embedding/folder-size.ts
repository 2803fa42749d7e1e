/** How much room a project's folder takes, by its parts. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

export type FolderPart = { readonly name: string; readonly bytes: number; readonly files: number }

export type FolderSize = {
  readonly bytes: number
  readonly files: number
  /** What stands directly in the folder, the largest first. */
  readonly parts: readonly FolderPart[]
}

/** From this size on a project is worth a word; 1 GiB. */
export const LARGE_BYTES = 1024 ** 3

/** Adds up the files' sizes; what vanishes meanwhile, as a database's files do, counts as nothing. */
export async function folderSize(path: string): Promise<FolderSize> {
  const entries = await readdir(path, { withFileTypes: true })
  const parts = await Promise.all(
    entries.map(async (entry): Promise<FolderPart> => {
      const below = join(path, entry.name)
      const files = entry.isDirectory() ? await filesBelow(below) : [below]
      const sizes = await Promise.all(files.map(sizeOf))
      return {
        name: entry.name,
        bytes: sizes.flat().reduce((sum, size) => sum + size, 0),
        files: sizes.flat().length,
      }
    }),
  )
  parts.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
  const sum = (field: 'bytes' | 'files'): number => parts.reduce((total, part) => total + part[field], 0)
  return { bytes: sum('bytes'), files: sum('files'), parts }
}

/** `12 B`, `3.4 MB`: in units of 1024, as `du -h` counts. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit] ?? ''}`
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}

/** None for a file that is gone. */
const sizeOf = async (file: string): Promise<number[]> =>
  lstat(file).then(
    ({ size }) => [size],
    () => [],
  )
