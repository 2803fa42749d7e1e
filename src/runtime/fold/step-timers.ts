/** Follows the timers through one step. */
import type { CellState, Effect, TimerRecord } from './cell-state.ts'
import type { Step } from './step.ts'

/** The timers during a step; copied when the first one changes. */
export class StepTimers {
  readonly #before: ReadonlyMap<string, TimerRecord>
  #changed: Map<string, TimerRecord> | undefined

  constructor(before: CellState, step: Step) {
    this.#before = before.timers
    if (step.fired === undefined) return
    this.#open().delete(step.fired.key)
    this.#outOfReach(step.fired.id)
  }

  set(timer: TimerRecord): void {
    this.#outOfReach(timer.id)
    this.#open().set(timer.key, timer)
  }

  cancel(id: string, effects: Effect[]): void {
    for (const timer of this.after().values()) {
      if (timer.id !== id || !timer.cancellable) continue
      this.#open().delete(timer.key)
      effects.push({ kind: 'cancel', timerKey: timer.key })
      return
    }
  }

  /** An actor that has ended waits for nothing; its alarms go with it. */
  cancelAll(): void {
    if (this.after().size > 0) this.#open().clear()
  }

  after(): ReadonlyMap<string, TimerRecord> {
    return this.#changed ?? this.#before
  }

  #open(): Map<string, TimerRecord> {
    this.#changed ??= new Map(this.#before)
    return this.#changed
  }

  #outOfReach(id: string): void {
    for (const timer of this.after().values()) {
      if (timer.id === id && timer.cancellable) this.#open().set(timer.key, { ...timer, cancellable: false })
    }
  }
}
