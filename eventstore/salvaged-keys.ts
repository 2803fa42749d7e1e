/**
 * What could be read from the files of a damaged database: each key's last whole value, and which are missing.
 *
 * Owns a scratch storage with the events, sorted by it, and in memory what is small or changes: entries,
 * commands, and where the stream index says the events are.
 */
import type { Entry } from './event-store.ts'
import { commandKey, entryKey, familyOf, nameOfKey, positionOfKey, streamOfKey, wholeLog } from './keys.ts'
import { MalformedError } from './leveldb/byte-reader.ts'
import { readDatabaseFiles, type FileDamage } from './leveldb/database-files.ts'
import type { KeyVersion } from './leveldb/write-batch.ts'
import { checksumFault } from './record.ts'
import { unseal, type CommandRecord } from './sealed.ts'
import type { Storage } from './storage.ts'

export type SalvagedCommand = {
  readonly commandId: string
  /** Position of its last event. */
  readonly last: number
  /** Every stream that it named. */
  readonly streams: readonly string[]
}

type Latest = { readonly sequence: number; readonly value: string | undefined }

export class SalvagedKeys {
  /** The highest position that anything names. */
  last = 0
  readonly #scratch: Storage
  readonly #entries = new Map<string, Latest>()
  readonly #commands = new Map<string, Latest>()
  readonly #places = new Map<number, { stream_id: string; version: number }>()
  readonly #commandsAt = new Map<number, SalvagedCommand>()

  constructor(scratch: Storage) {
    this.#scratch = scratch
  }

  /** Reads all files; gives back what was damaged. */
  async collect(folder: string, signal: AbortSignal | undefined): Promise<FileDamage[]> {
    const damages: FileDamage[] = []
    for await (const item of readDatabaseFiles(folder, { evenIfManifestIsDamaged: true })) {
      signal?.throwIfAborted()
      if (item.type === 'damage') {
        damages.push(item.damage)
        continue
      }
      try {
        await this.#keep(item.entries())
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error
        damages.push({ file: item.file, offset: 0, detail: error.message })
      }
    }
    this.#readCommands()
    return damages
  }

  /** The records of events whose checksum holds, in the order of positions. */
  async *events(): AsyncGenerator<{ position: number; value: string }> {
    for await (const page of this.#scratch.scan(wholeLog)) {
      for (const [key, value] of page) yield { position: positionOfKey(key), value }
    }
  }

  /** The command whose first event is at this position. */
  commandAt(position: number): SalvagedCommand | undefined {
    return this.#commandsAt.get(position)
  }

  async missing(last: number): Promise<number[]> {
    const missing: number[] = []
    let next = 1
    for await (const { position } of this.events()) {
      for (; next < position; next += 1) missing.push(next)
      next = position + 1
    }
    for (; next <= last; next += 1) missing.push(next)
    return missing
  }

  /** Whose event was at a position, if the stream index still says so. */
  placeOf(position: number): { stream_id: string; version: number } | undefined {
    return this.#places.get(position)
  }

  entries(): { entries: Entry[]; damaged: string[] } {
    const entries: Entry[] = []
    const damaged: string[] = []
    for (const [key, { value }] of this.#entries) {
      if (value === undefined) continue
      const name = nameOfKey(key)
      const opened = unseal<unknown>(entryKey(name), value)
      if (opened.type === 'value') entries.push({ key: name, value: opened.value })
      else damaged.push(name)
    }
    return { entries, damaged }
  }

  async #keep(versions: readonly KeyVersion[]): Promise<void> {
    const batch = this.#scratch.batch()
    for (const { key, value, sequence } of versions) {
      switch (familyOf(key)) {
        case 'event':
          this.last = Math.max(this.last, positionOfKey(key) || 0)
          if (value !== undefined && checksumFault(value) === undefined) batch.put(key, value)
          break
        case 'stream':
          if (value === undefined) break
          this.last = Math.max(this.last, Number(value) || 0)
          this.#places.set(Number(value), streamOfKey(key))
          break
        case 'entry':
          keepLatest(this.#entries, key, { sequence, value })
          break
        case 'command':
          keepLatest(this.#commands, key, { sequence, value })
          break
        case 'other':
          break
      }
    }
    await batch.write({ sync: false })
  }

  #readCommands(): void {
    for (const [key, { value }] of this.#commands) {
      const commandId = nameOfKey(key)
      const command = value === undefined ? undefined : unseal<CommandRecord>(commandKey(commandId), value)
      if (command?.type !== 'value' || command.value.count === 0) continue
      const { first, count, versions } = command.value
      const streams = versions.map(([stream_id]) => stream_id)
      this.#commandsAt.set(first, { commandId, last: first + count - 1, streams })
    }
  }
}

const keepLatest = (values: Map<string, Latest>, key: string, found: Latest): void => {
  const known = values.get(key)
  if (known === undefined || known.sequence < found.sequence) values.set(key, found)
}
