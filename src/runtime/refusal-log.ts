/**
 * Records refusals beside the actors' streams: who was refused what, by whom, why, and what to do instead.
 *
 * Owns: the refusals of the last minute, to count identical ones instead of repeating them.
 * Never: touches an actor's own versions.
 *
 * I1. The first refusal of its kind is on disk before anyone hears of it.
 * I2. Identical ones within a minute become one further record with their count, at the latest at `flush`.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { Refusal } from './cell.ts'
import type { Clock } from './clock.ts'
import { payloadOf } from './canonical.ts'

const REPEAT_WINDOW_MS = 60_000

/** The stream that keeps an actor's refusals. */
export function refusalStream(streamId: string): string {
  return `${streamId}~refused`
}

type Repeated = { readonly refusal: Refusal; count: number; cancel: () => void }

export type RefusalLog = { record(refusal: Refusal): Promise<void>; flush(): Promise<void> }

export function createRefusalLog(store: EventStore, clock: Clock): RefusalLog {
  const repeated = new Map<string, Repeated>()

  const write = async (refusal: Refusal, count: number): Promise<void> => {
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
  const close = async (key: string): Promise<void> => {
    const entry = repeated.get(key)
    if (entry === undefined) return
    repeated.delete(key)
    entry.cancel()
    if (entry.count > 0) await write(entry.refusal, entry.count)
  }

  return {
    async record(refusal) {
      const key = JSON.stringify([refusal.streamId, refusal.by, refusal.reason, refusal.event.type])
      const known = repeated.get(key)
      if (known !== undefined) {
        known.count += 1
        return
      }
      const handle = clock.setTimeout(() => void close(key).catch(() => {}), REPEAT_WINDOW_MS)
      repeated.set(key, { refusal, count: 0, cancel: () => clock.clearTimeout(handle) })
      await write(refusal, 1)
    },
    async flush() {
      for (const key of repeated.keys()) await close(key)
    },
  }
}
