/** A log without what cannot be opened: for questions about what happened, which go on without what was erased. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { isSealedValue, unopenedIn } from '../../eventstore/sealing/sealed-value.ts'
import type { QueryableLog } from './query-call.ts'

export function toldLog(log: QueryableLog): QueryableLog {
  return {
    head: (stream_id) => log.head(stream_id),
    heads: (prefix, options) => log.heads(prefix, options),
    position: () => log.position(),
    verify: (options) => log.verify(options),
    readAll: (options) => opened(log.readAll(options)),
    readStream: (stream_id, options) => opened(log.readStream(stream_id, options)),
    async *entries(prefix, options) {
      for await (const entry of log.entries(prefix, options)) if (!isSealedValue(entry.value)) yield entry
    },
  }
}

async function* opened(events: AsyncIterable<RecordedEvent>): AsyncGenerator<RecordedEvent, void, undefined> {
  for await (const event of events) if (unopenedIn(event) === undefined) yield event
}
