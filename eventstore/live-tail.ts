/**
 * Catch up, then follow: one reader of the disk until it is level with the log, then of what is published.
 *
 * Owns the last events published (a bounded ring, without gaps) and who waits for the next. Never holds back events for
 * a slow reader: one that falls behind the ring reads the log again.
 *
 * I1  A reader's cursor is the position of the last event it was given; the next it is given is the one
 *     after, whether from the ring or from the disk: no gap, no duplicate.
 * I2  Only events on disk are published.
 */
import { Observable, type Subscriber } from 'rxjs'
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { SubscribeOptions } from './event-store.ts'
import { itemsOf } from './paged.ts'

/** Events kept for readers who are nearly level. */
const RING = 2048

export type LiveTailOptions = {
  /** Position of the last event on disk when the store was opened. */
  readonly position: number
  /** Pages of verified events after a position, up to the end of the log. */
  readonly read: (fromPosition: number) => AsyncIterable<readonly RecordedEvent[]>
}

export class LiveTail {
  readonly #read: LiveTailOptions['read']
  readonly #sinks = new Set<(events: readonly RecordedEvent[]) => void>()
  readonly #subscribers = new Set<Subscriber<RecordedEvent>>()
  #waiting: (() => void)[] = []
  #ring: RecordedEvent[] = []
  /** Readers that pull. */
  #pulling = 0
  #position: number
  #ended = false

  constructor(options: LiveTailOptions) {
    this.#position = options.position
    this.#read = options.read
  }

  get position(): number {
    return this.#position
  }

  /** Makes events known that are on disk now; the log ends at `position` with them. */
  publish(events: readonly RecordedEvent[], position: number): void {
    if (position === this.#position) return
    const isGapless = position - this.#position === events.length
    this.#position = position
    // Without a reader that pulls, the events would only be carried through the garbage collector.
    if (isGapless && this.#pulling > 0) this.#ring.push(...events)
    else this.#ring = []
    if (this.#ring.length > RING * 2) this.#ring = this.#ring.slice(-RING)
    for (const sink of Array.from(this.#sinks)) sink(events)
    this.#wake()
  }

  /** Completes every reader. */
  end(): void {
    this.#ended = true
    for (const subscriber of Array.from(this.#subscribers)) subscriber.complete()
    this.#wake()
  }

  subscribe(options: SubscribeOptions = {}): Observable<RecordedEvent> {
    return new Observable((subscriber) => {
      const { signal } = options
      if (this.#isOver(signal)) {
        subscriber.complete()
        return
      }
      const complete = (): void => subscriber.complete()
      signal?.addEventListener('abort', complete, { once: true })
      this.#subscribers.add(subscriber)
      subscriber.add(() => {
        signal?.removeEventListener('abort', complete)
        this.#subscribers.delete(subscriber)
      })
      void this.#run(subscriber, this.#start(options))
    })
  }

  follow(options: SubscribeOptions = {}): AsyncIterableIterator<RecordedEvent> {
    const cursor = this.#start(options)
    return itemsOf(this.#pages(cursor, options.signal), () => this.#isOver(options.signal))
  }

  #start({ fromPosition = 0 }: SubscribeOptions): number {
    return fromPosition === 'now' ? this.#position : fromPosition
  }

  /** Pushes pages until it is level, then hands over to `publish` without leaving the turn. */
  async #run(subscriber: Subscriber<RecordedEvent>, from: number): Promise<void> {
    let cursor = from
    const push = (events: readonly RecordedEvent[]): void => {
      for (const event of events) {
        if (subscriber.closed) return
        if (event.position <= cursor) continue
        cursor = event.position
        subscriber.next(event)
      }
    }
    try {
      this.#assertReached(cursor)
      while (!subscriber.closed && cursor < this.#position) {
        const until = this.#position
        for await (const page of this.#behind(cursor)) {
          push(page)
          if (subscriber.closed) break
        }
        // Of archived events there is nothing to push.
        cursor = Math.max(cursor, until)
      }
    } catch (error) {
      subscriber.error(error)
      return
    }
    if (subscriber.closed) return
    this.#sinks.add(push)
    subscriber.add(() => this.#sinks.delete(push))
  }

  /** Pages for a reader that pulls; waits when it is level. */
  async *#pages(
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    this.#assertReached(from)
    this.#pulling += 1
    try {
      yield* this.#follow(from, signal)
    } finally {
      this.#pulling -= 1
    }
  }

  async *#follow(
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    let cursor = from
    while (!this.#isOver(signal)) {
      if (cursor >= this.#position) {
        await this.#more(signal)
        continue
      }
      const until = this.#position
      try {
        for await (const page of this.#behind(cursor)) {
          cursor = page.at(-1)?.position ?? cursor
          yield page
        }
        cursor = Math.max(cursor, until)
      } catch (error) {
        // A read that was cut off by close() or by the reader is an end, not a failure.
        if (!this.#isOver(signal)) throw error
      }
    }
  }

  /** From the ring if it reaches back far enough, else from the disk. */
  async *#behind(cursor: number): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    const first = this.#ring[0]
    if (first !== undefined && first.position <= cursor + 1) {
      yield this.#ring.slice(cursor + 1 - first.position)
      return
    }
    yield* this.#read(cursor)
  }

  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
      this.#waiting.push(done)
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #isOver(signal: AbortSignal | undefined): boolean {
    return this.#ended || signal?.aborted === true
  }

  #assertReached(cursor: number): void {
    if (cursor <= this.#position) return
    throw new EventStoreError('ES_POSITION_AHEAD', {
      happened: `The reader asks for events after position ${cursor}, but the log ends at ${this.#position}`,
      expected: 'Expected a position that this log has reached',
      remedy: 'The log was replaced or lost its end: rebuild what was folded from it, from position 0',
      details: { position: cursor },
    })
  }
}
