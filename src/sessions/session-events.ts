/** Reads what the directory is folded from: the sessions' own streams where they are few, the whole log where not. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { indexedActors } from '../runtime/recovery/actor-index.ts'

/** The machines whose actors have a row in the directory. */
export const LISTED_MACHINES = ['session', 'agent']

/** Reading one short stream takes about as long as reading that many events in a row. */
const EVENTS_PER_STREAM = 100

/** Every event up to `position` that has to do with a session or run, and perhaps others; in the order of the log. */
export async function* sessionEvents(
  store: EventStore,
  position: number,
): AsyncGenerator<RecordedEvent, void, undefined> {
  const streams = await fewStreams(store, Math.floor(position / EVENTS_PER_STREAM))
  if (streams === undefined) {
    for await (const event of store.readAll()) {
      if (event.position > position) return
      yield event
    }
    return
  }
  const events: RecordedEvent[] = []
  for (const stream of streams) for await (const event of store.readStream(stream)) events.push(event)
  yield* events.filter((event) => event.position <= position).sort((a, b) => a.position - b.position)
}

async function fewStreams(store: EventStore, limit: number): Promise<string[] | undefined> {
  const all: string[] = []
  for (const machine of LISTED_MACHINES) {
    const streams = await indexedActors(store, machine, limit - all.length)
    if (streams === undefined) return undefined
    all.push(...streams)
  }
  return all
}
