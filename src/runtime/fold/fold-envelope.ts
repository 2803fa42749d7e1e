/** One recorded input, as the fold takes it. */
import type { AnyEventObject } from 'xstate'

/** Version 1 starts the machine with `event.input`. */
export type FoldEnvelope = {
  readonly version: number
  /** Milliseconds since the epoch; due times are counted from it. */
  readonly time: number
  readonly eventId: string
  readonly event: AnyEventObject
}
