/** Records where a fork comes from and when it was let go, in a stream beside its own: `<fork>~fork`. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { NewEvent, RecordedEvent } from '../../../eventstore/event.ts'

/** Ends the name of every stream of a fork's history; no actor's id may end like that. */
export const FORK_SUFFIX = '~fork'

/** The stream that keeps a fork's history. */
export function forkStream(id: string): string {
  return `${id}${FORK_SUFFIX}`
}

/** Where a fork comes from. */
export type ForkOrigin = {
  readonly stream_id: string
  /** The last version that it took over. */
  readonly version: number
  readonly event_id: string
  readonly position: number
  /** Of the event at that version, so that a copy in another folder still says which log it comes from. */
  readonly hash: string
}

export type ForkLink = {
  readonly from: ForkOrigin
  /** Whether its effects and timers are held back. */
  readonly paused: boolean
}

/** The first event of a fork's history. `last` is the last event that it takes over. */
export function forkCreated(last: RecordedEvent, paused: boolean): NewEvent {
  const { stream_id, version, event_id, position, hash } = last
  const from: ForkOrigin = { stream_id, version, event_id, position, hash }
  return { event_type: 'fork.created', payload: { from, paused }, causation_id: event_id }
}

/** What ends the pause, at a version of the fork. */
export function forkResumed(version: number): NewEvent {
  return { event_type: 'fork.resumed', payload: { version } }
}

/** Where an actor was forked from; `undefined` if it is no fork. */
export async function readForkLink(
  store: Pick<EventStore, 'head' | 'readStream'>,
  id: string,
): Promise<ForkLink | undefined> {
  if ((await store.head(forkStream(id))) === undefined) return undefined
  let link: ForkLink | undefined
  for await (const { event_type, payload } of store.readStream(forkStream(id))) {
    if (event_type === 'fork.created') link = payload as unknown as ForkLink
    else if (event_type === 'fork.resumed' && link !== undefined) link = { ...link, paused: false }
  }
  return link
}
