/** Where the indexes keep what: their own key layout, in a storage of their own. */
import type { JsonValue, RecordedEvent } from './event.ts'
import { rangeOfPrefix, type KeyRange } from './keys.ts'

/** What an event is found by. */
export type IndexedBy = 'type' | 'correlation' | 'time'

const FAMILIES: Readonly<Record<IndexedBy, string>> = { type: 't', correlation: 'k', time: 'd' }
const STATE = 'a'
const STREAM_STATES = 'q'
const SEPARATOR = '\u0000'
const POSITION_WIDTH = 16

export const CHECKPOINT_KEY = 'm'

const fixed = (position: number): string => position.toString().padStart(POSITION_WIDTH, '0')

/** Keys of an event in the indexes it belongs to. */
export const indexKeysOf = (event: RecordedEvent): string[] => {
  const keys = [indexKey('type', event.event_type, event.position), timeKey(event.timestamp, event.position)]
  if (event.correlation_id !== '') keys.push(indexKey('correlation', event.correlation_id, event.position))
  return keys
}

const indexKey = (by: IndexedBy, value: string, position: number): string =>
  FAMILIES[by] + value + SEPARATOR + fixed(position)

/** Times are kept in one form, so that their order is that of their texts. */
const timeKey = (timestamp: string, position: number): string =>
  indexKey('time', new Date(timestamp).toISOString(), position)

/** Events of one type or correlation, after one position and up to another. */
export const valueRange = (
  by: 'type' | 'correlation',
  value: string,
  { after, until }: { readonly after: number; readonly until: number },
): KeyRange => ({ gte: indexKey(by, value, after + 1), lt: indexKey(by, value, until + 1) })

/** Events from one time to before another. */
export const timeRange = (from: Date, before: Date): KeyRange => ({
  gte: FAMILIES.time + from.toISOString(),
  lt: FAMILIES.time + before.toISOString(),
})

export const positionInIndexKey = (key: string): number => Number(key.slice(-POSITION_WIDTH))

/** Where an event is, as an index keeps it: enough to read it verified from its stream. */
export const encodePlace = ({ stream_id, version }: RecordedEvent): string =>
  `${version}${SEPARATOR}${stream_id}`
export const decodePlace = (value: string): { stream_id: string; version: number } => {
  const end = value.indexOf(SEPARATOR)
  return { stream_id: value.slice(end + 1), version: Number(value.slice(0, end)) }
}

export const stateKey = (state: string, stream_id: string): string => STATE + state + SEPARATOR + stream_id
export const stateRange = (state: string): KeyRange => rangeOfPrefix(STATE + state + SEPARATOR)
export const streamInStateKey = (key: string): string => key.slice(key.indexOf(SEPARATOR) + 1)
/** The states that a stream is indexed under now. */
export const streamStatesKey = (stream_id: string): string => STREAM_STATES + stream_id

/** Every state that a state value is in: `{ paid: { by: 'card' } }` is in `paid`, `paid.by` and `paid.by.card`. */
export const statesOf = (state: JsonValue): string[] => {
  if (typeof state === 'string') return [state]
  if (state === null || typeof state !== 'object' || Array.isArray(state)) return []
  return Object.entries(state).flatMap(([name, inner]) => [
    name,
    ...statesOf(inner ?? null).map((below) => `${name}.${below}`),
  ])
}
