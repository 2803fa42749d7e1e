/**
 * The one writer: collects what arrives while a write is in flight and writes it as the next batch.
 *
 * Owns the open group, the queue of full groups and the write in flight. Never decides what is written
 * (plans come ready made) and never tells anyone of an event before it is as durable as was asked.
 *
 * I1  At most one write is in flight: LevelDB applies two in either order.
 * I2  Groups are written in the order in which their plans were made.
 * I3  After a failed write nothing is written any more: what was in flight is unknown, what was queued
 *     was not written, and the handle may be acknowledging what it will lose.
 * I4  A group is synced unless every append in it asked for no more than the operating system.
 */
import type { BatchEnd } from './batch-auditor.ts'
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { Durability } from './event-store.ts'
import { batchKey, eventKey, headKey, streamKey } from './keys.ts'
import type { Plan } from './plan.ts'
import { batchHash } from './record.ts'
import { seal, type BatchNote, type BatchRecord, type HeadRecord } from './sealed.ts'
import type { Storage, StorageBatch } from './storage.ts'

/** Few enough that a thousand writers fill two groups: one is encoded while the other is written. */
const MAX_EVENTS = 512
const MAX_SIZE = 1024 * 1024

type Waiter = {
  readonly resolve: (durability: Durability) => void
  readonly reject: (error: unknown) => void
}

type Group = {
  readonly batch: StorageBatch
  readonly events: RecordedEvent[]
  readonly heads: Map<string, HeadRecord>
  readonly notes: BatchNote[]
  readonly waiters: Waiter[]
  size: number
  sync: boolean
}

type State =
  | { readonly type: 'open' }
  | { readonly type: 'closing' }
  | { readonly type: 'poisoned'; readonly cause: unknown }

export type WrittenGroup = {
  readonly events: readonly RecordedEvent[]
  readonly end: BatchEnd
  readonly durability: Durability
}

export type GroupCommitOptions = {
  readonly storage: Storage
  /** Where the last batch on disk ends. */
  readonly end: BatchEnd
  /** Called after a group is as durable as asked, before its appends resolve. */
  readonly onWritten: (group: WrittenGroup) => void
}

export class GroupCommit {
  readonly #storage: Storage
  readonly #onWritten: GroupCommitOptions['onWritten']
  readonly #queue: Group[] = []
  #end: BatchEnd
  #state: State = { type: 'open' }
  #inFlight = false
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(options: GroupCommitOptions) {
    this.#storage = options.storage
    this.#end = options.end
    this.#onWritten = options.onWritten
  }

