/** One step of a machine as XState has taken it: the snapshot it led to, and all it asked for on the way. */
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate'
import type { ChildRecord, ParentLink, RawAction, TimerRecord } from './cell-state.ts'

/** A child that came into being during a step, by `invoke`, `spawnChild` or `spawn`. */
export type Birth = {
  readonly ref: AnyActorRef
  readonly id: string
  readonly src: string
  readonly input: unknown
  readonly durable: boolean
  readonly address: string
  readonly syncSnapshot: boolean
}

/** What a step asked for, in the order in which it did. */
export type StepRecord =
  | { readonly kind: 'birth'; readonly birth: Birth }
  | { readonly kind: 'action'; readonly action: RawAction }

/** A step that XState has taken, and that is about to be counted in. */
export type Step = {
  readonly streamId: string
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly eventId: string
  readonly snapshot: AnyMachineSnapshot
  readonly records: readonly StepRecord[]
  readonly booked: number
  readonly self: AnyActorRef
  readonly link: ParentLink | undefined
  /** The timer whose event this is. */
  readonly fired: TimerRecord | undefined
  /** The child that ends with this event. */
  readonly ended: ChildRecord | undefined
  /** XState threw: only the custom actions that came before were done, nothing that it defers. */
  readonly thrown: boolean
}

/** Names the `n`th thing that a step asked for: `<stream>:<version>:<n>`. */
export function keyOf(step: Step, n: number): string {
  return `${step.streamId}:${step.version}:${n}`
}
