/** What a runtime knows of its actors just now and does not record: who is in memory, in line, at work, and on what. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { Attempts, UnderWay } from '../agents/attempts.ts'
import type { RunQueue } from '../agents/run-queue.ts'
import type { CallUnderWay, LiveActor } from '../attach/live-facts.ts'
import type { Engine } from '../runtime/engine.ts'

export type LiveParts = {
  readonly store: Pick<EventStore, 'head'>
  readonly engine: Pick<Engine, 'effects' | 'inMemory'>
  readonly queue: Pick<RunQueue, 'places'>
  readonly attempts: Attempts
}

/** In the order of `ids`. Wakes nobody. */
export async function liveActors(parts: LiveParts, ids: readonly string[]): Promise<LiveActor[]> {
  const { engine, queue, attempts } = parts
  const line = queue.places()
  const effects = new Map<string, LiveActor['effects']>()
  for (const { stream_id, action, state, failed, retry_at } of engine.effects.list()) {
    effects.set(stream_id, [...(effects.get(stream_id) ?? []), { action, state, failed, retry_at }])
  }
  return Promise.all(
    ids.map(async (id): Promise<LiveActor> => {
      const memory = engine.inMemory(id)
      const attempt = attempts.get(id)
      const place = line.indexOf(id)
      return {
        id,
        resident: memory !== undefined,
        mailbox: memory?.mailbox?.waiting ?? 0,
        queue_place: place < 0 ? null : place + 1,
        attempt: attempt === undefined ? null : { number: attempt.number, since: attempt.since },
        calls: await Promise.all((attempt?.underWay() ?? []).map((call) => callUnderWay(parts, call))),
        effects: effects.get(id) ?? [],
      }
    }),
  )
}

/** Where a tool call stands says what it waits for. */
const WAITS: Readonly<Record<string, CallUnderWay['waits_for']>> = {
  requested: 'hooks',
  waiting: 'approval',
  judged: 'turn',
  executing: 'execution',
}

async function callUnderWay({ store }: LiveParts, call: UnderWay): Promise<CallUnderWay> {
  const { kind, name, since, call_id } = call
  const head = call_id === undefined ? undefined : await store.head(call_id)
  const stands = head?.state
  return { kind, name, since, waits_for: typeof stands === 'string' ? (WAITS[stands] ?? null) : null }
}
