/**
 * The head of every stream: the one that is stored, or a later one that the events on disk say already.
 *
 * A head is worth no write for each event: what it says can be read from the events. So heads are stored every few
 * thousand events, all at once, with a mark up to where they are complete; the next opening reads what comes after.
 *
 * Owns the late heads and those of the batch that is being written. Stores them with a batch of the writer's, and at
 * close; never changes anything else.
 *
 * I1  A late head is of an event after the mark: a crash loses nothing that is not found again.
 * I2  Once a batch is on disk, fewer than `CHECKPOINT_EVENTS` events are after the mark, and fewer than
 *     `CHECKPOINT_HEADS` heads are late but for those of the last batch.
 * I3  The head that is given is of the last event that the storage has: while a batch is under way, its heads count
 *     from the moment at which the storage has its events, whether or not the writer was told.
 */
import { corruptError, damage } from './damage.ts'
import { compareKeys, headKey, HEADS_KEY, headsRange, nameOfKey, streamKey } from './keys.ts'
import { seal, sealHead, unseal, type HeadRecord, type HeadsMark } from './sealed.ts'
import type { Storage, StorageBatch, StorageView } from './storage.ts'

/** So many that a head costs little beside the events it stands for, so few that an opening reads them in some 25 ms. */
const CHECKPOINT_EVENTS = 4096
/** An opening looks up the stored head of each stream that has a late one; that takes twice as long as an event. */
const CHECKPOINT_HEADS = 1024

/** Heads that are not stored yet, by stream; those of streams that ended up to `upTo` are. */
export type LateHeads = { readonly upTo: number; readonly heads: ReadonlyMap<string, HeadRecord> }

/** A batch that is being written: the heads it leads to, and up to where heads are complete if it stores them all. */
type Flight = { readonly heads: ReadonlyMap<string, HeadRecord>; readonly upTo: number | undefined }

export type Landing = {
  /** Of the streams in the batch. */
  readonly heads: ReadonlyMap<string, HeadRecord>
  /** Where the log ends with the batch. */
  readonly position: number
  /** Whether events become stubs with it, or come as stubs: what they said of machine and state is not read again. */
  readonly unrepeatable: boolean
}

export type NamedHead = readonly [stream_id: string, head: HeadRecord]

export class StreamHeads {
  readonly #storage: Storage
  readonly #late: Map<string, HeadRecord>
  #upTo: number
  #flight: Flight | undefined

  constructor(storage: Storage, { upTo, heads }: LateHeads) {
    this.#storage = storage
    this.#late = new Map(heads)
    this.#upTo = upTo
  }

