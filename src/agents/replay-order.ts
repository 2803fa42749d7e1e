/**
 * Lets a restarted handler's calls and their recorded outcomes through in the order in which the log has them.
 *
 * Owns: the recorded order, the place that this attempt has reached in it, and who waits for a turn.
 * Never: runs a call, or reads or writes the log.
 *
 * I1. Nothing passes before everything that was recorded before it has passed.
 * I2. A call that the log does not have passes when the whole record has passed, in the order of arrival.
 * I3. What follows from a delivered outcome at once has happened before the next outcome is delivered.
 */
import type { Clock, TimerHandle } from '../runtime/clock.ts'

/** One thing in the recorded order: a call that was made, or an outcome that was given to the handler. */
export type ReplayItem = { readonly kind: 'call' | 'outcome'; readonly key: string }

/** The handler waits for something that the log does not have next. */
export type Stall = {
  /** Key of the call that the log has next. */
  readonly expected: string
  /** Key of the first call that waits; `undefined` if the handler has ended instead. */
  readonly got: string | undefined
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: unknown) => void }

/**
 * After this long without any movement, a call that waits for another one to come first counts as diverged. Only
 * code that waits for something unrecorded between two calls can take long without being wrong.
 */
const STALL_AFTER_MS = 2_000

export class ReplayOrder {
  readonly #items: readonly ReplayItem[]
  readonly #clock: Clock
  readonly #onStall: (stall: Stall) => Error
  /** Keys with the kind of item in front. */
  readonly #waiting = new Map<string, Waiter>()
  readonly #beyond: (Waiter & { readonly key: string | undefined })[] = []
  #next = 0
  /** Between an outcome and what follows from it. */
  #resting = false
  #ended = false
  #failed: unknown
  #timer: TimerHandle

  constructor(
    items: readonly ReplayItem[],
    host: { readonly clock: Clock; readonly onStall: (stall: Stall) => Error },
  ) {
    this.#items = items
    this.#clock = host.clock
    this.#onStall = host.onStall
  }

  /** True when the whole record has passed, and the handler is where it never was before. */
  get live(): boolean {
    return this.#next >= this.#items.length && !this.#resting
  }

  /** True if the log has a call that this attempt has not made yet. */
  get callsAhead(): boolean {
    return this.#items.some((item, index) => index >= this.#next && item.kind === 'call')
  }

  /** Resolves when it is the turn of a recorded call or outcome. */
  turn(item: ReplayItem): Promise<void> {
    return this.#wait((waiter) => this.#waiting.set(`${item.kind} ${item.key}`, waiter))
  }

  /** Resolves when the whole record has passed; `key` names the new call that waits for it. */
  end(key?: string): Promise<void> {
    if (this.live && this.#failed === undefined) return Promise.resolve()
    return this.#wait((waiter) => this.#beyond.push({ ...waiter, key }))
  }

  /** The handler has ended: what the log still has of its calls will not come. Resolves when all of it did come. */
  handlerEnded(): Promise<void> {
    this.#ended = true
    return this.end()
  }

  /** Rejects whoever waits, and whoever comes. */
  fail(error: unknown): void {
    this.#failed ??= error
    this.#clock.clearTimeout(this.#timer)
    const waiting = [...this.#waiting.values(), ...this.#beyond]
    this.#waiting.clear()
    this.#beyond.length = 0
    for (const waiter of waiting) waiter.reject(this.#failed)
  }

  #wait(add: (waiter: Waiter) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) return reject(this.#failed)
      add({ resolve, reject })
      this.#advance()
    })
  }

  #advance(): void {
    while (!this.#resting && this.#next < this.#items.length) {
      const item = this.#items[this.#next] as ReplayItem
      const key = `${item.kind} ${item.key}`
      const waiter = this.#waiting.get(key)
      if (waiter === undefined) return this.#watch()
      this.#waiting.delete(key)
      this.#next += 1
      waiter.resolve()
      if (item.kind === 'outcome') this.#rest()
    }
    if (!this.live) return
    this.#clock.clearTimeout(this.#timer)
    for (const waiter of this.#beyond.splice(0)) waiter.resolve()
  }

  /** A whole turn of the loop, so that every promise that this outcome sets off has been followed. */
  #rest(): void {
    this.#resting = true
    setImmediate(() => {
      this.#resting = false
      if (this.#failed === undefined) this.#advance()
    })
  }

  #watch(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = this.#clock.setTimeout(() => {
      // After a busy spell the timer comes before what has been ready for long: let that come first.
      const at = this.#next
      setImmediate(() => {
        if (this.#next === at) this.#judgeStall()
      })
    }, STALL_AFTER_MS)
  }

  #judgeStall(): void {
    const item = this.#items[this.#next]
    if (this.#failed !== undefined || item === undefined) return
    const got = this.#firstWaiting()
    // Nobody waits: the handler is busy with something unrecorded, and may take its time.
    if (got === undefined && !this.#ended) return this.#watch()
    this.fail(this.#onStall({ expected: item.key, got }))
  }

  #firstWaiting(): string | undefined {
    for (const key of this.#waiting.keys()) if (key.startsWith('call ')) return key.slice('call '.length)
    return this.#beyond.find((waiter) => waiter.key !== undefined)?.key
  }
}
