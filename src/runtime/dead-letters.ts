/** Records mail that nobody takes, beside the stream of the actor that it was sent to, and lists it. */
import { v7 as uuidv7 } from 'uuid'
import type { Entry, EventStore, StreamAppend } from '../../eventstore/event-store.ts'
import { withAddresses } from './actor-refs.ts'
import type { DeadLetter } from './mail.ts'

/** Ends the name of every stream of dead letters; no actor's id may end like that. */
export const DEAD_SUFFIX = '~dead'

const DEAD = 'dead/'

/** A dead letter as it is listed. */
export type RecordedDeadLetter = {
  readonly to: string
  readonly from: string
  readonly event: unknown
  readonly reason: string
  /** ISO 8601, UTC. */
  readonly at: string
}

/** What keeps a dead letter: an event for those who read the log, an entry for those who list. */
export function buryMail(letter: DeadLetter, time: number): { append: StreamAppend; entry: Entry } {
  const { to, from, cause, reason } = letter
  const at = new Date(time).toISOString()
  const event = withAddresses(letter.event) ?? null
  const append: StreamAppend = {
    stream_id: `${to}${DEAD_SUFFIX}`,
    events: [
      {
        event_type: 'runtime.dead_letter',
        payload: { to, from, event, reason },
        timestamp: at,
        source_agent: from,
        causation_id: cause,
      },
    ],
    expectedVersion: 'any',
  }
  return { append, entry: { key: `${DEAD}${uuidv7()}`, value: { to, from, event, reason, at } } }
}

/** All of them, the oldest first. */
export async function deadLetters(store: EventStore): Promise<RecordedDeadLetter[]> {
  const letters: RecordedDeadLetter[] = []
  for await (const { value } of store.entries(DEAD)) letters.push(value as RecordedDeadLetter)
  return letters
}
