/** Keeps on disk, beside the events, what each actor still owes the world: running leaves and pending timers. */
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'
import type { CellState, ChildRecord, TimerRecord } from '../fold/cell-state.ts'
import { dueEntry } from './due-index.ts'

const OWED = 'owed/'

/** `due_at` is exact as a date is: to the millisecond. */
type OwedValue = {
  readonly stream_id: string
  readonly due_at?: string
  readonly src?: string
  /** Of a leaf that has failed and is tried again. */
  readonly failed?: number
  readonly retry_at?: string
  /** Of one that was given up: the dead letter that says so. */
  readonly dead_letter?: string
}

/** How often a leaf has failed, and when it is tried again, in ms since the epoch; or the dead letter that it became. */
export type Tried = { readonly failed: number; readonly retryAt: number; readonly letter?: string }

/** The entry of a leaf that has failed: it is owed still, and not before then. */
export function triedEntry(streamId: string, child: ChildRecord, { failed, retryAt }: Tried): Entry {
  return leafEntry(streamId, child, { failed, retry_at: new Date(retryAt).toISOString() })
}

/** The entry of a leaf that was given up: it is owed, and runs when a person wants it to. */
export function givenUpEntry(
  streamId: string,
  child: ChildRecord,
  { failed, letter }: { readonly failed: number; readonly letter: string },
): Entry {
  return leafEntry(streamId, child, { failed, dead_letter: letter })
}

/** The entry of a leaf that is under way; `more`: what there is to say about its attempts. */
export function leafEntry(streamId: string, { key, src }: ChildRecord, more: Partial<OwedValue> = {}): Entry {
  return { key: entryKey(streamId, 'leaf', key), value: { stream_id: streamId, src, ...more } }
}

/** The entries that take the disk from what was owed before an event to what is owed after it. */
export function owedEntries(streamId: string, before: CellState | undefined, after: CellState): Entry[] {
  const entries: Entry[] = []
  // A child that has a stream owes there what it owes.
  compare(before?.children, after.children, (key, child) => {
    if ((child ?? before?.children.get(key))?.durable === true) return
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
    const known = timer ?? before?.timers.get(key)
    if (known !== undefined) entries.push(dueEntry(streamId, known, timer !== undefined))
  })
  return entries
}

/** What a stream owes, as it is found on disk. */
export type OwedFound = {
  readonly streamId: string
  /** When it is due, in ms since the epoch; `undefined` for what is under way. */
  readonly dueAt: number | undefined
}

/** All that is owed, in the order of streams, found without folding any. */
export async function* allOwed(store: EventStore): AsyncGenerator<OwedFound, void, undefined> {
  for await (const { value } of store.entries(OWED)) {
    const { stream_id: streamId, due_at } = value as OwedValue
    yield { streamId, dueAt: due_at === undefined ? undefined : Date.parse(due_at) }
  }
}

/** One thing that a stream owes: a leaf that runs or has to run again, or a timer. */
export type OwedWork = {
  readonly stream_id: string
  readonly kind: 'leaf' | 'timer'
  /** `<stream>:<version>:<n>`: which incarnation. */
  readonly key: string
  /** Name of a leaf's logic. */
  readonly src: string | null
  /** When a timer is due: ISO 8601. */
  readonly due_at: string | null
  /** How often a leaf has failed, and when it is tried again: ISO 8601. */
  readonly failed: number
  readonly retry_at: string | null
  /** The dead letter of a leaf that was given up: it does not run. */
  readonly dead_letter: string | null
}

/** All that is owed, found without folding anything. */
export async function* owedWork(
  store: Pick<EventStore, 'entries'>,
): AsyncGenerator<OwedWork, void, undefined> {
  for await (const { key, value } of store.entries(OWED)) {
    const owed = value as OwedValue
    const { stream_id, due_at = null, src = null, failed = 0, retry_at = null, dead_letter = null } = owed
    const [kind, ...place] = key.slice(OWED.length + stream_id.length + 1).split('/')
    const name = `${stream_id}:${place.join('/')}`
    yield {
      stream_id,
      kind: kind === 'timer' ? 'timer' : 'leaf',
      key: name,
      src,
      due_at,
      failed,
      retry_at,
      dead_letter,
    }
  }
}

/** What the disk says that a stream owes: nothing but what is on `state`, and when each of its timers is due. */
export type OwedOnDisk =
  | {
      readonly kind: 'agrees'
      readonly state: CellState
      /** By key, the leaves that have failed before. */
      readonly tried: ReadonlyMap<string, Tried>
    }
  /** The fold leads elsewhere than it did when this was written. */
  | { readonly kind: 'differs'; readonly onDisk: readonly string[]; readonly folded: readonly string[] }

/**
 * Holds what a replay says is owed against what is on disk. Timers get the due time that was recorded: a machine's
 * delay function may ask the clock, and is not asked again.
 */
export async function compareOwed(
  store: EventStore,
  streamId: string,
  state: CellState,
): Promise<OwedOnDisk> {
  const onDisk = new Map<string, OwedValue>()
  for await (const { key, value } of store.entries(`${OWED}${streamId}/`)) {
    // Another stream's id may begin with this one's.
    if ((value as OwedValue).stream_id === streamId) onDisk.set(key, value as OwedValue)
  }
  const timers = new Map<string, TimerRecord>()
  for (const timer of state.timers.values()) {
    const { due_at } = onDisk.get(entryKey(streamId, 'timer', timer.key)) ?? {}
    timers.set(timer.key, due_at === undefined ? timer : { ...timer, dueAt: Date.parse(due_at) })
  }
  const leaves = [...state.children.values()].filter(({ durable }) => !durable)
  const folded = [
    ...leaves.map(({ key }) => entryKey(streamId, 'leaf', key)),
    ...Array.from(state.timers.keys(), (key) => entryKey(streamId, 'timer', key)),
  ]
  if (folded.length !== onDisk.size || folded.some((key) => !onDisk.has(key))) {
    return { kind: 'differs', onDisk: [...onDisk.keys()], folded }
  }
  const tried = new Map<string, Tried>()
  for (const { key } of leaves) {
    const { failed, retry_at, dead_letter: letter } = onDisk.get(entryKey(streamId, 'leaf', key)) ?? {}
    if (failed === undefined) continue
    tried.set(key, { failed, retryAt: Date.parse(retry_at ?? ''), ...(letter !== undefined && { letter }) })
  }
  return { kind: 'agrees', state: timers.size === 0 ? state : { ...state, timers }, tried }
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
