/**
 * Finds events by type, correlation and time, and streams by state: projections of the log, kept up to date.
 *
 * Owns a storage of its own, with a checkpoint: the position it has come to and the hash of the event there.
 * Never the truth: what it finds is read, verified, from the log, and all of it can be built again.
 *
 * I1  Everything up to the checkpoint is indexed; the checkpoint is written in the same batch.
 * I2  A query sees every event that was in the log when it was asked.
 * I3  If the log is not the one that was indexed, the indexes begin again.
 */
import { DerivedWriter } from './derived-writer.ts'
import { EventStoreError } from './errors.ts'
import type { JsonValue, RecordedEvent } from './event.ts'
import type { EventStore, StreamHead } from './event-store.ts'
import {
  CHECKPOINT_KEY,
  decodePlace,
  encodePlace,
  indexKeysOf,
  positionInIndexKey,
  stateKey,
  stateRange,
  statesOf,
  streamInStateKey,
  streamStatesKey,
  timeRange,
  valueRange,
} from './index-keys.ts'
import { closedError } from './write-errors.ts'
import { everything, type KeyRange } from './keys.ts'
import { seal, unseal } from './sealed.ts'
import type { Storage, StorageBatch } from './storage.ts'

const BATCH = 500

export type IndexQuery = {
  /** Events after this position; default 0. */
  readonly fromPosition?: number
  /** Last position, inclusive; default the end of the log. */
  readonly toPosition?: number
  /** The last first; default false. */
  readonly backwards?: boolean
  readonly signal?: AbortSignal
}

export type TimeQuery = {
  /** From this time on; default the beginning. */
  readonly from?: Date
  /** Before this time; default the end. */
  readonly before?: Date
  /** Only this stream's; default all. */
  readonly stream_id?: string
  readonly backwards?: boolean
  readonly signal?: AbortSignal
}

type Checkpoint = { readonly position: number; readonly hash: string }

const START: Checkpoint = { position: 0, hash: '' }
/** The last time that can be written with four digits for the year. */
const LAST_TIME = new Date('9999-12-31T23:59:59.999Z')

type Waiter = {
  readonly position: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type State =
  | { readonly type: 'running'; readonly stop: AbortController; readonly done: Promise<void> }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'closed' }

export class EventIndexes {
  readonly #store: EventStore
  readonly #storage: Storage
  readonly #writer: DerivedWriter
  readonly #close: () => Promise<void>
  #checkpoint: Checkpoint = START
  #waiting: Waiter[] = []
  #state: State

  constructor(options: {
    readonly store: EventStore
    readonly storage: Storage
    readonly close: () => Promise<void>
  }) {
    this.#store = options.store
    this.#storage = options.storage
    this.#writer = new DerivedWriter(options.storage)
    this.#close = options.close
    this.#state = this.#start()
  }

  /** Events of one type, in the order of the log. */
  byType(event_type: string, query: IndexQuery = {}): AsyncIterable<RecordedEvent> {
    return this.#query(valueRange('type', event_type, boundsOf(query)), query)
  }

  /** Events of one correlation, in the order of the log. */
  byCorrelation(correlation_id: string, query: IndexQuery = {}): AsyncIterable<RecordedEvent> {
    return this.#query(valueRange('correlation', correlation_id, boundsOf(query)), query)
  }

  /** Events of a stretch of time, of all streams or of one, in the order of their timestamps. */
  byTime(query: TimeQuery = {}): AsyncIterable<RecordedEvent> {
    const { from = new Date(0), before = LAST_TIME } = query
    return this.#query(timeRange(from, before), query)
  }

