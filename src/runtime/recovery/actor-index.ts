/**
 * Keeps on disk which streams belong to the machines that an engine was asked to index, so that all their actors are
 * found without reading the log.
 */
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'

const INDEX = 'actors/'
/** Under which the index says that it has all there are. */
const COMPLETE = 'indexed/'

/** The entry of an actor that is being created. */
export function actorEntry(machine: string, streamId: string): Entry {
  return { key: `${INDEX}${machine}/${streamId}`, value: { stream_id: streamId } }
}

/** Begins the index in a log that has no actors yet. */
export async function beginIndex(store: EventStore, machines: readonly string[]): Promise<void> {
  if (store.position() > 0 || machines.length === 0) return
  const entries = machines.map((machine) => ({ key: `${COMPLETE}${machine}`, value: { machine } }))
  await store.appendBatch({ appends: [], entries })
}

/**
 * The streams of all actors of a machine, in the order of ids; `undefined` if some may be missing, or if there are more
 * than `limit`.
 */
export async function indexedActors(
  store: EventStore,
  machine: string,
  limit: number,
): Promise<string[] | undefined> {
  const streams: string[] = []
  for await (const { key } of store.entries(`${COMPLETE}${machine}`)) {
    if (key !== `${COMPLETE}${machine}`) continue
    for await (const { value } of store.entries(`${INDEX}${machine}/`)) {
      if (streams.length === limit) return undefined
      streams.push((value as { stream_id: string }).stream_id)
    }
    return streams
  }
  return undefined
}
