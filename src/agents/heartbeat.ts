/**
 * Sees that a handler lives: by the beats that it gives, its durable calls and its log lines; and notices when it is silent.
 *
 * Owns: when the handler last gave a sign, the beat that is not on record yet, two timers.
 * Never: puts every beat on record, or gives a handler up that waits for others through a call of ours.
 *
 * I1. Between two recorded beats lies at least the throttle: a beat costs an fsync, and a log full of beats is of no use.
 *     The last beat of an attempt that is stopped is recorded, so that what it says is there for the next attempt.
 * I2. Silence is measured from the last sign, recorded or not: throttling never makes a live handler look dead.
 * I3. A process that was suspended for longer than the time limit begins to measure anew.
 */
import { copyAsJson } from '../../eventstore/payload.ts'
import { setAlarm } from '../runtime/alarm.ts'
import type { Clock } from '../runtime/clock.ts'

/** As often as a runtime says that it is alive itself. */
const THROTTLE_MS = 30_000

export type Heartbeat = {
  /** A beat of the handler's own, with what it wants the next attempt to know. */
  beat(details?: unknown): void
  /** A sign of life that is on record anyhow. */
  alive(): void
  /** The handler waits for others, through a call of ours: its silence means nothing until this is called back. */
  hold(): () => void
  /** Resolves when the last beat is on record. */
  flush(): Promise<void>
  /** The same, and the attempt is over. */
  stop(): Promise<void>
  /** Gives the attempt up if it has been silent for too long; true if it has. */
  check(this: void): Promise<boolean>
}

/** The beats of the handlers that are at work in this process, by run. */
export type Heartbeats = Map<string, Heartbeat>

export type HeartbeatHost = {
  readonly clock: Clock
  /** How long a handler may be silent, in ms; `undefined`: as long as it likes. */
  readonly timeoutMs: number | undefined
  readonly record: (details: unknown) => Promise<unknown>
  /** It has been silent for that long; called once. */
  readonly onSilent: (timeoutMs: number) => Promise<unknown>
  readonly onError: (error: unknown) => void
}

export function createHeartbeat(host: HeartbeatHost): Heartbeat {
  const { clock, timeoutMs } = host
  const throttleMs = Math.min(THROTTLE_MS, 0.8 * (timeoutMs ?? Number.POSITIVE_INFINITY))
  let lastSign = clock.now()
  let lastRecorded = Number.NEGATIVE_INFINITY
  let pending: { readonly details: unknown } | undefined
  let writing: Promise<unknown> = Promise.resolve()
  let holds = 0
  let over = false
  let cancelRecord: (() => void) | undefined
  let cancelAlarm: (() => void) | undefined

  const write = (): void => {
    cancelRecord?.()
    cancelRecord = undefined
    if (pending === undefined) return
    const { details } = pending
    pending = undefined
    lastRecorded = clock.now()
    writing = writing.then(() => host.record(details)).catch(host.onError)
  }
  const flush = async (): Promise<void> => {
    write()
    await writing
  }
  /** Gives the attempt up if it has been silent for too long. */
  const look = async (): Promise<boolean> => {
    if (over || timeoutMs === undefined) return false
    const quietMs = clock.now() - lastSign
    if (quietMs < timeoutMs) return false
    // It waits for others; or the process slept, and not the handler.
    if (holds > 0 || quietMs > 2 * timeoutMs) {
      lastSign = clock.now()
      return false
    }
    over = true
    await host.onSilent(timeoutMs)
    return true
  }
  const arm = (): void => {
    if (timeoutMs === undefined || over) return
    cancelAlarm = setAlarm(clock, lastSign + timeoutMs, () => {
      look().catch(host.onError)
      arm()
    })
  }
  arm()
  return {
    beat(details) {
      if (over) return
      lastSign = clock.now()
      pending = { details: copyAsJson(details, { root: () => 'details', outcome: true }).value }
      if (clock.now() - lastRecorded >= throttleMs) write()
      else cancelRecord ??= setAlarm(clock, lastRecorded + throttleMs, write)
    },
    alive() {
      lastSign = clock.now()
    },
    hold() {
      holds += 1
      let held = true
      return () => {
        if (held) holds -= 1
        held = false
        lastSign = clock.now()
      }
    },
    flush,
    stop() {
      over = true
      cancelAlarm?.()
      return flush()
    },
    check: look,
  }
}

/** Gives up the attempts of those that are silent for too long; which runs they are. */
export async function silentRuns(heartbeats: Heartbeats): Promise<string[]> {
  const runs = await Promise.all(
    [...heartbeats].map(async ([runId, { check }]) => ((await check()) ? [runId] : [])),
  )
  return runs.flat()
}
