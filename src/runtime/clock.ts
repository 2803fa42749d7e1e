/** Time and ids as the runtime sees them: injected, so that tests own them and replays never ask. */
import { v7 as uuidv7 } from 'uuid'

/** Handle of a pending wake-up. */
export type TimerHandle = unknown

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back after `delayMs`; never keeps the process alive. */
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}

/** Makes an id that carries its type: `newId('sess')` → `sess_0198…`. */
export type NewId = (prefix: string) => string

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
}

export const newUuidId: NewId = (prefix) => `${prefix}_${uuidv7()}`

/** A moment as records carry it: ISO 8601, UTC. */
export function isoTime(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