  /**
   * Streams whose machine is in a state now: `'paused'`, or `'paid.by.card'` in nested ones; in the order of
   * their ids.
   */
  async *byState(
    state: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<StreamHead, void, undefined> {
    signal?.throwIfAborted()
    await this.caughtUp()
    for await (const page of this.#storage.scan(stateRange(state))) {
      for (const [key] of page) {
        signal?.throwIfAborted()
        const head = await this.#store.head(streamInStateKey(key))
        if (head !== undefined && statesOf(head.state).includes(state)) yield head
      }
    }
  }

  /** Position up to which everything is indexed. */
  position(): number {
    return this.#checkpoint.position
  }

  /**
   * Resolves once everything up to `position` is indexed; default all that is in the log now.
   * @throws {EventStoreError} what reading the log threw, and `ES_CLOSED`.
   */
  async caughtUp(position = this.#store.position()): Promise<void> {
    if (this.#state.type === 'closed') throw closedError()
    if (this.#state.type === 'failed') throw this.#state.error
    if (this.#checkpoint.position >= position) return
    await new Promise<void>((resolve, reject) => this.#waiting.push({ position, resolve, reject }))
  }

  /** Forgets everything and builds it again; resolves when that is done. */
  async rebuild(): Promise<void> {
    await this.#stop()
    await this.#clear()
    this.#state = this.#start()
    await this.caughtUp()
  }

  async close(): Promise<void> {
    if (this.#state.type === 'closed') return
    await this.#stop()
    this.#state = { type: 'closed' }
    this.#rejectAll(closedError())
    await this.#writer.close()
    await this.#close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #start(): State {
    const stop = new AbortController()
    return { type: 'running', stop, done: this.#run(stop.signal) }
  }

  async #stop(): Promise<void> {
    if (this.#state.type !== 'running') return
    this.#state.stop.abort()
    await this.#state.done
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      this.#checkpoint = await this.#resume()
      this.#wake()
      let batch: RecordedEvent[] = []
      for await (const event of this.#store.follow({ fromPosition: this.#checkpoint.position, signal })) {
        batch.push(event)
        // Level with the log: there may be no next event for a long time.
        if (batch.length < BATCH && event.position < this.#store.position()) continue
        await this.#index(batch)
        batch = []
      }
      if (!signal.aborted) this.#fail(closedError())
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#state = { type: 'failed', error }
    this.#rejectAll(error)
  }

  /** The checkpoint, if the log has the event that it names; otherwise the start, with everything forgotten. */
  async #resume(): Promise<Checkpoint> {
    const stored = this.#storage.getSync(CHECKPOINT_KEY)
    if (stored === undefined) return START
    const opened = unseal<Checkpoint>(CHECKPOINT_KEY, stored)
    if (opened.type === 'value' && opened.value.position <= this.#store.position()) {
      for await (const event of this.#store.readAll({ fromPosition: opened.value.position - 1 })) {
        if (event.position === opened.value.position && event.hash === opened.value.hash) return opened.value
        break
      }
    }
    await this.#clear()
    return START
  }

  async #clear(): Promise<void> {
    this.#checkpoint = START
    await this.#writer.write(async (batch) => {
      for await (const page of this.#storage.scan(everything)) for (const [key] of page) batch.del(key)
    })
  }

  async #index(events: readonly RecordedEvent[]): Promise<void> {
    const last = events.at(-1)
    if (last === undefined) return
    const checkpoint: Checkpoint = { position: last.position, hash: last.hash }
    await this.#writer.write((batch) => {
      const states = new Map<string, JsonValue>()
      for (const event of events) {
        const place = encodePlace(event)
        for (const key of indexKeysOf(event)) batch.put(key, place)
        if (event.state !== null) states.set(event.stream_id, event.state)
      }
      for (const [stream_id, state] of states) this.#moveStream(batch, stream_id, statesOf(state))
      batch.put(CHECKPOINT_KEY, seal(CHECKPOINT_KEY, checkpoint))
    })
    this.#checkpoint = checkpoint
    this.#wake()
  }

  /** Takes a stream out of the states it was in and puts it into those it is in now. */
  #moveStream(batch: StorageBatch, stream_id: string, states: readonly string[]): void {
    const key = streamStatesKey(stream_id)
    const stored = this.#storage.getSync(key)
    const before = stored === undefined ? [] : (JSON.parse(stored) as string[])
    for (const state of before) batch.del(stateKey(state, stream_id))
    for (const state of states) batch.put(stateKey(state, stream_id), '')
    batch.put(key, JSON.stringify(states))
  }

  async *#query(
    range: KeyRange,
    { backwards = false, stream_id, signal }: Omit<TimeQuery, 'from' | 'before'>,
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    signal?.throwIfAborted()
    await this.caughtUp()
    for await (const page of this.#storage.scan({ ...range, reverse: backwards })) {
      for (const [key, value] of page) {
        signal?.throwIfAborted()
        const place = decodePlace(value)
        if (stream_id !== undefined && place.stream_id !== stream_id) continue
        const event = await this.#read(place)
        // Archived since: the log does not have it any more.
        if (event === undefined) continue
        if (event.position !== positionInIndexKey(key)) throw damagedError(key)
        yield event
      }
    }
  }

  async #read({
    stream_id,
    version,
  }: {
    stream_id: string
    version: number
  }): Promise<RecordedEvent | undefined> {
    for await (const event of this.#store.readStream(stream_id, {
      fromVersion: version,
      toVersion: version,
    })) {
      return event
    }
    return undefined
  }

  #wake(): void {
    const { position } = this.#checkpoint
    const still = this.#waiting.filter((waiter) => waiter.position > position)
    const done = this.#waiting.filter((waiter) => waiter.position <= position)
    this.#waiting = still
    for (const waiter of done) waiter.resolve()
  }

  #rejectAll(error: unknown): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error)
  }
}

const boundsOf = ({ fromPosition = 0, toPosition = Number.MAX_SAFE_INTEGER - 1 }: IndexQuery) => ({
  after: fromPosition,
  until: toPosition,
})

const damagedError = (key: string): EventStoreError =>
  new EventStoreError('ES_INDEX_DAMAGED', {
    happened: `The index leads from '${key}' to an event that is somewhere else`,
    expected: 'Expected the indexes to be those of this log',
    remedy: 'Call rebuild(); the log itself is not affected',
  })
