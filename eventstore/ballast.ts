/**
 * A file that does nothing but take space: on a full disk it is deleted, so that LevelDB has room to open.
 *
 * LevelDB cannot even be opened without room to turn its write-ahead log into a table.
 *
 * Owns the file `ballast` in the store's folder. Grows it in the background as the log grows; never while the
 * store is in need of space.
 *
 * I1  Once it has its size, it is at least what the write-ahead log could become as a table.
 */
import { randomFillSync } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const MEGABYTE = 1024 * 1024
/** Sizes that it takes, each when this much was written: a store that is hardly used needs hardly any. */
const STEPS = [
  { written: 64 * 1024, size: MEGABYTE },
  { written: MEGABYTE / 2, size: 4 * MEGABYTE },
  { written: 2 * MEGABYTE, size: 20 * MEGABYTE },
]
const CHUNK = 256 * 1024

const fileIn = (path: string): string => join(path, 'ballast')

const sizeOf = async (path: string): Promise<number> =>
  stat(fileIn(path)).then(
    ({ size }) => size,
    () => 0,
  )

/** Deletes the ballast; says how large it was. */
export const releaseBallast = async (path: string): Promise<number> => {
  const size = await sizeOf(path)
  await rm(fileIn(path), { force: true })
  return size
}

/** Brings the ballast to a size, or as near as the disk allows; says whether it got there. */
export const growBallast = async (path: string, size: number): Promise<boolean> => {
  // Random: a file system that compresses would make nothing of zeros.
  const chunk = randomFillSync(Buffer.alloc(CHUNK))
  try {
    const file = await open(fileIn(path), 'a')
    try {
      for (let at = (await file.stat()).size; at < size; at += chunk.length) await file.write(chunk)
      await file.datasync()
    } finally {
      await file.close()
    }
    return true
  } catch {
    return false
  }
}

export class Ballast {
  readonly #path: string
  #written: number
  #step = 0
  #growing: Promise<unknown> = Promise.resolve()

  /** `written`: bytes that the next opening would have to read again already. */
  constructor(path: string, written: number) {
    this.#path = path
    this.#written = written
  }

  /** Notes that this many bytes more were written. */
  note(bytes: number): void {
    this.#written += bytes
    const next = STEPS[this.#step]
    if (next === undefined || this.#written < next.written) return
    this.#step += 1
    this.#growing = this.#growing.then(() => growBallast(this.#path, next.size))
  }

  async close(): Promise<void> {
    await this.#growing
  }
}
