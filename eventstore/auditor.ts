/**
 * Checks the log record by record, in the order of positions; `verify` sees through it, and `readAll` once it met
 * damage.
 *
 * Owns what it has seen: the last position, and each stream's last version and hash. Never reads, and
 * never decides what damage leads to: it names it.
 *
 * I1  An event passes only if its checksum holds, it stands where its key says, and it follows what was
 *     seen of its stream.
 * I2  Each missing position is named once.
 */
import { damage, type Damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { checksumFault, continues, GENESIS, parseRecord, type ParsedRecord } from './record.ts'

/** The last that was seen of a stream. */
export type SeenStream = { version: number; position: number; hash: string }

export type Audited =
  | { readonly type: 'sound'; readonly hash: string; readonly event: RecordedEvent }
  /** What is left of an archived event. */
  | { readonly type: 'stub'; readonly hash: string; readonly stub: RecordedStub }
  /** With the hash that the record has, if it can be read. */
  | { readonly type: 'damaged'; readonly hash?: string; readonly damage: Damage }

/** More are not named one by one. */
const MAX_NAMED = 10_000

const NOTHING: readonly Damage[] = []

const positionsBetween = (from: number, to: number): number[] =>
  Array.from({ length: Math.min(MAX_NAMED, to - from) }, (_, index) => from + index)

export class LogAuditor {
  readonly streams = new Map<string, SeenStream>()
  /** The last version of each stream of which only a stub is left. */
  readonly stubs = new Map<string, number>()
  readonly #fromStart: boolean
  #next: number

  /** `after`: the position before the first record it will be shown. */
  constructor(after: number) {
    this.#fromStart = after === 0
    this.#next = after + 1
  }

  /** What is missing between the last record and one at `position`. */
  gapBefore(position: number): readonly Damage[] {
    if (position <= this.#next) return NOTHING
    const missing = positionsBetween(this.#next, position)
    this.#next = position
    return missing.map((at) => damage('missing', 'there is no record', { position: at }))
  }

  /** The record stored at `position`, in order. */
  accept(position: number, value: string): Audited {
    this.#next = position + 1
    const record = parseRecord(value)
    if (record !== undefined && record.event.position === position) {
      const { event } = record
      const seen = this.streams.get(event.stream_id)
      if (seen !== undefined && event.version === seen.version + 1 && continues(seen.hash, record)) {
        advance(seen, event)
        return this.#pass(record)
      }
    }
    return this.#scrutinise(position, value, record)
  }

  /** A record that is the first seen of its stream, or has something wrong. */
  #scrutinise(position: number, value: string, record: ParsedRecord | undefined): Audited {
    const fault = checksumFault(value)
    if (fault !== undefined || record === undefined) {
      const detail = fault ?? 'its checksum holds, but the body is not JSON'
      return { type: 'damaged', damage: damage('unreadable', detail, { position }) }
    }
    const { event } = record
    if (event.position !== position) {
      const claim = `the record says it is at position ${event.position}`
      return { type: 'damaged', damage: damage('misplaced', claim, { ...event, position }) }
    }
    const broken = this.#link(record)
    return broken === undefined ? this.#pass(record) : { type: 'damaged', hash: event.hash, damage: broken }
  }

  #pass({ event, isStub }: ParsedRecord): Audited {
    const { stream_id, version, position, hash } = event
    if (!isStub) return { type: 'sound', hash, event }
    this.stubs.set(stream_id, version)
    return { type: 'stub', hash, stub: { stub: true, stream_id, version, position, hash } }
  }

  #link(record: ParsedRecord): Damage | undefined {
    const { event } = record
    const seen = this.streams.get(event.stream_id)
    if (seen === undefined) {
      this.streams.set(event.stream_id, {
        version: event.version,
        position: event.position,
        hash: event.hash,
      })
      return this.#begin(record)
    }
    const { version } = seen
    advance(seen, event)
    if (event.version === version + 1) {
      return damage('chain', `it does not follow version ${version} of its stream`, event)
    }
    const detail = `version ${event.version} follows version ${version}`
    return damage('missing', detail, { stream_id: event.stream_id, version: version + 1 })
  }

  #begin(record: ParsedRecord): Damage | undefined {
    const { event } = record
    if (event.version === 1) {
      const follows = continues(GENESIS, record)
      return follows ? undefined : damage('chain', 'its hash is not that of a first event', event)
    }
    // A scan from the middle cannot know what came before; one from the start can.
    if (!this.#fromStart) return undefined
    const detail = `the stream begins at version ${event.version}`
    return damage('missing', detail, { stream_id: event.stream_id, version: 1 })
  }
}

const advance = (seen: SeenStream, { version, position, hash }: RecordedEvent): void => {
  seen.version = version
  seen.position = position
  seen.hash = hash
}
