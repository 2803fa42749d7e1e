/** Records what was given up on, beside the stream of the actor that it concerns, and lists it. */
import { v7 as uuidv7 } from 'uuid'
import type { AnyEventObject } from 'xstate'
import type { Entry, EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import type { NewEvent } from '../../../eventstore/event.ts'
import { withAddresses } from '../fold/actor-refs.ts'
import { canonicalMail, isRecordableName } from '../fold/canonical.ts'
import type { ChildRecord } from '../fold/cell-state.ts'
import type { DeadLetter } from './mail.ts'
import type { OwedEffect } from '../effects/owed-effect.ts'

/** Ends the name of every stream of dead letters; no actor's id may end like that. */
export const DEAD_SUFFIX = '~dead'

const DEAD = 'dead/'

/** A dead letter as it is listed. */
export type RecordedDeadLetter = {
  readonly id: string
  /** Mail that nobody took; an action, or a leaf of a machine, whose attempts have all failed. */
  readonly kind: 'mail' | 'effect' | 'leaf'
  /** The actor that mail was sent to; the one that owed the action, or started the leaf. */
  readonly to: string
  readonly from: string
  /** The event that was sent; `{ type: <action>, params }`; the one with which the leaf failed. */
  readonly event: unknown
  readonly reason: string
  /** ISO 8601, UTC. */
  readonly at: string
}

type Stored = Omit<RecordedDeadLetter, 'id' | 'kind'> & {
  readonly cause?: string | null
  readonly effect?: OwedEffect
  /** Which incarnation of a leaf, and by what logic. */
  readonly leaf?: { readonly key: string; readonly src: string }
}

/** What is needed to try a dead letter again. */
export type FoundDeadLetter = Stored & { readonly id: string }

/** A dead letter on its way to the disk: an event for those who read the log, an entry for those who list. */
export type Burial = { readonly id: string; readonly append: StreamAppend; readonly entry: Entry }

export function buryMail(letter: DeadLetter, time: number): Burial {
  const { to, from, cause, reason } = letter
  // As mail that is kept: so it can be sent again.
  const isEvent = isRecordableName((letter.event as AnyEventObject | undefined)?.type)
  const event = isEvent ? canonicalMail(letter.event).event : (withAddresses(letter.event) ?? null)
  return bury({ to, from, event, reason, at: new Date(time).toISOString(), cause })
}

export function buryEffect(owed: OwedEffect, { reason, time }: { reason: string; time: number }): Burial {
  const { stream_id, action: type, params, cause } = owed
  const event = { type, ...(params !== undefined && { params }) }
  const at = new Date(time).toISOString()
  return bury({ to: stream_id, from: stream_id, event, reason, at, cause, effect: owed })
}

/** `event`: what its machine would have heard, as data. */
export function buryLeaf(
  { key, id, src, cause }: ChildRecord,
  letter: { readonly to: string; readonly event: unknown; readonly reason: string; readonly time: number },
): Burial {
  const { to, event, reason, time } = letter
  const at = new Date(time).toISOString()
  return bury({ to, from: `${to}/${id}`, event, reason, at, cause, leaf: { key, src } })
}

/** Takes a dead letter off the list without a word. */
export function unlisted(id: string): Entry {
  return { key: `${DEAD}${id}`, value: undefined }
}

function bury(stored: Stored): Burial {
  const id = uuidv7()
  const { to, from, event, reason, at, cause = null, effect, leaf } = stored
  const key = effect?.key ?? leaf?.key
  const payload = { id, to, from, event, reason, ...(key !== undefined && { key }) }
  return {
    id,
    append: tell(to, { type: 'dead_letter', payload, at, from, cause }),
    entry: { key: `${DEAD}${id}`, value: stored },
  }
}

/** What becomes of a dead letter, on its way to the disk: it is listed no longer. */
export type Exhumed = { readonly append: StreamAppend; readonly entry: Entry }

/** What becomes of a dead letter after that; it is listed no longer. */
export function exhume(
  { id, to, from }: FoundDeadLetter,
  { type, by, time }: { readonly type: 'retried' | 'discarded'; readonly by: string; readonly time: number },
): Exhumed {
  const at = new Date(time).toISOString()
  const append = tell(to, {
    type: `dead_letter_${type}`,
    payload: { id, from, by },
    at,
    from: by,
    cause: null,
  })
  return { append, entry: unlisted(id) }
}

function tell(
  to: string,
  {
    type,
    payload,
    at,
    from,
    cause,
  }: { type: string; payload: object; at: string; from: string; cause: string | null },
): StreamAppend {
  const event: NewEvent = {
    event_type: `runtime.${type}`,
    payload,
    timestamp: at,
    source_agent: from,
    causation_id: cause,
  }
  return { stream_id: `${to}${DEAD_SUFFIX}`, events: [event], expectedVersion: 'any' }
}

/** All of them, the oldest first. */
export async function listDeadLetters(store: Pick<EventStore, 'entries'>): Promise<RecordedDeadLetter[]> {
  const letters: RecordedDeadLetter[] = []
  for await (const { key, value } of store.entries(DEAD)) {
    const { to, from, event, reason, at, effect, leaf } = value as Stored
    const kind = effect !== undefined ? 'effect' : leaf !== undefined ? 'leaf' : 'mail'
    letters.push({ id: key.slice(DEAD.length), kind, to, from, event, reason, at })
  }
  return letters
}

export async function findDeadLetter(store: EventStore, id: string): Promise<FoundDeadLetter | undefined> {
  for await (const { key, value } of store.entries(`${DEAD}${id}`)) {
    if (key === `${DEAD}${id}`) return { id, ...(value as Stored) }
  }
  return undefined
}
