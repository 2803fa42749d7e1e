/**
 * Snapshots: folds of streams up to a version, kept so that the next fold need not begin at the first event.
 *
 * Owns a storage of its own, which can be deleted at any time. Never believed: a snapshot counts only if its
 * own hash holds, it was made by the same machine, and the log has, at its version, the event it was made
 * after.
 *
 * I1  What `load` gives back is what was saved, for this machine, after an event that the log has.
 */
import { EventStoreError } from './errors.ts'
import type { JsonValue, RecordedEvent } from './event.ts'
import type { EventStore } from './event-store.ts'
import { DerivedWriter } from './derived-writer.ts'
import { snapshotKey, snapshotRange, wholeSnapshots } from './keys.ts'
import { copyAsJson } from './payload.ts'
import { sha256 } from './record.ts'
import { seal, unseal } from './sealed.ts'
import type { Storage } from './storage.ts'

export type SnapshotOptions = {
  /** A snapshot is due when this many events were added since the last; default 100. */
  readonly every?: number
  /** How many are kept per stream; default 2. */
  readonly keep?: number
  /** Seals states on their way to the disk, for a log that seals; default none is. */
  readonly seal?: SnapshotSeal
}

/** What seals a state, and opens it again; a store that seals is one. */
export type SnapshotSeal = {
  /** `undefined` for what must not be kept. */
  sealBeside(at: SnapshotPlace, state: JsonValue): JsonValue | undefined
  /** `undefined` for what cannot be opened. */
  openBeside(at: SnapshotPlace, state: JsonValue): JsonValue | undefined
}

type SnapshotPlace = { readonly stream_id: string; readonly what: readonly string[] }

/** The fold of a stream up to and including `version`. */
export type Snapshot = {
  readonly stream_id: string
  readonly version: number
  /** `hash` of the event at `version`. */
  readonly hash: string
  /** `name@version` of the machine that made it. */
  readonly machine: string
  readonly state: JsonValue
}

type SnapshotRecord = Omit<Snapshot, 'stream_id'> & { readonly state_hash: string }

export class Snapshots {
  readonly #storage: Storage
  readonly #writer: DerivedWriter
  readonly #every: number
  readonly #keep: number
  readonly #seal: SnapshotSeal | undefined
  readonly #close: () => Promise<void>

  constructor(storage: Storage, options: SnapshotOptions & { readonly close: () => Promise<void> }) {
    const { every = 100, keep = 2, seal } = options
    for (const [path, value] of Object.entries({ every, keep })) {
      if (!Number.isSafeInteger(value) || value < 1) throw invalidCount(path, value)
    }
    this.#storage = storage
    this.#writer = new DerivedWriter(storage)
    this.#every = every
    this.#keep = keep
    this.#seal = seal
    this.#close = options.close
  }

  /** Whether a stream that is at `version`, and was loaded at `last` (0: from its start), should be saved. */
  isDue(version: number, last: number): boolean {
    return version - last >= this.#every
  }

  /**
   * Keeps a snapshot and drops the oldest ones of its stream.
   * @throws {EventStoreError} `ES_NOT_SERIALISABLE` if the state is not JSON.
   */
  async save(snapshot: Omit<Snapshot, 'state'> & { readonly state: unknown }): Promise<void> {
    const { stream_id, version, hash, machine } = snapshot
    const { value } = copyAsJson(snapshot.state, { root: () => 'state', outcome: false })
    const state = this.#seal === undefined ? value : this.#seal.sealBeside(placeOf(snapshot), value)
    if (state === undefined) return
    const record: SnapshotRecord = {
      version,
      hash,
      machine,
      state,
      state_hash: stateHash({ version, machine, state }),
    }
    await this.#writer.write(async (batch) => {
      const known = await this.#storage.range(snapshotRange(stream_id))
      const key = snapshotKey(stream_id, version)
      const others = known.map(([at]) => at).filter((at) => at !== key)
      for (const old of others.slice(0, Math.max(0, others.length - this.#keep + 1))) batch.del(old)
      batch.put(key, seal(key, record))
    })
  }

  /** The latest snapshot of the stream that holds, made by this machine; undefined if there is none. */
  async load(store: EventStore, stream_id: string, machine: string): Promise<Snapshot | undefined> {
    for (const snapshot of await this.candidates(stream_id, machine)) {
      if (await isInLog(store, stream_id, snapshot)) return snapshot
    }
    return undefined
  }

  /**
   * The snapshots of the stream that are as they were saved, made by this machine, the latest first. Whether the log
   * has the event that they were made after is for the caller to see, who is about to read there.
   */
  async candidates(stream_id: string, machine: string): Promise<Snapshot[]> {
    const found: Snapshot[] = []
    const known = await this.#storage.range({ ...snapshotRange(stream_id), reverse: true })
    for (const [key, stored] of known) {
      const opened = unseal<SnapshotRecord>(key, stored)
      if (opened.type === 'damaged') continue
      const { state_hash, ...record } = opened.value
      if (record.machine !== machine || stateHash(record) !== state_hash) continue
      const at = placeOf({ stream_id, ...record })
      const state = this.#seal === undefined ? record.state : this.#seal.openBeside(at, record.state)
      if (state !== undefined) found.push({ stream_id, ...record, state })
    }
    return found
  }

  /** The latest snapshot that holds, and the events after it: what a fold needs. */
  async replay(
    store: EventStore,
    stream_id: string,
    machine: string,
  ): Promise<{ readonly snapshot: Snapshot | undefined; readonly events: AsyncIterable<RecordedEvent> }> {
    const snapshot = await this.load(store, stream_id, machine)
    return { snapshot, events: store.readStream(stream_id, { fromVersion: (snapshot?.version ?? 0) + 1 }) }
  }

  /** Forgets the snapshots of one stream, or all. */
  async drop(stream_id?: string): Promise<void> {
    const range = stream_id === undefined ? wholeSnapshots : snapshotRange(stream_id)
    await this.#writer.write(async (batch) => {
      for await (const page of this.#storage.scan(range)) for (const [key] of page) batch.del(key)
    })
  }

  async close(): Promise<void> {
    await this.#writer.close()
    await this.#close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const placeOf = ({
  stream_id,
  version,
  machine,
}: Pick<Snapshot, 'stream_id' | 'version' | 'machine'>): SnapshotPlace => ({
  stream_id,
  what: ['snapshot', machine, String(version)],
})

const stateHash = ({ version, machine, state }: Pick<Snapshot, 'version' | 'machine' | 'state'>): string =>
  sha256(JSON.stringify([version, machine, state]))

const isInLog = async (
  store: EventStore,
  stream_id: string,
  { version, hash }: Pick<Snapshot, 'version' | 'hash'>,
): Promise<boolean> => {
  for await (const event of store.readStream(stream_id, { fromVersion: version, toVersion: version })) {
    return event.hash === hash
  }
  return false
}

const invalidCount = (path: string, value: number): EventStoreError =>
  new EventStoreError('ES_INVALID_OPTION', {
    happened: `${path} is ${value}`,
    expected: 'Expected a whole number of at least 1',
    remedy: 'Correct the option',
    details: { path },
  })
