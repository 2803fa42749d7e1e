/** A promise that may be left alone: if it fails and nobody is waiting for it, it says so instead of ending the process. */

/** Fails like any promise for those who wait; only if nobody does, `onUnheard` gets the error. */
export class Reply<T> extends Promise<T> {
  #awaited = false

  // What is derived from a reply is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  static to<T>(promise: Promise<T>, onUnheard: (error: unknown) => void): Reply<T> {
    const reply = new Reply<T>((resolve) => resolve(promise))
    void Promise.prototype.then.call(reply, undefined, (error: unknown) => {
      if (!reply.#awaited) onUnheard(error)
    })
    return reply
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
