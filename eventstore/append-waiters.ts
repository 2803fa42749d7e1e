/** Who waits for an append: the promise that its caller got, or a caller that has no use for one. */
import type { RecordedEvent } from './event.ts'
import type { Durability } from './event-store.ts'
import type { PlanWaiter } from './group-commit.ts'

/** What an append comes to if it is written; so far it says no more than what was asked for. */
type Result = { readonly durability: Durability }

/** Settles a promise. */
export class Promised<T extends Result> implements PlanWaiter {
  readonly #result: T
  readonly #resolve: (result: T) => void
  readonly failed: (error: unknown) => void

  constructor(result: T, resolve: (result: T) => void, reject: (error: unknown) => void) {
    this.#result = result
    this.#resolve = resolve
    this.failed = reject
  }

  written(durability: Durability): void {
    const result = this.#result
    this.#resolve(result.durability === durability ? result : { ...result, durability })
  }
}

/** A caller that is told by name, because it appends so often that promises and results would be most of what it leaves. */
export interface AppendHearer {
  written(events: readonly RecordedEvent[]): void
  failed(error: unknown): void
}

/** Tells a caller, as a promise would: its failures later, and what it throws is nobody's but its own. */
export class Told implements PlanWaiter {
  readonly #hearer: AppendHearer
  readonly #events: readonly RecordedEvent[]

  constructor(hearer: AppendHearer, events: readonly RecordedEvent[]) {
    this.#hearer = hearer
    this.#events = events
  }

  written(): void {
    try {
      this.#hearer.written(this.#events)
    } catch (error) {
      void Promise.reject(error)
    }
  }

  failed(error: unknown): void {
    queueMicrotask(() => this.#hearer.failed(error))
  }
}
