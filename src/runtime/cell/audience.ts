/**
 * Those who watch one actor: its subscribers, and who listens for what it emits.
 *
 * Owns: the observers and handlers, which outlive the cell they watch: a cell that is woken anew has the same.
 * Never: lets one of them keep the others from hearing, or throw into the actor.
 *
 * I1. Who is added while something is told hears the next thing; who is removed meanwhile hears no more.
 * I2. After `complete` or `fail` it is empty.
 */
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate'

export type Observer<T> = {
  readonly next?: ((value: T) => void) | undefined
  readonly error?: ((error: unknown) => void) | undefined
  readonly complete?: (() => void) | undefined
}

type Handler = { readonly type: string; readonly handle: (event: AnyEventObject) => void }

export class Audience {
  /** The version of the last state that it was told of, or that was there when it came. */
  seen: number | undefined
  readonly #onError: (error: unknown) => void
  readonly #onEmpty: () => void
  readonly #observers = new Set<Observer<AnyMachineSnapshot>>()
  readonly #handlers = new Set<Handler>()

  /** `onEmpty`: called when all have heard the last there is to hear. */
  constructor(onError: (error: unknown) => void, onEmpty: () => void) {
    this.#onError = onError
    this.#onEmpty = onEmpty
  }

  get empty(): boolean {
    return this.#observers.size === 0 && this.#handlers.size === 0
  }

  /** Returns a function that takes the observer out again. */
  subscribe(observer: Observer<AnyMachineSnapshot>): () => void {
    // The same observer may subscribe twice.
    const own = { next: observer.next?.bind(observer), ...bound(observer) }
    this.#observers.add(own)
    return () => void this.#observers.delete(own)
  }

  /** `*` hears everything that is emitted. Returns a function that takes the handler out again. */
  on(type: string, handle: (event: AnyEventObject) => void): () => void {
    const handler = { type, handle }
    this.#handlers.add(handler)
    return () => void this.#handlers.delete(handler)
  }

  next(snapshot: AnyMachineSnapshot): void {
    for (const observer of Array.from(this.#observers)) {
      if (this.#observers.has(observer)) this.#safely(() => observer.next?.(snapshot))
    }
  }

  emit(event: AnyEventObject): void {
    // As in XState: those who asked for this very type come first.
    const all = [...this.#handlers]
    const concerned = [
      ...all.filter(({ type }) => type === event.type),
      ...all.filter(({ type }) => type === '*'),
    ]
    for (const handler of concerned) {
      if (this.#handlers.has(handler)) this.#safely(() => handler.handle(event))
    }
  }

  complete(): void {
    for (const observer of this.#dismiss()) this.#safely(() => observer.complete?.())
  }

  /** Returns whether anybody took note of the error. */
  fail(error: unknown): boolean {
    let heard = false
    for (const observer of this.#dismiss()) {
      heard ||= observer.error !== undefined
      this.#safely(() => observer.error?.(error))
    }
    return heard
  }

  #dismiss(): Observer<AnyMachineSnapshot>[] {
    const observers = [...this.#observers]
    this.#observers.clear()
    this.#handlers.clear()
    this.#onEmpty()
    return observers
  }

  #safely(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#onError(error)
    }
  }
}

function bound(observer: Observer<AnyMachineSnapshot>): Observer<AnyMachineSnapshot> {
  return { error: observer.error?.bind(observer), complete: observer.complete?.bind(observer) }
}
