/**
 * A clock that stands still until a test moves it.
 *
 * Owns: the time, and the timers that are not due yet.
 * Never: looks at the system's clock, or keeps the process alive.
 *
 * I1. Timers fire in the order in which they are due, those of one moment in the order in which they were set.
 * I2. While a timer's callback runs, `now()` is the moment at which that timer was due.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, TimerHandle } from '../runtime/clock.ts'

/** How many turns of the event loop a callback gets for what it sets off: an append and its answer take fewer. */
const TURNS = 20

/** A clock for tests. */
export interface TestClock extends Clock {
  /**
   * Moves time forwards by `ms`, firing what falls due on the way, timers set by fired timers included. After each
   * one it lets the event loop turn, so that an actor in memory has recorded and answered what the timer set off.
   * Resolves when time has arrived. Work that waits for the real world (a file, a process) is not waited for.
   */
  advance(ms: number): Promise<void>
  /** The moments at which pending timers are due, in ms since the epoch, soonest first. */
  pending(): number[]
}

/** A clock that begins at `startAt`: ms since the epoch, or ISO 8601. */
export function createTestClock(startAt: number | string = '2030-01-01T00:00:00.000Z'): TestClock {
  let now = typeof startAt === 'number' ? startAt : Date.parse(startAt)
  if (!Number.isFinite(now)) throw new RangeError(`startAt is no time: ${startAt}`)
  const timers = new Set<{ readonly due: number; readonly callback: () => void }>()

  // A set keeps the order of insertion, and sorting is stable: I1.
  const inOrder = () => [...timers].sort((a, b) => a.due - b.due)
  const settle = async (): Promise<void> => {
    for (let i = 0; i < TURNS; i += 1) await turn()
  }
  return {
    now: () => now,
    setTimeout(callback, delayMs): TimerHandle {
      const timer = { due: now + Math.max(0, delayMs), callback }
      timers.add(timer)
      return timer
    },
    clearTimeout(handle) {
      timers.delete(handle as never)
    },
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`Time moves forwards only, not by ${ms} ms.`)
      const end = now + ms
      await settle()
      for (;;) {
        const next = inOrder()[0]
        if (next === undefined || next.due > end) break
        timers.delete(next)
        now = Math.max(now, next.due)
        next.callback()
        await settle()
      }
      now = end
    },
    pending: () => inOrder().map(({ due }) => due),
  }
}
