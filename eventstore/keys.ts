/**
 * Where each kind of record lives: the key layout of the log, one prefix per family.
 *
 * Numbers are decimal and of fixed width, so that LevelDB's byte order is their order and a dump can be
 * read by a person; what the padding costs, LevelDB's shared key prefixes give back.
 */

const POSITION_WIDTH = 16
const VERSION_WIDTH = 12
const TURN_WIDTH = 10
const SEPARATOR = '\u0000'

const ZEROS = '0'.repeat(POSITION_WIDTH)

/** Not `padStart`, which takes twice as long: two keys of each event have such a number. */
const fixed = (value: number, width: number): string => {
  const digits = String(value)
  return digits.length < width ? ZEROS.slice(0, width - digits.length) + digits : digits
}

/** A half-open stretch of keys. */
export type KeyRange = { readonly gte: string; readonly lt: string }

const EVENT = 'e'
const STREAM = 's'
const HEAD = 'h'
const ENTRY = 'n'
const COMMAND = 'c'
const BATCH = 'b'

export const FORMAT_KEY = 'mformat'

export const eventKey = (position: number): string => EVENT + fixed(position, POSITION_WIDTH)
/** `turn` counts the batches that wrote no events, since the last that did. */
export const batchKey = (lastPosition: number, turn: number): string =>
  BATCH + fixed(lastPosition, POSITION_WIDTH) + fixed(turn, TURN_WIDTH)
export const streamKey = (stream_id: string, version: number): string =>
  STREAM + stream_id + SEPARATOR + fixed(version, VERSION_WIDTH)
export const headKey = (stream_id: string): string => HEAD + stream_id
export const entryKey = (key: string): string => ENTRY + key
export const commandKey = (commandId: string): string => COMMAND + commandId

/** What a key is of, for who reads keys without having asked for a family. */
export const familyOf = (key: string): 'event' | 'stream' | 'entry' | 'command' | 'other' => {
  switch (key[0]) {
    case EVENT:
      return 'event'
    case STREAM:
      return 'stream'
    case ENTRY:
      return 'entry'
    case COMMAND:
      return 'command'
    default:
      return 'other'
  }
}
export const isEventKey = (key: string): boolean => key.startsWith(EVENT)
export const isStreamKey = (key: string): boolean => key.startsWith(STREAM)
/** Where a batch ends, if this is a batch's key. */
export const batchOfKey = (key: string): { position: number; turn: number } | undefined =>
  key.startsWith(BATCH) ? { position: positionOfKey(key), turn: turnOfKey(key) } : undefined
/** Position in an event's key, and in a batch's. */
export const positionOfKey = (key: string): number => Number(key.slice(1, 1 + POSITION_WIDTH))
/** Turn in a batch's key. */
export const turnOfKey = (key: string): number => Number(key.slice(1 + POSITION_WIDTH))
/** The caller's part of a head's, an entry's or a command's key. */
export const nameOfKey = (key: string): string => key.slice(1)
/** Stream and version in the key of the stream index. */
export const streamOfKey = (key: string): { stream_id: string; version: number } => {
  const end = key.lastIndexOf(SEPARATOR)
  return { stream_id: key.slice(1, end), version: Number(key.slice(end + 1)) }
}

const LAST_CODE_POINT = 0x10ffff
const BEFORE_SURROGATES = 0xd7ff
const AFTER_SURROGATES = 0xe000

/** The first text, in the order of code points, that is after every text with this prefix. */
const afterPrefix = (prefix: string): string => {
  const points = Array.from(prefix)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? LAST_CODE_POINT
    if (point === LAST_CODE_POINT) continue
    const next = point === BEFORE_SURROGATES ? AFTER_SURROGATES : point + 1
    return points.join('') + String.fromCodePoint(next)
  }
  throw new RangeError('no text is after every text with this prefix')
}

/** Snapshots live in a storage of their own. */
const SNAPSHOT = 'p'
export const snapshotKey = (stream_id: string, version: number): string =>
  SNAPSHOT + stream_id + SEPARATOR + fixed(version, VERSION_WIDTH)

/** Every key that begins with a text. */
export const rangeOfPrefix = (prefix: string): KeyRange => ({ gte: prefix, lt: afterPrefix(prefix) })
export const everything: KeyRange = { gte: '\u0000', lt: '\u{10FFFF}' }

const familyFrom = (family: string, prefix: string): KeyRange => rangeOfPrefix(family + prefix)

/** Events after `after`, up to and including `last`. */
export const eventRange = (after: number, last: number): KeyRange => ({
  gte: eventKey(after + 1),
  lt: eventKey(last + 1),
})
/** Batches that end between two positions, both inclusive. */
export const batchesBetween = (from: number, to: number): KeyRange => ({
  gte: batchKey(from, 0),
  lt: batchKey(to + 1, 0),
})
/** The stream index from one version to another, both inclusive. */
export const streamRange = (stream_id: string, from: number, to: number): KeyRange => ({
  gte: streamKey(stream_id, from),
  lt: streamKey(stream_id, to + 1),
})
export const wholeStreamIndex: KeyRange = familyFrom(STREAM, '')
export const wholeLog: KeyRange = familyFrom(EVENT, '')
export const wholeCommands: KeyRange = familyFrom(COMMAND, '')
export const headsRange = (prefix: string): KeyRange => familyFrom(HEAD, prefix)
export const entriesRange = (prefix: string): KeyRange => familyFrom(ENTRY, prefix)
export const snapshotRange = (stream_id: string): KeyRange => familyFrom(SNAPSHOT, stream_id + SEPARATOR)
export const wholeSnapshots: KeyRange = familyFrom(SNAPSHOT, '')
