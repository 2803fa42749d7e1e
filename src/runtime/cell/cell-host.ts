/** What live actors need from the engine around them. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { Audience } from './audience.ts'
import type { RawAction } from '../fold/cell-state.ts'
import type { Clock } from '../clock.ts'
import type { Mailboxes } from '../family/mailbox.ts'
import type { Crashes } from '../family/crashes.ts'
import type { OwedEffect } from '../effects/owed-effect.ts'
import type { Refusal } from './receipt.ts'
import type { SnapshotKeeper } from '../snapshots/snapshot-keeper.ts'

export type CellHost = {
  readonly store: EventStore
  readonly clock: Clock
  /** Draws from 0 to 1. */
  readonly random: () => number
  /** The id of a new event; they grow with time. */
  newEventId(): string
  /** Left out where actors wake by folding their whole streams. */
  readonly snapshots?: SnapshotKeeper | undefined
  /** Those who watch the actor, if anybody does. */
  audience(id: string): Audience | undefined
  recordRefusal(refusal: Refusal): Promise<void>
  /** Who carries out what is owed. */
  readonly effects: { begin(owed: OwedEffect, action: RawAction): void }
  readonly mailboxes: Mailboxes
  readonly crashes: Pick<Crashes, 'note'>
  onError(error: unknown): void
  log(...values: unknown[]): void
}
