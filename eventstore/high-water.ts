/**
 * How far the log had come when it was last known to be on disk, kept outside the database.
 *
 * A database that lost its end looks like one that was never longer: LevelDB drops the damaged end of its
 * write-ahead log without a word. This file remembers. It is written now and then, at close at the latest, and
 * never synced itself: it can be behind the log, never ahead of it.
 *
 * I1  It names only what a sync has covered.
 * I2  Writes follow one another; what is noted meanwhile replaces what waits.
 */
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchEnd } from './batch-auditor.ts'
import { checksum } from './record.ts'

const CRC_LENGTH = 8
const NUMBER_WIDTH = 16

const fileIn = (path: string): string => join(path, 'high-water')

/** Fixed in length, so that a shorter text never leaves the end of a longer one behind it. */
const encode = ({ position, turn, hash }: BatchEnd): string => {
  const [at, after] = [position, turn].map((number) => number.toString().padStart(NUMBER_WIDTH, '0'))
  const text = `${at} ${after} ${hash}`
  return `${checksum(text)} ${text}\n`
}

/** The mark in a store's folder; undefined if there is none, or if a power cut tore it. */
export const readHighWater = async (path: string): Promise<BatchEnd | undefined> => {
  const stored = await readFile(fileIn(path), 'utf8').catch(() => '')
  const [line = ''] = stored.split('\n')
  const text = line.slice(CRC_LENGTH + 1)
  if (checksum(text) !== line.slice(0, CRC_LENGTH)) return undefined
  const [position, turn, hash = ''] = text.split(' ')
  return { position: Number(position), turn: Number(turn), hash }
}

/** Between two writes of the mark. A write for each batch would cost a lone writer a tenth of its rate. */
const MIN_INTERVAL_MS = 25

export class HighWater {
  readonly #file: FileHandle
  #waiting: BatchEnd | undefined
  #writing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  static async open(path: string): Promise<HighWater> {
    // 'r+' writes in place but does not make a file; 'a' makes one but writes only at its end.
    const made = await open(fileIn(path), 'a')
    await made.close()
    return new HighWater(await open(fileIn(path), 'r+'))
  }

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Notes that everything up to here is on disk. */
  note(end: BatchEnd): void {
    this.#waiting = end
    this.#timer ??= setTimeout(() => this.#write(), MIN_INTERVAL_MS).unref()
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#write()
    await this.#writing
    await this.#file.close()
  }

  #write(): void {
    this.#timer = undefined
    if (this.#waiting === undefined) return
    const text = encode(this.#waiting)
    this.#waiting = undefined
    // Only an aid: if it cannot be written, the mark stays behind, which is always allowed.
    this.#writing = this.#writing.then(async () => {
      await this.#file.write(text, 0, 'utf8').catch(() => undefined)
    })
  }
}
