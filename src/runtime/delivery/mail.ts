/** What one actor sends to another, and what becomes of it when there is nobody to take it. */
import type { AnyEventObject } from 'xstate'

/** An event on its way from one durable actor to another. */
export type Mail = {
  /** Address of the actor that it goes to. */
  readonly to: string
  readonly from: string
  readonly event: AnyEventObject
  /** `event_id` of the event on account of which it was sent. */
  readonly cause: string | null
  /** Its place in the turn in which it was sent. */
  readonly place: number
}

/** The first event of every actor that is started by another one. */
export const BIRTH = 'actor.created'
export const STOP = 'xstate.stop'

/** Mail that nobody takes: the actor it was sent to has ended, or there never was one. */
export type DeadLetter = {
  readonly to: string
  readonly from: string
  readonly event: AnyEventObject
  readonly cause: string | null
  readonly reason: string
}
