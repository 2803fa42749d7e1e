/** Events of the log by whose they are, what they say, when and how many: the last ones that match, in their order. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { createMatcher, hasFilter, type EventFilter } from './event-filter.ts'

export type ReadEventsOptions = EventFilter & {
  /** At most so many, the last ones; default all. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** An event in one line: which, where, when, by whom. */
export type EventBrief = {
  readonly event_id: string
  readonly position: number
  readonly stream_id: string
  readonly version: number
  readonly event_type: string
  readonly at: string
  readonly source_agent: string
}

type Readable = Pick<EventStore, 'position' | 'readAll' | 'readStream'>

/** How many events are looked at first, from the end; each further look is at more. */
const FIRST_WINDOW = 256
const LARGEST_WINDOW = 65_536

export function briefOf(event: RecordedEvent): EventBrief {
  const { event_id, position, stream_id, version, event_type, timestamp, source_agent } = event
  return { event_id, position, stream_id, version, event_type, at: timestamp, source_agent }
}

/**
 * The matching events in the order of the log. Without a limit they are yielded as they are read; with one, the log is
 * read from its end as far back as it takes.
 *
 * @throws QueryError `QUERY_INVALID`; EventStoreError `ES_CORRUPT`
 */
export async function* readEvents(
  log: Readable,
  options: ReadEventsOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  const { limit, stream_id, from_position = 0, to_position = Number.POSITIVE_INFINITY, signal } = options
  const abort = signal === undefined ? {} : { signal }
  const matches = createMatcher(log, options)
  if (limit !== undefined) {
    yield* (await lastEvents(log, { ...options, limit }, matches)).toReversed()
    return
  }
  const source =
    stream_id === undefined
      ? log.readAll({ fromPosition: Math.max(0, from_position - 1), ...abort })
      : log.readStream(stream_id, abort)
  for await (const event of source) {
    if (event.position > to_position) return
    if (event.position >= from_position && (await matches(event))) yield event
  }
}

/** The last events that match, the last first. */
async function lastEvents(
  log: Readable,
  options: ReadEventsOptions & { readonly limit: number },
  matches: (event: RecordedEvent) => Promise<boolean>,
): Promise<RecordedEvent[]> {
  const { limit, stream_id, from_position = 0, to_position, signal } = options
  const last: RecordedEvent[] = []
  if (limit <= 0) return last
  const source = stream_id === undefined ? backwards(log, options) : undefined
  const abort = signal === undefined ? {} : { signal }
  for await (const event of source ?? log.readStream(stream_id ?? '', { direction: 'backwards', ...abort })) {
    if (event.position < from_position) break
    if (to_position !== undefined && event.position > to_position) continue
    if (await matches(event)) last.push(event)
    if (last.length === limit) break
  }
  return last
}

/** The log from its end to its beginning: it is read forwards, in windows that grow. */
async function* backwards(
  log: Readable,
  { from_position = 0, to_position, limit, signal, ...filter }: ReadEventsOptions,
): AsyncGenerator<RecordedEvent, void, undefined> {
  let end = Math.min(to_position ?? Number.POSITIVE_INFINITY, log.position())
  // Where nothing is left out, as many as are wanted will do.
  let size = hasFilter(filter) ? FIRST_WINDOW : Math.min(limit ?? FIRST_WINDOW, LARGEST_WINDOW)
  const abort = signal === undefined ? {} : { signal }
  while (end > 0 && end >= from_position) {
    const after = Math.max(0, end - size)
    const window: RecordedEvent[] = []
    for await (const event of log.readAll({ fromPosition: after, ...abort })) {
      if (event.position > end) break
      window.push(event)
      if (event.position === end) break
    }
    yield* window.toReversed()
    end = after
    size = Math.min(2 * size, LARGEST_WINDOW)
  }
}
