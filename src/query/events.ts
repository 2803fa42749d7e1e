/** Events of the log by stream, type, correlation and number: the last ones that match, in their order. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'

export type EventFilter = {
  readonly stream_id?: string | undefined
  /** `step.failed`, or a pattern in which `*` stands for any characters: `step.*`. Any of them matches. */
  readonly types?: readonly string[] | undefined
}

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

export function briefOf(event: RecordedEvent): EventBrief {
  const { event_id, position, stream_id, version, event_type, timestamp, source_agent } = event
  return { event_id, position, stream_id, version, event_type, at: timestamp, source_agent }
}

/** Whether an event passes the filter. */
export function eventMatcher(filter: EventFilter): (event: RecordedEvent) => boolean {
  const { stream_id } = filter
  const types = filter.types?.map(typePattern)
  return (event) =>
    (stream_id === undefined || event.stream_id === stream_id) &&
    (types === undefined || types.some((type) => type.test(event.event_type)))
}

/** The matching events in the order of the log. Without a limit they are yielded as they are read. */
export async function* readEvents(
  store: Pick<EventStore, 'readAll' | 'readStream'>,
  options: ReadEventsOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  const { limit, signal } = options
  const matches = eventMatcher(options)
  const source = eventSource(store, options)
  if (limit === undefined) {
    for await (const event of source) if (matches(event)) yield event
    return
  }
  if (options.stream_id !== undefined) {
    const last: RecordedEvent[] = []
    const backwards = { direction: 'backwards', ...(signal && { signal }) } as const
    if (limit === 0) return
    for await (const event of store.readStream(options.stream_id, backwards)) {
      if (matches(event)) last.push(event)
      if (last.length === limit) break
    }
    yield* last.toReversed()
    return
  }
  const ring: RecordedEvent[] = []
  let matched = 0
  for await (const event of source) {
    if (limit > 0 && matches(event)) ring[matched++ % limit] = event
  }
  const start = matched > limit ? matched % limit : 0
  yield* ring.slice(start)
  yield* ring.slice(0, start)
}

function eventSource(
  store: Pick<EventStore, 'readAll' | 'readStream'>,
  { stream_id, signal }: ReadEventsOptions,
): AsyncIterable<RecordedEvent> {
  const abort = signal === undefined ? {} : { signal }
  return stream_id === undefined ? store.readAll(abort) : store.readStream(stream_id, abort)
}

function typePattern(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`)
}
