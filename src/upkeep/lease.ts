/**
 * Says until when a runtime was alive, so that time nobody worked is not billed after a crash.
 *
 * Owns: one entry beside the log, renewed while a session is at work.
 * Never: decides what becomes of a session.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import { RUNTIME_REOPENED } from '../billing/ledger.ts'
import type { Clock, TimerHandle } from '../runtime/clock.ts'
import type { SessionDirectory, SessionRow } from '../sessions/directory.ts'
import { lastAlive, LEASE_KEY } from './last-alive.ts'

/** Belongs to no machine, so no actor can have this id. */
const STREAM = 'runtime~lease'
const RENEW_MS = 30_000

export type Lease = {
  /** Writes down that it is let go now. */
  release(): Promise<void>
}

type LeaseOptions = {
  readonly store: EventStore
  readonly clock: Clock
  readonly directory: SessionDirectory
  /** Time of the last event that the runtime before had recorded; ms since the epoch. */
  readonly lastEventAt: number
  /** Whether another process may take over: then it is renewed. */
  readonly renew: boolean
  readonly onError: (error: unknown) => void
}

/** Takes the lease; if sessions were at work under the one before, records until when that was alive. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { store, clock, directory, onError } = options
  const takenAt = clock.now()
  if (directory.current().some(isAtWork)) {
    const alive = Math.min(takenAt, Math.max(options.lastEventAt, await lastAlive(store)))
    const payload = { alive_at: new Date(alive).toISOString(), at: new Date(takenAt).toISOString() }
    await store.append(STREAM, [{ event_type: RUNTIME_REOPENED, payload }])
  }
  let timer: TimerHandle
  let released = false
  const write = (): Promise<unknown> =>
    store.appendBatch({ appends: [], entries: [{ key: LEASE_KEY, value: { alive_at: clock.now() } }] })
  const renew = (): void => {
    timer = undefined
    if (released || !directory.current().some(isAtWork)) return
    write().catch(onError)
    arm()
  }
  const arm = (): void => {
    timer ??= clock.setTimeout(renew, RENEW_MS)
  }
  const unsubscribe = options.renew
    ? directory.subscribe((row) => {
        if (!released && isAtWork(row)) arm()
      })
    : () => {}
  return {
    async release() {
      released = true
      unsubscribe()
      if (timer !== undefined) clock.clearTimeout(timer)
      // A store that takes no more writes has its last event to go by.
      await write().catch(() => {})
    },
  }
}

function isAtWork(row: SessionRow): boolean {
  return row.status === 'active'
}
