/** Keeps on disk, beside the events, what each actor still owes the world: running leaves and pending timers. */
import type { Entry, EventStore } from '../../eventstore/event-store.ts'
import type { CellState, TimerRecord } from './cell-state.ts'

const OWED = 'owed/'

/** `due_at` is exact as a date is: to the millisecond. */
type OwedValue = { readonly stream_id: string; readonly due_at?: string; readonly src?: string }

/** The entries that take the disk from what was owed before an event to what is owed after it. */
export function owedEntries(streamId: string, before: CellState | undefined, after: CellState): Entry[] {
  const entries: Entry[] = []
  compare(before?.children, after.children, (key, child) => {
    entries.push({
      key: entryKey(streamId, 'leaf', key),
      value: child && { stream_id: streamId, src: child.src },
    })
  })
  compare(before?.timers, after.timers, (key, timer) => {
    entries.push({
      key: entryKey(streamId, 'timer', key),
      value: timer && { stream_id: streamId, due_at: new Date(timer.dueAt).toISOString() },
    })
  })
  return entries
}

/** Every stream that owes work, found without folding any. */
export async function streamsThatOwe(store: EventStore): Promise<string[]> {
  const streams = new Set<string>()
  for await (const entry of store.entries(OWED)) streams.add((entry.value as OwedValue).stream_id)
  return [...streams]
}

/** Gives timers the due time that was recorded: a machine's delay function may ask the clock, and is not asked again. */
export async function withRecordedDueTimes(
  store: EventStore,
  streamId: string,
  state: CellState,
): Promise<CellState> {
  if (state.timers.size === 0) return state
  const timers = new Map<string, TimerRecord>(state.timers)
  const byEntry = new Map(Array.from(timers.keys(), (key) => [entryKey(streamId, 'timer', key), key]))
  for await (const { key, value } of store.entries(`${OWED}${streamId}/timer/`)) {
    const timer = timers.get(byEntry.get(key) ?? '')
    const { due_at } = value as OwedValue
    if (timer !== undefined && due_at !== undefined)
      timers.set(timer.key, { ...timer, dueAt: Date.parse(due_at) })
  }
  return { ...state, timers }
}

/** A key begins with its stream's id; once is enough. */
function entryKey(streamId: string, kind: 'leaf' | 'timer', key: string): string {
  return `${OWED}${streamId}/${kind}/${key.slice(streamId.length + 1)}`
}

/** Calls back for what is new, and with `undefined` for what is gone; an item never changes what is owed for it. */
function compare<T>(
  before: ReadonlyMap<string, T> | undefined,
  after: ReadonlyMap<string, T>,
  changed: (key: string, value: T | undefined) => void,
): void {
  if (before === after) return
  for (const [key, value] of after) if (before?.has(key) !== true) changed(key, value)
  for (const key of before?.keys() ?? []) if (!after.has(key)) changed(key, undefined)
}
