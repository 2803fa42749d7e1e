/** Wakes a callback at an absolute time, also later than a JavaScript timer can reach (24.8 days). */
import type { Clock, TimerHandle } from './clock.ts'

/** Timers count the time that the machine was awake; the clock on the wall is asked again at least this often. */
const LONGEST_WAIT_MS = 15 * 60_000

/** Calls back once, at `dueAt` (ms since the epoch) or at once if that is past; returns a function that cancels. */
export function setAlarm(clock: Clock, dueAt: number, callback: () => void): () => void {
  let handle: TimerHandle
  const arm = (): void => {
    const remaining = dueAt - clock.now()
    handle = clock.setTimeout(
      () => {
        // Asked again instead of assumed: the clock may have jumped, and long waits come in pieces.
        if (clock.now() >= dueAt) callback()
        else arm()
      },
      Math.min(Math.max(remaining, 0), LONGEST_WAIT_MS),
    )
  }
  arm()
  return () => clock.clearTimeout(handle)
}
