/** What an engine is opened with. */
import type { AnyStateMachine } from 'xstate'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { Snapshots } from '../../eventstore/snapshots.ts'
import type { Clock } from './clock.ts'
import type { MachineWithPolicies } from './policies.ts'

export type EngineOptions = {
  readonly store: EventStore
  readonly machines: readonly (AnyStateMachine | MachineWithPolicies)[]
  readonly clock: Clock
  /** Draws from 0 to 1, for delays; default `Math.random`. */
  readonly random?: () => number
  /** A new `event_id`, unlike all before; default a UUIDv7. */
  readonly newEventId?: (() => string) | undefined
  /** How many events from outside may wait for one actor; default 10,000. */
  readonly mailboxLimit?: number
  /** How long `close` waits for effects that run, in ms of real time; default 2,000. */
  readonly graceMs?: number
  readonly onError: (error: unknown) => void
  readonly onWarning?: (message: string) => void
  /** Where the action `log` goes; default the console, as in XState. */
  readonly log?: (...values: unknown[]) => void
  /** Where snapshots of actors are kept; opened when the first one is needed. Without it they fold whole streams. */
  readonly openSnapshots?: (() => Promise<Snapshots>) | undefined
  /** Machines whose actors are to be found without reading the log; the same ones at each opening. */
  readonly indexed?: readonly string[]
  /** How many actors without work stay in memory, children not counted; default 10,000. */
  readonly maxResident?: number | undefined
  /** A snapshot of an actor is saved after that many events; default 100. */
  readonly snapshotEvery?: number | undefined
  /** The store failed to write; actors that had something in it left memory. */
  readonly onStoreFailure?: (error: unknown) => void
}
