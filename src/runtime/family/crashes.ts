/**
 * The roots that have crashed: parked, on disk and in memory, until they are revived.
 *
 * Owns: which of them there are, by id.
 * Never: revives one.
 */
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'
import type { CellState } from '../fold/cell-state.ts'
import { textOf } from '../runtime-error.ts'

const CRASHED = 'crashed/'

type Crash = { readonly stream_id: string; readonly version: number; readonly reason: string }

/** What a turn leaves on disk for a root that crashes in it, or that is revived; nothing for all others. */
export function crashEntry(
  id: string,
  before: CellState | undefined,
  { snapshot, version, link }: CellState,
): Entry | undefined {
  if (link !== undefined || before === undefined) return undefined
  if (snapshot.status === 'error') {
    const value: Crash = { stream_id: id, version, reason: textOf(snapshot.error) }
    return { key: CRASHED + id, value }
  }
  return before.snapshot.status === 'error' ? { key: CRASHED + id, value: undefined } : undefined
}

/** Whether an entry is one of these: what an actor is, and not what it owes. */
export function isCrashEntry({ key }: Entry): boolean {
  return key.startsWith(CRASHED)
}

export class Crashes {
  readonly #known = new Map<string, Crash>()

  async load(store: EventStore): Promise<void> {
    for await (const { value } of store.entries(CRASHED)) {
      const crash = value as Crash
      this.#known.set(crash.stream_id, crash)
    }
  }

  /** An actor shows a state that has come to disk. */
  note(id: string, { snapshot, version, link }: CellState): void {
    if (link !== undefined) return
    if (snapshot.status !== 'error') this.#known.delete(id)
    else this.#known.set(id, { stream_id: id, version, reason: textOf(snapshot.error) })
  }

  forget(id: string): void {
    this.#known.delete(id)
  }

  list(): { readonly id: string; readonly code: string; readonly reason: string }[] {
    return Array.from(this.#known.values(), ({ stream_id: id, version, reason }) => ({
      id,
      code: 'ACTOR_FAILED',
      reason: `it crashed at version ${version}: ${reason}; runtime.revive("${id}") lets it go on from before that`,
    }))
  }
}
