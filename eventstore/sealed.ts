/** Small values beside the events, sealed with a checksum that binds each to its key. */
import type { JsonValue } from './event.ts'
import type { StreamHead } from './event-store.ts'
import { checksum } from './record.ts'

const CRC_LENGTH = 8

export type Opened<T> =
  | { readonly type: 'value'; readonly value: T }
  | { readonly type: 'damaged'; readonly detail: string }

/** A value as it is stored under `key`: a checksum over both, then the JSON. */
export const seal = (key: string, value: unknown): string => sealText(key, JSON.stringify(value))

const sealText = (key: string, text: string): string => checksum(key, text) + text

/** What `seal` makes of a head, sooner: one is written with each event. */
export const sealHead = (key: string, { version, position, hash, machine, state }: HeadRecord): string => {
  const name = machine === '' ? '""' : JSON.stringify(machine)
  const value = state === null ? 'null' : JSON.stringify(state)
  return sealText(
    key,
    `{"version":${version},"position":${position},"hash":"${hash}","machine":${name},"state":${value}}`,
  )
}

/** What `seal` makes of a link, sooner. */
export const sealLink = (key: string, link: BatchRecord): string =>
  link.notes === undefined ? sealText(key, `{"first":${link.first},"hash":"${link.hash}"}`) : seal(key, link)

/** The checksum that a sealed value begins with. */
export const checksumOf = (stored: string): string => stored.slice(0, CRC_LENGTH)

/** What `seal` stored, if it is whole and belongs to this key. */
export const unseal = <T>(key: string, stored: string): Opened<T> => {
  const text = stored.slice(CRC_LENGTH)
  const expected = checksumOf(stored)
  const actual = checksum(key, text)
  if (actual !== expected) {
    return { type: 'damaged', detail: `its checksum is ${actual}, the record says ${expected}` }
  }
  try {
    return { type: 'value', value: JSON.parse(text) as T }
  } catch {
    return { type: 'damaged', detail: 'its checksum holds, but the value is not JSON' }
  }
}

/** The last thing known of a stream, as stored under its head key. */
export type HeadRecord = Omit<StreamHead, 'stream_id'>

/** One link of the chain over batches, stored under where the batch ends. */
export type BatchRecord = {
  /** Position of its first event; the one after its end if it has none. */
  readonly first: number
  /** What it wrote beside events, in order. */
  readonly notes?: readonly BatchNote[]
  readonly hash: string
}

/**
 * An entry that was put (with the checksum of what was stored) or deleted, a command id that was taken, or a
 * stream whose events up to a version became stubs. Without these nobody could tell that one is missing.
 */
export type BatchNote =
  | readonly [type: 'put', key: string, checksum: string]
  | readonly [type: 'del', key: string]
  | readonly [type: 'command', commandId: string]
  | readonly [type: 'archived', stream_id: string, upTo: string]

/** What a command's first append amounted to; its events are read again from the log. */
export type CommandRecord = {
  readonly first: number
  readonly count: number
  /** Version of each stream after it, in the order of the batch. */
  readonly versions: readonly (readonly [stream_id: string, version: number])[]
}

/** What the log says of itself. */
export type FormatRecord = {
  readonly format: number
  readonly id: string
  readonly created_at: string
  readonly [key: string]: JsonValue
}
