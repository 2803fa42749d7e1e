/** What every question to the log shares: the log it is put to, the machines it may fold with, and how it is given up. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { KnownMachines } from './state-at.ts'

/** What questions need of a log: to read it. */
export type QueryableLog = Pick<
  EventStore,
  'entries' | 'head' | 'heads' | 'position' | 'readAll' | 'readStream' | 'verify'
>

/** How a question is asked; what it is about is in the question itself, which is plain JSON. */
export type QueryCall = {
  /** Gives the question up; its reason is thrown. */
  readonly signal?: AbortSignal | undefined
}

/** A log, and the code that its streams are folded with. */
export type Foldable = {
  readonly log: QueryableLog
  readonly machines: KnownMachines
  readonly signal?: AbortSignal | undefined
}

/** The options of a read, without a signal that is not there. */
export function reading({ signal }: QueryCall): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
