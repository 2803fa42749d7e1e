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
import type { RecordedEvent } from './event.ts'
import type { Durability } from './event-store.ts'
import { batchKey, eventKey, headKey, streamKey } from './keys.ts'
import type { Plan, RecordPlace } from './plan.ts'
import { batchHash } from './record.ts'
import { sealHead, sealLink, type BatchNote, type BatchRecord, type HeadRecord } from './sealed.ts'
import type { Storage, StorageBatch } from './storage.ts'
import { closedError, notWrittenError, poisonedError, unknownError } from './write-errors.ts'

/** Few enough that a thousand writers fill two groups: one is encoded while the other is written. */
const MAX_EVENTS = 512
const MAX_SIZE = 1024 * 1024

/** Hears what became of a plan; does not throw. */
export interface PlanWaiter {
  /** It is on disk, as durably as its group was written. */
  written(durability: Durability): void
  failed(error: unknown): void
}

type Group = {
  readonly batch: StorageBatch
  readonly events: RecordedEvent[]
  /** Of every record, in order. */
  readonly hashes: string[]
  readonly heads: Map<string, HeadRecord>
  readonly notes: BatchNote[]
  readonly waiters: PlanWaiter[]
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
  /** Size of what was written, in characters. */
  readonly size: number
}

export type GroupCommitOptions = {
  readonly storage: Storage
  /** Where the last batch on disk ends. */
  readonly end: BatchEnd
  /** More than this waiting to be written is full: events, and characters of what they take. */
  readonly bound: { readonly events: number; readonly size: number }
  /** Called after a group is as durable as asked, before its appends resolve. */
  readonly onWritten: (group: WrittenGroup) => void
}

export class GroupCommit {
  readonly #storage: Storage
  readonly #onWritten: GroupCommitOptions['onWritten']
  readonly #queue: Group[] = []
  #end: BatchEnd
  #state: State = { type: 'open' }
  /** What was taken and is not on disk. */
  readonly #pending = { events: 0, size: 0 }
  readonly #bound: GroupCommitOptions['bound']
  #waitingForRoom: (() => void)[] = []
  #inFlight = false
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(options: GroupCommitOptions) {
    this.#storage = options.storage
    this.#end = options.end
    this.#bound = options.bound
    this.#onWritten = options.onWritten
  }

  /** @throws {EventStoreError} `ES_CLOSED`, `ES_POISONED`. */
  assertOpen(): void {
    if (this.#state.type === 'closing') throw closedError()
    if (this.#state.type === 'poisoned') throw poisonedError(this.#state.cause)
  }

  get isFull(): boolean {
    return this.#pending.events >= this.#bound.events || this.#pending.size >= this.#bound.size
  }

  /** Resolves when there is room, in the order of calls; also when there will never be any again. */
  async room(): Promise<void> {
    if (!this.isFull && this.#waitingForRoom.length === 0) return
    await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve))
  }

  /**
   * Takes a plan whose versions and positions are reserved. Keeps nothing of it but its events and heads: what lives until
   * the disk is done is what the garbage collector has to carry.
   */
  add(plan: Plan, durability: Durability, waiter: PlanWaiter): void {
    const group = this.#groupFor(plan)
    this.#collect(group, plan)
    if (durability === 'fsync') group.sync = true
    group.waiters.push(waiter)
    this.#schedule()
  }

  /** Writes what was taken, then refuses more. */
  async close(): Promise<void> {
    if (this.#state.type === 'open') this.#state = { type: 'closing' }
    this.#giveRoom()
    if (!this.#inFlight && this.#queue.length === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #groupFor(plan: Plan): Group {
    const last = this.#queue.at(-1)
    const fits =
      last !== undefined &&
      last.hashes.length + plan.records.length <= MAX_EVENTS &&
      last.size + plan.size <= MAX_SIZE
    if (fits) return last
    const group: Group = {
      batch: this.#storage.batch(),
      events: [],
      hashes: [],
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
    const { records, values } = plan
    for (let index = 0; index < records.length; index += 1) {
      const { stream_id, version, position, hash } = records[index] as RecordPlace
      group.batch.put(eventKey(position), values[index] as string)
      group.batch.put(streamKey(stream_id, version), String(position))
      group.hashes.push(hash)
    }
    for (const event of plan.events) group.events.push(event)
    for (const { key, value, note } of plan.entries) {
      if (value === undefined) group.batch.del(key)
      else group.batch.put(key, value)
      if (note !== undefined) group.notes.push(note)
    }
    for (const note of plan.notes) group.notes.push(note)
    // A head that only answered whether a version holds is on disk or in a group already.
    if (records.length > 0) {
      for (const [stream_id, head] of plan.heads) if (head !== undefined) group.heads.set(stream_id, head)
    }
    group.size += plan.size
    this.#pending.events += records.length
    this.#pending.size += plan.size
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
    this.#pending.events -= group.hashes.length
    this.#pending.size -= group.size
    const durability = group.sync ? 'fsync' : 'os'
    const end = this.#end
    // What waits is written while those who waited for this one work out what comes next.
    if (this.#isWorthWriting(group)) void this.#writeNext()
    this.#onWritten({ events: group.events, end, durability, size: group.size })
    for (const waiter of group.waiters) waiter.written(durability)
    this.#giveRoom()
    if (this.#queue.length > 0) this.#schedule()
    else if (!this.#inFlight) this.#announceIdle()
  }

  /** Lets in as many as there is room for, if each brings one event. */
  #giveRoom(): void {
    const stopped = this.#state.type !== 'open'
    const free = stopped ? this.#waitingForRoom.length : this.#bound.events - this.#pending.events
    if (!stopped && this.isFull) return
    for (const enter of this.#waitingForRoom.splice(0, free)) enter()
  }

  /** A small group rather waits for those who were woken, or two writers would drift apart for ever. */
  #isWorthWriting(last: Group): boolean {
    const next = this.#queue[0]
    return next !== undefined && next.waiters.length * 2 >= last.waiters.length
  }

  async #write(group: Group): Promise<void> {
    const { batch, hashes, notes } = group
    // Appends that only asked whether a version holds.
    if (hashes.length === 0 && notes.length === 0) return
    for (const [stream_id, head] of group.heads) {
      const key = headKey(stream_id)
      batch.put(key, sealHead(key, head))
    }
    const { position, turn, hash } = this.#end
    const noted = notes.length === 0 ? undefined : notes
    const end: BatchEnd = {
      position: position + hashes.length,
      turn: hashes.length === 0 ? turn + 1 : 0,
      hash: batchHash(hash, { notes: noted, hashes }),
    }
    const key = batchKey(end.position, end.turn)
    const link: BatchRecord = {
      first: position + 1,
      ...(noted === undefined ? {} : { notes: noted }),
      hash: end.hash,
    }
    batch.put(key, sealLink(key, link))
    await batch.write({ sync: group.sync })
    this.#end = end
  }

  #poison(inFlight: Group, cause: unknown): void {
    this.#state = { type: 'poisoned', cause }
    this.#inFlight = false
    for (const waiter of inFlight.waiters) waiter.failed(unknownError(cause))
    for (const group of this.#queue.splice(0)) {
      group.batch.discard()
      for (const waiter of group.waiters) waiter.failed(notWrittenError(cause))
    }
    this.#giveRoom()
    this.#announceIdle()
  }

  #announceIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
