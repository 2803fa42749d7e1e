/**
 * Keeps on disk what a paused fork owes, apart from what is owed: the same entries, under keys that no recovery reads.
 *
 * A fork that is paused has an entry of its own as well, so that all of them are found without reading any stream.
 */
import type { AtomicBatch, Entry, EventStore } from '../../../eventstore/event-store.ts'
import { isCrashEntry } from '../family/crashes.ts'
import { rootOf } from '../fold/child-address.ts'

const PAUSED = 'fork/'
const HELD = 'held/'

type Held = { readonly fork: string; readonly value: unknown }

/** The entry that says that a fork is paused; without a version, the one that says that it is no more. */
export function pausedEntry(id: string, since?: number): Entry {
  return { key: `${PAUSED}${id}`, value: since === undefined ? undefined : { stream_id: id, since } }
}

/** Every fork that is paused. */
export async function pausedForks(store: Pick<EventStore, 'entries'>): Promise<Set<string>> {
  const paused = new Set<string>()
  for await (const { value } of store.entries(PAUSED)) paused.add((value as { stream_id: string }).stream_id)
  return paused
}

/** An entry as it waits while its fork is paused. */
export function heldEntry(id: string, { key, value }: Entry): Entry {
  return {
    key: `${HELD}${key}`,
    value: value === undefined ? undefined : ({ fork: id, value } satisfies Held),
  }
}

/** The entries that make all that a fork holds back owed. */
export async function releasedEntries(store: Pick<EventStore, 'entries'>, id: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const { key, value } of readHeld(store, id, '')) {
    entries.push({ key, value }, { key: `${HELD}${key}`, value: undefined })
  }
  return entries
}

/** The store as a paused fork sees it: what it owes is written and found where it waits. */
export function heldStore(store: EventStore, id: string): EventStore {
  const appendBatch = (batch: AtomicBatch): ReturnType<EventStore['appendBatch']> =>
    store.appendBatch({
      ...batch,
      ...(batch.entries && {
        entries: batch.entries.map((entry) => (isCrashEntry(entry) ? entry : heldEntry(id, entry))),
      }),
    })
  return new Proxy(store, {
    get(target, name) {
      if (name === 'appendBatch') return appendBatch
      if (name === 'entries') return (prefix: string) => readHeld(target, id, prefix)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** The store as this actor sees it: of a paused fork, and of its descendants, the held one. */
export function storeOf(store: EventStore, streamId: string, paused: ReadonlySet<string>): EventStore {
  const root = rootOf(streamId)
  return paused.has(root) ? heldStore(store, root) : store
}

/** What one fork holds back, under the keys that it will have. */
async function* readHeld(
  store: Pick<EventStore, 'entries'>,
  id: string,
  prefix: string,
): AsyncGenerator<Entry, void, undefined> {
  for await (const { key, value } of store.entries(`${HELD}${prefix}`)) {
    const held = value as Held
    if (held.fork === id) yield { key: key.slice(HELD.length), value: held.value }
  }
}
