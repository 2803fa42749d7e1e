/**
 * The alarms that are set for one actor's timers.
 *
 * Owns: the pending alarms, by the key of their timer.
 * Never: keeps an alarm that has gone off.
 */
import { setAlarm } from '../alarm.ts'
import type { TimerRecord } from '../fold/cell-state.ts'
import type { Clock } from '../clock.ts'

export class Alarms {
  readonly #clock: Clock
  readonly #ring: (timer: TimerRecord) => void
  #pending: Map<string, () => void> | undefined

  /** `ring` is called at most once for each alarm, at its due time or later. */
  constructor(clock: Clock, ring: (timer: TimerRecord) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  set(timer: TimerRecord): void {
    if (this.#pending?.has(timer.key) === true) return
    this.#pending ??= new Map()
    const cancel = setAlarm(this.#clock, timer.dueAt, () => {
      this.#pending?.delete(timer.key)
      this.#ring(timer)
    })
    this.#pending.set(timer.key, cancel)
  }

  cancel(key: string): void {
    this.#pending?.get(key)?.()
    this.#pending?.delete(key)
  }

  clear(): void {
    for (const cancel of this.#pending?.values() ?? []) cancel()
    this.#pending = undefined
  }
}
