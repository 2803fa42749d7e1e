/**
 * Appends events that were recorded elsewhere, with their ids and versions, and their positions if they can be kept.
 *
 * Owns the events that wait for the next batch and what is known of their streams.
 *
 * I1  A stream gets its events in order, from version 1 or from where an earlier import ended.
 * I2  Once a position could not be kept, where each event came from is written beside it.
 * I3  Whose a sealed event is, is known in the log that it comes to: it can be erased there as well.
 */
import { EventStoreError } from './errors.ts'
import type { NewEvent, RecordedEvent } from './event.ts'
import { sealingEntries } from './sealing/subjects.ts'
import type { AtomicBatch, BatchResult, Entry, EventStore, ImportBatch, RecordedStub } from './event-store.ts'

/** Entries of this prefix tell where events came from: `[new position, old position, how many in a row]`. */
const ORIGINS = 'imported/'
const POSITION_WIDTH = 16

export type FlushOptions = {
  /** The command whose result the batch was. */
  readonly commandId?: string
  /** Streams that the command named without appending to them. */
  readonly alsoNamed?: readonly string[]
}

type Imported = RecordedEvent | RecordedStub

type Run = [now: number, before: number, count: number]

export class ImportedEvents {
  readonly count = { imported: 0, skipped: 0 }
  /** Whether every event has the position it had. */
  samePositions = true
  readonly #store: EventStore
  readonly #versions = new Map<string, number>()
  #waiting: Imported[] = []

  constructor(store: EventStore) {
    this.#store = store
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether the log may end here for a while: not in what is left of archived events. */
  get mayPause(): boolean {
    const last = this.#waiting.at(-1)
    return last === undefined || !('stub' in last)
  }

  /** @throws {EventStoreError} `ES_STREAM_EXISTS`, `ES_IMPORT_REFUSED`. */
  async add(event: Imported): Promise<void> {
    const known = this.#versions.get(event.stream_id)
    const version = known ?? (await this.#begin(event))
    if (event.version <= version) {
      await this.#assertSame(event)
      this.count.skipped += 1
      return
    }
    this.#versions.set(event.stream_id, event.version)
    this.#waiting.push(event)
  }

  /** Appends what waits, in one batch. */
  async flush(options: FlushOptions = {}): Promise<void> {
    const events = this.#waiting
    if (events.length === 0) return
    this.#waiting = []
    const runs = runsOf(events, this.#store.position())
    const moved = runs.some(([now, before]) => now !== before)
    if (moved) this.samePositions = false
    const entries: Entry[] = moved ? [{ key: originKey(runs[0]?.[0] ?? 0), value: runs }] : []
    const sealing = new Map<string, Entry>()
    for (const event of events)
      if (!('stub' in event)) for (const entry of sealingEntries(event)) sealing.set(entry.key, entry)
    entries.push(...sealing.values())
    const { alsoNamed = [], ...command } = options
    const named = alsoNamed.map((stream_id) => ({ stream_id, events: [] }))
    const batch = { appends: [...appendsOf(events), ...named], entries, ...command }
    const recorded = events.filter((event): event is RecordedEvent => !('stub' in event))
    const result =
      recorded.length === events.length
        ? await this.#store.appendBatch(batch as AtomicBatch)
        : await this.#importBatch(batch)
    for (const [index, event] of recorded.entries()) {
      const now = result.events[index]
      if (now?.position === event.position && now.hash !== event.hash) throw differsError(event)
    }
    this.count.imported += events.length
  }

  async #importBatch(batch: ImportBatch): Promise<BatchResult> {
    if (this.#store.importBatch !== undefined) return this.#store.importBatch(batch)
    throw new EventStoreError('ES_IMPORT_REFUSED', {
      happened: 'The import has what is left of archived events, and this store cannot keep that',
      expected: 'Expected a store with importBatch()',
      remedy: 'Import into a store of this package, or export only streams that were not archived',
    })
  }

  /** How far the stream has come here. */
  async #begin(event: Imported): Promise<number> {
    const head = await this.#store.head(event.stream_id)
    const version = head?.version ?? 0
    if (event.version > version + 1) throw beginsLateError(event, version)
    // The export goes on after what is here: only the same log has the hash that it follows.
    const next = this.#store.position() + this.#waiting.length + 1
    if (version > 0 && event.version === version + 1 && event.position !== next) throw existsError(event)
    this.#versions.set(event.stream_id, version)
    return version
  }

  async #assertSame(event: Imported): Promise<void> {
    const { stream_id, version } = event
    // An archived event cannot be compared by what it was; that its place is taken must do.
    if ('stub' in event) return
    for await (const here of this.#store.readStream(stream_id, {
      fromVersion: version,
      toVersion: version,
    })) {
      if (here.event_id !== event.event_id) break
      if (here.position !== event.position) this.samePositions = false
      return
    }
    throw existsError(event)
  }
}

/** The batch keeps the order of the events: a stream comes up again each time the stream changes. */
const appendsOf = (events: readonly Imported[]): ImportBatch['appends'] => {
  const appends: { stream_id: string; events: (NewEvent | { stub: string })[]; expectedVersion: number }[] =
    []
  for (const record of events) {
    const { stream_id, version, position: _position, hash, ...event } = record
    const item = 'stub' in event ? { stub: hash } : event
    const last = appends.at(-1)
    if (last?.stream_id === stream_id) last.events.push(item)
    else appends.push({ stream_id, events: [item], expectedVersion: version - 1 })
  }
  return appends
}

const runsOf = (events: readonly Imported[], end: number): Run[] => {
  const runs: Run[] = []
  for (const [index, { position }] of events.entries()) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] + last[2] === position) last[2] += 1
    else runs.push([end + 1 + index, position, 1])
  }
  return runs
}

const originKey = (position: number): string => ORIGINS + position.toString().padStart(POSITION_WIDTH, '0')

const existsError = ({ stream_id, version }: Imported): EventStoreError =>
  new EventStoreError('ES_STREAM_EXISTS', {
    happened: `Stream '${stream_id}' exists already, with other events than the import has`,
    expected: 'Expected streams that do not exist here, or that an earlier run of the same import wrote',
    remedy: 'Import into an empty store, or leave this stream out of the export',
    details: { stream_id, version },
  })

const beginsLateError = ({ stream_id, version }: Imported, here: number): EventStoreError =>
  new EventStoreError('ES_IMPORT_REFUSED', {
    happened: `The import has stream '${stream_id}' from version ${version} on, and here it is at version ${here}`,
    expected: `Expected its events from version ${here + 1} on`,
    remedy: 'Import the part of the export before this one first',
    details: { stream_id, version },
  })

const differsError = ({ stream_id, version, position }: RecordedEvent): EventStoreError =>
  new EventStoreError('ES_IMPORT_REFUSED', {
    happened: `Version ${version} of stream '${stream_id}' got another hash here than it had`,
    expected: 'Expected the same events before it in both logs',
    remedy: 'Import into an empty store, from the beginning of the log',
    details: { stream_id, version, position },
  })