  /** @throws {EventStoreError} `ES_CORRUPT` if the stored head does not verify. */
  read(stream_id: string): HeadRecord | undefined {
    const landing = this.#flight?.heads.get(stream_id)
    if (landing !== undefined && this.#storage.getSync(lastKey(stream_id, landing)) !== undefined)
      return landing
    return this.#late.get(stream_id) ?? readStoredHead(this.#storage, stream_id)
  }

  /**
   * All heads of streams whose id begins with `prefix`, in the order of ids, page by page.
   * @throws {EventStoreError} `ES_CORRUPT` if a stored head does not verify.
   */
  async *scan(prefix: string): AsyncGenerator<readonly NamedHead[], void, undefined> {
    const late = new Map(
      Array.from(this.#lateNow(this.#flightHasLanded()))
        .filter(([stream_id]) => stream_id.startsWith(prefix))
        .sort(([a], [b]) => compareKeys(a, b)),
    )
    for await (const page of this.#storage.scan(headsRange(prefix))) {
      const heads: NamedHead[] = []
      for (const [key, stored] of page) {
        const stream_id = nameOfKey(key)
        heads.push(...takeBefore(late, stream_id))
        const found = openHead(stream_id, stored)
        const known = late.get(stream_id)
        late.delete(stream_id)
        // If it was stored since this scan began, what is stored may be the later one.
        heads.push([stream_id, known !== undefined && known.version > found.version ? known : found])
      }
      yield heads
    }
    yield Array.from(late)
  }

  /** The late heads in a view that was opened in this same turn. */
  async lateIn(view: StorageView): Promise<ReadonlyMap<string, HeadRecord>> {
    const flight = this.#flight
    const before = this.#lateNow(false)
    const [first] = flight?.heads ?? []
    if (flight === undefined || first === undefined) return before
    const [landed] = await view.getMany([lastKey(...first)])
    if (landed !== undefined) for (const [stream_id, head] of flight.heads) before.set(stream_id, head)
    return before
  }

  /** Adds to a batch what is to be stored with it. `landed` says that it was written. */
  addTo(batch: StorageBatch, { heads, position, unrepeatable }: Landing): void {
    const isDue =
      unrepeatable || position - this.#upTo >= CHECKPOINT_EVENTS || this.#late.size >= CHECKPOINT_HEADS
    if (isDue) {
      for (const [stream_id, head] of this.#late) if (!heads.has(stream_id)) putHead(batch, stream_id, head)
      for (const [stream_id, head] of heads) putHead(batch, stream_id, head)
      putMark(batch, position)
    }
    this.#flight = { heads, upTo: isDue ? position : undefined }
  }

  landed(): void {
    const flight = this.#flight
    if (flight === undefined) return
    this.#flight = undefined
    if (flight.upTo === undefined) {
      for (const [stream_id, head] of flight.heads) this.#late.set(stream_id, head)
    } else {
      this.#late.clear()
      this.#upTo = flight.upTo
    }
  }

  /** Stores what is late in a log that ends at `position`, so that the next opening need not look for it. */
  async close(position: number): Promise<void> {
    if (this.#late.size === 0) return
    const batch = this.#storage.batch()
    storeHeads(batch, { upTo: position, heads: this.#late })
    // Only an aid: what is not stored is found in the events.
    await batch.write({ sync: true }).catch(() => undefined)
  }

  #flightHasLanded(): boolean {
    const [first] = this.#flight?.heads ?? []
    return first !== undefined && this.#storage.getSync(lastKey(...first)) !== undefined
  }

  #lateNow(withFlight: boolean): Map<string, HeadRecord> {
    const late = new Map(this.#late)
    if (withFlight) for (const [stream_id, head] of this.#flight?.heads ?? []) late.set(stream_id, head)
    return late
  }
}

/** Takes out the heads, which are in the order of ids, of streams before one. */
function* takeBefore(heads: Map<string, HeadRecord>, stream_id: string): Generator<NamedHead> {
  for (const [id, head] of heads) {
    if (compareKeys(id, stream_id) >= 0) return
    heads.delete(id)
    yield [id, head]
  }
}

/** Stores heads with the mark that says so. */
export const storeHeads = (batch: StorageBatch, { upTo, heads }: LateHeads): void => {
  for (const [stream_id, head] of heads) putHead(batch, stream_id, head)
  putMark(batch, upTo)
}

const putHead = (batch: StorageBatch, stream_id: string, head: HeadRecord): void => {
  const key = headKey(stream_id)
  batch.put(key, sealHead(key, head))
}

const putMark = (batch: StorageBatch, upTo: number): void => {
  const mark: HeadsMark = { up_to: upTo }
  batch.put(HEADS_KEY, seal(HEADS_KEY, mark))
}

/** The key in the stream index of the event that a head is of. */
const lastKey = (stream_id: string, head: HeadRecord): string => streamKey(stream_id, head.version)

/** @throws {EventStoreError} `ES_CORRUPT` if the head does not verify. */
const readStoredHead = (storage: Storage, stream_id: string): HeadRecord | undefined => {
  const stored = storage.getSync(headKey(stream_id))
  return stored === undefined ? undefined : openHead(stream_id, stored)
}

/** @throws {EventStoreError} `ES_CORRUPT` if the head does not verify. */
const openHead = (stream_id: string, stored: string): HeadRecord => {
  const head = unseal<HeadRecord>(headKey(stream_id), stored)
  if (head.type === 'value') return head.value
  throw corruptError(damage('head', `the head of the stream: ${head.detail}`, { stream_id }))
}
