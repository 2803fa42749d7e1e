/**
 * Copies what verifies out of a damaged store into a new one, and names what is lost.
 *
 * Reads LevelDB's files itself and changes nothing in them: LevelDB's own repair works on the only copy, and
 * drops what it cannot read without a word. Of each stream the events up to the first loss are kept in the
 * new log; events after a gap verify too, but no state can be folded from them, so they are put beside it.
 */
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { damage, type Damage } from './damage.ts'
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { EventStore, IntegrityProblem, RecordedStub } from './event-store.ts'
import { fileDamage } from './file-check.ts'
import { readHighWater } from './high-water.ts'
import { ImportedEvents } from './imported-events.ts'
import { lockedError } from './level-errors.ts'
import { readStoreOwner } from './owner.ts'
import { continues, GENESIS, parseRecord } from './record.ts'
import { SalvagedKeys, type SalvagedCommand } from './salvaged-keys.ts'
import type { Storage } from './storage.ts'
import { databasePath } from './store-folder.ts'

export type SalvageOptions = {
  /** The damaged store's folder; nothing in it is changed. */
  readonly from: string
  /** A folder for the new store, which must not exist or be empty. */
  readonly into: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { readonly events: number; readonly position: number }) => void
}

export type SalvageReport = {
  /** Events in the new store. */
  readonly events: number
  readonly streams: number
  readonly entries: number
  /** Each event, entry or file that could not be read, with its place as far as it is known. */
  readonly lost: readonly IntegrityProblem[]
  /** Events that verify but follow a loss in their stream; they are in `cut-off.ndjson` beside the new store. */
  readonly cutOff: number
}

/** What salvage needs of the store on disk, handed in by the file that knows LevelDB. */
export type SalvageTools = {
  readonly openStore: (path: string) => Promise<EventStore>
  /** Room for keys and values while they are sorted. */
  readonly openScratch: (folder: string) => Promise<Storage>
}

const BATCH = 500

/** @throws {EventStoreError} `ES_LOCKED`, `ES_NOT_FOUND`, and what opening the new store throws. */
export const salvageFolder = async (options: SalvageOptions, tools: SalvageTools): Promise<SalvageReport> => {
  const { from, into } = options
  const { type } = await readStoreOwner(from)
  if (type === 'live') throw await lockedError(from, undefined)
  const store = await tools.openStore(into)
  const scratchFolder = join(into, 'scratch')
  const scratch = await tools.openScratch(scratchFolder)
  try {
    if (store.position() > 0) throw notEmptyError(into)
    return await new Salvage(store, scratch, options).run()
  } finally {
    await scratch.close()
    await rm(scratchFolder, { recursive: true, force: true })
    await store.close()
  }
}

class Salvage {
  readonly #store: EventStore
  readonly #keys: SalvagedKeys
  readonly #options: SalvageOptions
  readonly #imported: ImportedEvents
  /** How far each stream could be followed. */
  readonly #streams = new Map<string, { version: number; hash: string; whole: boolean }>()
  readonly #lost: Damage[] = []
  #cutOff: { file: FileHandle; count: number } | undefined

  constructor(store: EventStore, scratch: Storage, options: SalvageOptions) {
    this.#store = store
    this.#keys = new SalvagedKeys(scratch)
    this.#options = options
    this.#imported = new ImportedEvents(store)
  }

  async run(): Promise<SalvageReport> {
    const { from, signal } = this.#options
    const damages = await this.#keys.collect(databasePath(from), signal)
    this.#lost.push(...damages.map(fileDamage))
    await this.#copyEvents()
    const reached = await readHighWater(from)
    await this.#nameMissing(Math.max(this.#keys.last, reached?.position ?? 0))
    const entries = await this.#copyEntries()
    await this.#cutOff?.file.close()
    return {
      events: this.#imported.count.imported,
      streams: Array.from(this.#streams.values()).filter(({ version }) => version > 0).length,
      entries,
      lost: this.#lost,
      cutOff: this.#cutOff?.count ?? 0,
    }
  }

  async #copyEvents(): Promise<void> {
    let command: SalvagedCommand | undefined
    let before = 0
    for await (const { position, value } of this.#keys.events()) {
      this.#options.signal?.throwIfAborted()
      // The first result of a command that is not whole can never be given again.
      if (position !== before + 1) command = undefined
      before = position
      const next = this.#keys.commandAt(position)
      if (next !== undefined) {
        await this.#imported.flush()
        command = next
      }
      const event = this.#follow(value)
      if (event === undefined) {
        await this.#setAside(value)
        command = undefined
      } else {
        await this.#imported.add(event)
      }
      if (position === command?.last) {
        await this.#imported.flush({ commandId: command.commandId, alsoNamed: command.streams })
        command = undefined
      } else if (command === undefined && this.#imported.waiting >= BATCH && this.#imported.mayPause) {
        await this.#imported.flush()
      }
      this.#options.onProgress?.({ events: this.#imported.count.imported, position })
    }
    await this.#imported.flush()
  }

  /** The event, if it follows what was kept of its stream. */
  #follow(value: string): RecordedEvent | RecordedStub | undefined {
    const record = parseRecord(value)
    if (record === undefined) return undefined
    const { event } = record
    const stream = this.#streams.get(event.stream_id) ?? { version: 0, hash: GENESIS, whole: true }
    this.#streams.set(event.stream_id, stream)
    if (!stream.whole || event.version !== stream.version + 1 || !continues(stream.hash, record)) {
      stream.whole = false
      return undefined
    }
    stream.version = event.version
    stream.hash = event.hash
    const { stream_id, version, position, hash } = event
    return record.isStub ? { stub: true, stream_id, version, position, hash } : event
  }

  async #setAside(value: string): Promise<void> {
    this.#cutOff ??= { file: await open(join(this.#options.into, 'cut-off.ndjson'), 'a'), count: 0 }
    this.#cutOff.count += 1
    await this.#cutOff.file.write(`${JSON.stringify(parseRecord(value)?.event)}\n`)
  }

  async #nameMissing(last: number): Promise<void> {
    for (const position of await this.#keys.missing(last)) {
      const place = this.#keys.placeOf(position)
      this.#lost.push(damage('missing', 'it could not be read from any file', { position, ...place }))
    }
  }

  async #copyEntries(): Promise<number> {
    const { entries, damaged } = this.#keys.entries()
    for (const key of damaged) this.#lost.push(damage('entry', `'${key}' is damaged`, {}))
    for (let at = 0; at < entries.length; at += BATCH) {
      await this.#store.appendBatch({ appends: [], entries: entries.slice(at, at + BATCH) })
    }
    return entries.length
  }
}

const notEmptyError = (into: string): EventStoreError =>
  new EventStoreError('ES_STREAM_EXISTS', {
    happened: `There is a store with events in ${into} already`,
    expected: 'Expected a folder without a store to salvage into',
    remedy: 'Name another folder; nothing was written',
  })
