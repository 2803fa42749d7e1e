/**
 * Checks the log record by record, in the order of positions; `readAll` and `verify` both see through it.
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
import { continues, decodeRecord, GENESIS, type DecodedRecord } from './record.ts'

/** The last that was seen of a stream. */
export type SeenStream = { version: number; position: number; hash: string }

export type Audited =
  | { readonly type: 'sound'; readonly event: RecordedEvent }
  | { readonly type: 'damaged'; readonly damage: Damage; readonly event?: RecordedEvent }

/** More are not named one by one. */
const MAX_NAMED = 10_000

const positionsBetween = (from: number, to: number): number[] =>
  Array.from({ length: Math.min(MAX_NAMED, Math.max(0, to - from)) }, (_, index) => from + index)

type Readable = Extract<DecodedRecord, { type: 'event' }>

export class LogAuditor {
  readonly streams = new Map<string, SeenStream>()
  readonly #fromStart: boolean
  #next: number

  /** `after`: the position before the first record it will be shown. */
  constructor(after: number) {
    this.#fromStart = after === 0
    this.#next = after + 1
  }

  /** What is missing between the last record and one at `position`. */
  gapBefore(position: number): Damage[] {
    const missing = positionsBetween(this.#next, position)
    this.#next = Math.max(this.#next, position)
    return missing.map((at) => damage('missing', 'there is no record', { position: at }))
  }

  /** The record stored at `position`, in order. */
  accept(position: number, value: string): Audited {
    this.#next = position + 1
    const record = decodeRecord(value)
    if (record.type === 'unreadable') {
      return { type: 'damaged', damage: damage('unreadable', record.detail, { position }) }
    }
    const { event } = record
    if (event.position !== position) {
      const detail = `the record says it is at position ${event.position}`
      return { type: 'damaged', damage: damage('misplaced', detail, { ...event, position }) }
    }
    const broken = this.#link(record)
    return broken === undefined ? { type: 'sound', event } : { type: 'damaged', damage: broken, event }
  }

  #link(record: Readable): Damage | undefined {
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
    const { version, hash } = seen
    seen.version = event.version
    seen.position = event.position
    seen.hash = event.hash
    if (event.version !== version + 1) {
      const detail = `version ${event.version} follows version ${version}`
      return damage('missing', detail, { stream_id: event.stream_id, version: version + 1 })
    }
    if (continues(hash, record)) return undefined
    return damage('chain', `it does not follow version ${version} of its stream`, event)
  }

  #begin(record: Readable): Damage | undefined {
    const { event } = record
    if (event.version === 1) {
      return continues(GENESIS, record)
        ? undefined
        : damage('chain', 'its hash is not that of a first event', event)
    }
    // A scan from the middle cannot know what came before; one from the start can.
    if (!this.#fromStart) return undefined
    const detail = `the stream begins at version ${event.version}`
    return damage('missing', detail, { stream_id: event.stream_id, version: 1 })
  }
}
