/**
 * Wakes actors that are not in memory when a timer of theirs is due.
 *
 * Owns: one alarm, for the first of them.
 * Never: holds anything of an actor that is not in memory, or fires a timer: who was woken does that.
 *
 * I1. While a timer of an actor that is not in memory is pending, an alarm is set for its due time or an earlier one.
 * I2. A bounded number of actors is being woken at a time.
 */
import type { EventStore } from '../../../eventstore/event-store.ts'
import { setAlarm } from '../alarm.ts'
import { rootOf } from '../fold/child-address.ts'
import type { Clock } from '../clock.ts'
import { timersByDue } from './due-index.ts'

export type SleepersHost = {
  readonly store: EventStore
  readonly clock: Clock
  /** Whether the family sees to its timers itself, or cannot be woken. */
  isSeenTo(root: string): boolean
  /** Never fails. */
  wake(root: string): Promise<void>
  onError(error: unknown): void
}

const AT_ONCE = 16
/** How many timers of actors in memory are passed over before looking again later. */
const MAX_PASSED = 1_000

export class Sleepers {
  readonly #host: SleepersHost
  #next = Number.POSITIVE_INFINITY
  #cancel: () => void = () => {}
  #sweeping = false
  #closed = false

  constructor(host: SleepersHost) {
    this.#host = host
  }

  /** An actor that has a timer due then is not in memory. */
  note(dueAt: number): void {
    if (this.#closed || dueAt >= this.#next) return
    this.#cancel()
    this.#next = dueAt
    this.#cancel = setAlarm(this.#host.clock, dueAt, () => {
      this.#next = Number.POSITIVE_INFINITY
      this.#sweep().catch((error: unknown) => {
        if (!this.#closed) this.#host.onError(error)
      })
    })
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) {
      // It is reading on behalf of an earlier moment: look again after it.
      this.note(this.#host.clock.now())
      return
    }
    this.#sweeping = true
    try {
      const next = await this.#wakeDue()
      if (next !== undefined) this.note(next)
    } finally {
      this.#sweeping = false
    }
  }

  /** Wakes all that are due; gives back when the next one is. */
  async #wakeDue(): Promise<number | undefined> {
    const { store, clock } = this.#host
    const waking = new Set<Promise<void>>()
    const woken = new Set<string>()
    let passed = 0
    let next: number | undefined
    for await (const { dueAt, streamId } of timersByDue(store)) {
      if (this.#closed) break
      const root = rootOf(streamId)
      const isDue = dueAt <= clock.now()
      if (woken.has(root) || this.#host.isSeenTo(root)) {
        if (!isDue && (passed += 1) < MAX_PASSED) continue
        if (isDue) continue
      }
      if (!isDue) {
        next = dueAt
        break
      }
      if (woken.size >= MAX_PASSED) woken.clear()
      woken.add(root)
      const wake = this.#host.wake(root).finally(() => waking.delete(wake))
      waking.add(wake)
      if (waking.size >= AT_ONCE) await Promise.race(waking)
    }
    await Promise.all(waking)
    return next
  }
}
