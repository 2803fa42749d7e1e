/** What goes with an event that is sent, and what comes back once the answer is on disk. */
import type { AnyEventObject } from 'xstate'

/** What a sender hears once the answer is on disk. */
export type Receipt = {
  readonly accepted: boolean
  /** The stream's version that the answer is based on; if accepted, the event's own. */
  readonly version: number
  /** Set when not accepted. */
  readonly reason?: string
  readonly alternatives?: readonly string[]
}

/** Whoever waits for a receipt. */
export type Answer = { give(receipt: Receipt): void; fail(error: unknown): void }

/** What goes beside an event: who sent it, what it belongs to, and what to say if the machine refuses it. */
export type SendOptions = {
  readonly source?: string
  readonly causationId?: string
  readonly ifRefused?: {
    readonly by: string
    readonly reason: string
    readonly alternatives: readonly string[]
  }
}

/** A refusal as it is recorded. */
export type Refusal = {
  readonly streamId: string
  readonly event: AnyEventObject
  readonly by: string
  readonly reason: string
  readonly alternatives: readonly string[]
  readonly version: number
  readonly state: unknown
  readonly source: string
  readonly correlationId: string
}
