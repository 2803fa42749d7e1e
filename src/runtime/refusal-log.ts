/**
 * Records refusals beside the actors' streams: who was refused what, by whom, why, and what to do instead.
 *
 * Owns: the refusals of the last minute, to count identical ones instead of repeating them.
 * Never: touches an actor's own versions.
 *
 * I1. The first refusal of its kind is on disk before anyone hears of it, or of one like it.
 * I2. Identical ones (same actor, event type, refuser and reason) within a minute become one further record with
 *     their count, at the latest at `flush`.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import { payloadOf } from './fold/canonical.ts'
import type { Clock } from './clock.ts'
import type { Refusal } from './cell/receipt.ts'

const REPEAT_WINDOW_MS = 60_000

/** Ends the name of every stream of refusals; no actor's id may end like that. */
export const REFUSED_SUFFIX = '~refused'

/** The stream that keeps an actor's refusals. */
export function refusalStream(streamId: string): string {
  return `${streamId}${REFUSED_SUFFIX}`
}

type Repeated = {
  readonly refusal: Refusal
  readonly first: Promise<void>
  /** How often it was refused again. */
  count: number
  cancel: () => void
}

export type RefusalLog = { record(refusal: Refusal): Promise<void>; flush(): Promise<void> }

export function createRefusalLog(host: {
  readonly store: EventStore
  readonly clock: Clock
  onError(error: unknown): void
}): RefusalLog {
  const { store, clock } = host
  const repeated = new Map<string, Repeated>()

  const write = async (refusal: Refusal, count: number): Promise<void> => {
    await append(refusal, count).catch((error: unknown) => {
      // Of one that was erased meanwhile nothing is recorded any more.
      if ((error as { code?: string }).code !== 'ES_SUBJECT_ERASED') throw error
    })
  }
  const append = async (refusal: Refusal, count: number): Promise<void> => {
    await store.append(
      refusalStream(refusal.streamId),
      [
        {
          event_type: 'runtime.refused',
          timestamp: new Date(clock.now()).toISOString(),
          source_agent: refusal.source,
          correlation_id: refusal.correlationId,
          payload: {
            refused: refusal.event.type,
            event: payloadOf(refusal.event),
            by: refusal.by,
            reason: refusal.reason,
            alternatives: refusal.alternatives,
            version: refusal.version,
            state: refusal.state,
            count,
          },
        },
      ],
      { outcome: true },
    )
  }
  const forget = (key: string, entry: Repeated): void => {
    if (repeated.get(key) === entry) repeated.delete(key)
    entry.cancel()
  }
  const close = async (key: string, entry: Repeated): Promise<void> => {
    forget(key, entry)
    await entry.first.catch(() => {})
    if (entry.count > 0) await write(entry.refusal, entry.count)
  }
  const open = (key: string, refusal: Refusal): Repeated => {
    const first = write(refusal, 1)
    const entry: Repeated = { refusal, first, count: 0, cancel: () => {} }
    const handle = clock.setTimeout(() => {
      close(key, entry).catch((error: unknown) => host.onError(error))
    }, REPEAT_WINDOW_MS)
    entry.cancel = () => clock.clearTimeout(handle)
    repeated.set(key, entry)
    // One that could not be written must not swallow those that follow.
    first.catch(() => forget(key, entry))
    return entry
  }

  return {
    async record(refusal) {
      const key = JSON.stringify([refusal.streamId, refusal.by, refusal.reason, refusal.event.type])
      const known = repeated.get(key)
      if (known === undefined) {
        await open(key, refusal).first
        return
      }
      known.count += 1
      await known.first
    },
    async flush() {
      for (const [key, entry] of repeated) await close(key, entry)
    },
  }
}
