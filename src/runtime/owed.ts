/** Keeps on disk, beside the events, what each actor still owes the world: running leaves and pending timers. */
import type { Entry, EventStore } from '../../eventstore/event-store.ts'
import type { CellState } from './fold.ts'

const OWED = 'owed/'

type OwedValue = { readonly stream_id: string; readonly due_at?: string; readonly src?: string }

/** The entries that take the disk from what was owed before an event to what is owed after it. */
export function owedEntries(streamId: string, before: CellState | undefined, after: CellState): Entry[] {
  const was = owedBy(streamId, before)
  const is = owedBy(streamId, after)
  const entries: Entry[] = []
  for (const [key, value] of is) if (!sameValue(was.get(key), value)) entries.push({ key, value })
  for (const key of was.keys()) if (!is.has(key)) entries.push({ key, value: undefined })
  return entries
}

/** Every stream that owes work, found without folding any. */
export async function streamsThatOwe(store: EventStore): Promise<string[]> {
  const streams = new Set<string>()
  for await (const entry of store.entries(OWED)) streams.add((entry.value as OwedValue).stream_id)
  return [...streams]
}

const NOTHING: ReadonlyMap<string, OwedValue> = new Map()

function owedBy(streamId: string, state: CellState | undefined): ReadonlyMap<string, OwedValue> {
  if (state === undefined || (state.children.size === 0 && state.timers.size === 0)) return NOTHING
  const owed = new Map<string, OwedValue>()
  for (const child of state.children.values()) {
    owed.set(`${OWED}${streamId}/leaf/${child.key}`, { stream_id: streamId, src: child.src })
  }
  for (const timer of state.timers.values()) {
    const due_at = new Date(timer.dueAt).toISOString()
    owed.set(`${OWED}${streamId}/timer/${timer.id}`, { stream_id: streamId, due_at })
  }
  return owed
}

function sameValue(a: OwedValue | undefined, b: OwedValue): boolean {
  return a !== undefined && a.due_at === b.due_at && a.src === b.src
}
