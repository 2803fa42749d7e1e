/**
 * The turns of one family that are decided and not yet shown, in the order in which they were decided.
 *
 * Owns: those turns, and who waits for them.
 * Never: hands out a turn before all that were decided before it.
 */
import type { AppendHearer } from '../../../eventstore/append-waiters.ts'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import type { KeptMail } from '../delivery/outbox.ts'
import type { Act } from './turn.ts'

/** Hears what became of a turn. */
export type Waiter = { land(): void; lose(error: unknown): void }

/** Whose turns they are: hears what the store tells of each. */
export interface FlightHost {
  onWritten(flight: Flight, events: readonly RecordedEvent[]): void
  onFailed(error: unknown): void
}

/** A turn on its way to the disk; the store tells it when it is there. */
export class Flight implements AppendHearer {
  readonly script: readonly Act[]
  /** What is to be delivered after that. */
  readonly mails: readonly KeptMail[]
  isWritten = false
  /** The one that was decided after it. */
  next: Flight | undefined
  readonly #host: FlightHost
  // Nearly every turn has one who waits for it: the sender.
  #first: Waiter | undefined
  #others: Waiter[] | undefined

  constructor(host: FlightHost, script: readonly Act[], mails: readonly KeptMail[]) {
    this.#host = host
    this.script = script
    this.mails = mails
  }

  written(events: readonly RecordedEvent[]): void {
    this.isWritten = true
    this.#host.onWritten(this, events)
  }

  failed(error: unknown): void {
    this.#host.onFailed(error)
  }

  /** In the order of calls. */
  await(waiter: Waiter): void {
    if (this.#first === undefined) this.#first = waiter
    else (this.#others ??= []).push(waiter)
  }

  /** Settles when the turn is published, or lost. */
  landed(): Promise<void> {
    return new Promise((land, lose) => this.await({ land, lose }))
  }

  land(): void {
    this.#first?.land()
    if (this.#others !== undefined) for (const waiter of this.#others) waiter.land()
  }

  lose(error: unknown): void {
    this.#first?.lose(error)
    if (this.#others !== undefined) for (const waiter of this.#others) waiter.lose(error)
  }
}

/** A line of flights: each knows the next, so that the one flight that most families have needs no list. */
export class Flights {
  readonly #host: FlightHost
  #first: Flight | undefined
  #last: Flight | undefined

  constructor(host: FlightHost) {
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  /** The one that was decided last. */
  get last(): Flight | undefined {
    return this.#last
  }

  depart(script: readonly Act[], mails: readonly KeptMail[]): Flight {
    const flight = new Flight(this.#host, script, mails)
    if (this.#last === undefined) this.#first = flight
    else this.#last.next = flight
    this.#last = flight
    return flight
  }

  /** Takes out the next turn in order, if it is on disk. */
  arrived(): Flight | undefined {
    return this.#first?.isWritten === true ? this.#takeOut() : undefined
  }

  /** Tells those who wait that nothing more arrives; returns the mail that will not be delivered. */
  lose(error: unknown): KeptMail[] {
    const lost: Flight[] = []
    for (let flight = this.#takeOut(); flight !== undefined; flight = this.#takeOut()) lost.push(flight)
    for (const flight of lost) flight.lose(error)
    return lost.flatMap(({ mails }) => mails)
  }

  /** Resolves when none is under way any more, be they published or lost. */
  async settled(): Promise<void> {
    await this.#last?.landed().catch(() => {})
  }

  #takeOut(): Flight | undefined {
    const flight = this.#first
    this.#first = flight?.next
    if (this.#first === undefined) this.#last = undefined
    // One that is garbage must not keep those after it.
    if (flight !== undefined) flight.next = undefined
    return flight
  }
}
