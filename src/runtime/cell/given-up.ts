/**
 * The leaves of one actor whose attempts have all failed and whose failure nobody would have taken: each is a dead
 * letter, and runs again when a person wants it to.
 *
 * Owns: which leaves they are, by the key of their incarnation, and the letter that each has become.
 * Never: starts one, or tells the machine of it.
 *
 * I1. A letter about a leaf is listed as long as the machine wants the leaf and it does not run.
 */
import type { AnyEventObject } from 'xstate'
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'
import type { Clock } from '../clock.ts'
import { buryLeaf, unlisted, type Exhumed } from '../delivery/dead-letters.ts'
import { leafEvent, leafGivenUp } from '../effects/leaf-record.ts'
import type { CellState, ChildRecord } from '../fold/cell-state.ts'
import { givenUpEntry, leafEntry, type Tried } from '../recovery/owed.ts'
import { textOf } from '../runtime-error.ts'

export type GivenUpHost = {
  readonly store: EventStore
  readonly clock: Clock
  onError(error: unknown): void
}

type Owner = { readonly id: string; readonly correlationId: string }

export class GivenUp {
  readonly #owner: Owner
  readonly #host: GivenUpHost
  readonly #letters = new Map<string, string>()
  /** How many are about to run again. */
  #rising = 0

  constructor(owner: Owner, host: GivenUpHost, found?: ReadonlyMap<string, Tried>) {
    this.#owner = owner
    this.#host = host
    for (const [key, { letter }] of found ?? []) if (letter !== undefined) this.#letters.set(key, letter)
  }

  get isRising(): boolean {
    return this.#rising > 0
  }

  has(key: string): boolean {
    return this.#letters.has(key)
  }

  /** Lists a leaf; resolves when that is on disk. `event`: what its machine would have heard, as data. */
  async bury(
    child: ChildRecord,
    {
      event,
      error,
      failed,
    }: { readonly event: AnyEventObject; readonly error: unknown; readonly failed: number },
  ): Promise<void> {
    const { store, clock } = this.#host
    const { id: to, correlationId } = this.#owner
    const reason = textOf(error)
    const { id: letter, append, entry } = buryLeaf(child, { to, event, reason, time: clock.now() })
    this.#letters.set(child.key, letter)
    const facts = { attempt: failed, reason, dead_letter: letter }
    const told = leafEvent({ streamId: to, correlationId, time: clock.now() }, child, {
      type: 'given_up',
      facts,
    })
    await store.appendBatch({
      appends: [told, append],
      entries: [givenUpEntry(to, child, { failed, letter }), entry],
      outcome: true,
    })
    this.#host.onError(leafGivenUp(to, child, { failed, letter, error }))
  }

  /** Takes a leaf off the list; resolves when that is on disk, and it is to run. */
  async raise(child: ChildRecord, { append, entry }: Exhumed): Promise<void> {
    this.#letters.delete(child.key)
    this.#rising += 1
    try {
      const entries = [entry, leafEntry(this.#owner.id, child)]
      await this.#host.store.appendBatch({ appends: [append], entries })
    } finally {
      this.#rising -= 1
    }
  }

  /** What takes off the list the leaves that the machine does not want any more (I1). */
  dropped({ children }: CellState): Entry[] {
    const entries: Entry[] = []
    for (const [key, letter] of this.#letters) {
      if (children.has(key)) continue
      this.#letters.delete(key)
      entries.push(unlisted(letter))
    }
    return entries
  }
}