  /** @throws {EventStoreError} `ES_CLOSED`, `ES_POISONED`. */
  assertOpen(): void {
    if (this.#state.type === 'closing') throw closedError()
    if (this.#state.type === 'poisoned') throw poisonedError(this.#state.cause)
  }

  /** Takes a plan whose versions and positions are reserved; resolves with what `result` makes of it. */
  add<T>(plan: Plan, durability: Durability, result: (reached: Durability) => T): Promise<T> {
    const group = this.#groupFor(plan)
    this.#collect(group, plan)
    if (durability === 'fsync') group.sync = true
    this.#schedule()
    return new Promise((resolve, reject) => {
      group.waiters.push({ resolve: (reached) => resolve(result(reached)), reject })
    })
  }

  /** Writes what was taken, then refuses more. */
  async close(): Promise<void> {
    if (this.#state.type === 'open') this.#state = { type: 'closing' }
    if (!this.#inFlight && this.#queue.length === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #groupFor(plan: Plan): Group {
    const last = this.#queue.at(-1)
    const fits =
      last !== undefined &&
      last.events.length + plan.events.length <= MAX_EVENTS &&
      last.size + plan.size <= MAX_SIZE
    if (fits) return last
    const group: Group = {
      batch: this.#storage.batch(),
      events: [],
      heads: new Map(),
      notes: [],
      waiters: [],
      size: 0,
      sync: false,
    }
    this.#queue.push(group)
    return group
  }

  /** Puts what is final into the batch at once, while another write may be in flight; heads change until the end. */
  #collect(group: Group, plan: Plan): void {
    plan.events.forEach((event, index) => {
      group.batch.put(eventKey(event.position), plan.records[index] ?? '')
      group.batch.put(streamKey(event.stream_id, event.version), String(event.position))
      group.events.push(event)
    })
    for (const { key, value, note } of plan.entries) {
      if (value === undefined) group.batch.del(key)
      else group.batch.put(key, value)
      group.notes.push(note)
    }
    for (const [stream_id, head] of plan.heads) group.heads.set(stream_id, head)
    group.size += plan.size
  }

  /**
   * Waits until the current turn and its microtasks are over: all who were woken by the last write, and
   * whose next append follows at once, share the next one.
   */
  #schedule(): void {
    if (this.#inFlight || this.#scheduled || this.#queue.length === 0) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      void this.#writeNext()
    })
  }

  async #writeNext(): Promise<void> {
    const group = this.#queue.shift()
    if (group === undefined) return
    this.#inFlight = true
    try {
      await this.#write(group)
    } catch (cause) {
      this.#poison(group, cause)
      return
    }
    this.#inFlight = false
    const durability = group.sync ? 'fsync' : 'os'
    const end = this.#end
    // What waits is written while those who waited for this one work out what comes next.
    if (this.#isWorthWriting(group)) void this.#writeNext()
    this.#onWritten({ events: group.events, end, durability })
    for (const waiter of group.waiters) waiter.resolve(durability)
    if (this.#queue.length > 0) this.#schedule()
    else if (!this.#inFlight) this.#announceIdle()
  }

  /** A small group rather waits for those who were woken, or two writers would drift apart for ever. */
  #isWorthWriting(last: Group): boolean {
    const next = this.#queue[0]
    return next !== undefined && next.waiters.length * 2 >= last.waiters.length
  }

  async #write(group: Group): Promise<void> {
    const { batch, events, notes } = group
    // Appends that only asked whether a version holds.
    if (events.length === 0 && notes.length === 0) return
    for (const [stream_id, head] of group.heads) {
      const key = headKey(stream_id)
      batch.put(key, seal(key, head))
    }
    const { position, turn, hash } = this.#end
    const hashes = events.map((event) => event.hash)
    const noted = notes.length === 0 ? undefined : notes
    const end: BatchEnd = {
      position: position + events.length,
      turn: events.length === 0 ? turn + 1 : 0,
      hash: batchHash(hash, { notes: noted, hashes }),
    }
    const key = batchKey(end.position, end.turn)
    const link: BatchRecord = {
      first: position + 1,
      ...(noted === undefined ? {} : { notes: noted }),
      hash: end.hash,
    }
    batch.put(key, seal(key, link))
    await batch.write({ sync: group.sync })
    this.#end = end
  }

  #poison(inFlight: Group, cause: unknown): void {
    this.#state = { type: 'poisoned', cause }
    this.#inFlight = false
    for (const waiter of inFlight.waiters) waiter.reject(unknownError(cause))
    for (const group of this.#queue.splice(0)) {
      group.batch.discard()
      for (const waiter of group.waiters) waiter.reject(notWrittenError(cause))
    }
    this.#announceIdle()
  }

  #announceIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const closedError = (): EventStoreError =>
  new EventStoreError('ES_CLOSED', {
    happened: 'The event store is closed',
    expected: 'Expected an open store',
    remedy: 'Open the store again, and call close() only after the last use',
  })

const poisonedError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_POISONED', {
    happened: `An earlier write failed (${reason(cause)}), so the store takes no more appends; nothing was written`,
    expected: 'Expected every write to succeed: after a failure LevelDB may acknowledge what it will lose',
    remedy: 'Remove the cause (is the disk full?), close this store and open it again',
    cause,
  })

const unknownError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_WRITE_UNKNOWN', {
    happened: `The write failed (${reason(cause)}); whether the events are on disk is unknown`,
    expected: 'Expected the disk to take the write',
    remedy:
      'Close and open the store, then append again with the same commandId: it finds the first result if there is one',
    cause,
  })

const notWrittenError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_NOT_WRITTEN', {
    happened: `A write before this one failed (${reason(cause)}); these events were not written`,
    expected: 'Expected the write before to succeed',
    remedy: 'Close and open the store, then append again',
    cause,
  })
