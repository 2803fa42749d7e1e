/** A clock for tests that moves only when it is told to. */
import type { Clock, TimerHandle } from '../../src/runtime/clock.ts'

export class ManualClock implements Clock {
  #now = 1_000_000
  #nextId = 1
  readonly #timers = new Map<number, { due: number; callback: () => void }>()

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const id = this.#nextId++
    this.#timers.set(id, { due: this.#now + delayMs, callback })
    return id
  }

  clearTimeout(handle: TimerHandle): void {
    this.#timers.delete(handle as number)
  }

  pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    this.#now += ms
    for (const [id, timer] of this.#timers) {
      if (timer.due > this.#now) continue
      this.#timers.delete(id)
      timer.callback()
    }
  }
}

/** Lets everything that is ready to run, run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
