/** A promise that may be left alone: if it fails and nobody is waiting for it, it says so instead of ending the process. */

type Settle = { give: (value: never) => void; fail: (error: unknown) => void }

const ignore = (): void => {}

/** Where the promise that is being made hands out how to settle it: at once, and one at a time. */
const made: Settle = { give: ignore, fail: ignore }

/** One for all of them: a function for each would be left over from each. */
const handOut = (give: (value: never) => void, fail: (error: unknown) => void): void => {
  made.give = give
  made.fail = fail
}

/** Settled by whoever answers; fails like any promise for those who wait; only if nobody does, `onUnheard` hears it. */
export class Reply<T> extends Promise<T> {
  /**
   * What is derived from a reply is an ordinary promise. `await` asks for the constructor as well: an ordinary promise is
   * waited for as it is, one of another class through two more promises, whose `then` it would call a turn later.
   */
  // oxlint-disable-next-line typescript/class-literal-property-style -- each look at it counts
  override get ['constructor'](): PromiseConstructor {
    this.#awaited = true
    return Promise
  }

  readonly give: (value: T) => void
  readonly #reject: (error: unknown) => void
  readonly #onUnheard: (error: unknown) => void
  #awaited = false

  constructor(onUnheard: (error: unknown) => void) {
    super(handOut)
    this.give = made.give as (value: T) => void
    this.#reject = made.fail
    this.#onUnheard = onUnheard
  }

  fail(reason: unknown): void {
    this.#reject(reason)
    const check = (): void => {
      if (!this.#awaited) this.#onUnheard(reason)
    }
    const wasAwaited = this.#awaited
    // Who awaits what was lost at once does so a microtask later.
    void super.then(undefined, () => queueMicrotask(check))
    this.#awaited = wasAwaited
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<A = T, B = never>(
    onDone?: ((value: T) => A | PromiseLike<A>) | null,
    onFailed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#awaited = true
    return super.then(onDone, onFailed)
  }
}
