/**
 * The turns of one actor that are decided and not yet shown, in the order of versions.
 *
 * Owns: those turns, and the promises of those who wait for them.
 * Never: hands out a turn before all that were decided before it.
 */
import type { KeptMail } from './outbox.ts'
import type { Act } from './turn.ts'

/** A turn on its way to the disk. */
export type Flight = {
  readonly script: readonly Act[]
  /** What is to be delivered after that. */
  readonly mails: readonly KeptMail[]
  written: boolean
  /** Settles when the turn is published, or lost. */
  readonly landed: Promise<void>
  readonly land: () => void
  readonly lose: (error: unknown) => void
}

/** From that many on, what was handed out is cleared away. */
const ROOM = 1024

export class Flights {
  #flights: Flight[] = []
  #first = 0

  /** The one that was decided last. */
  get last(): Flight | undefined {
    return this.#flights.at(-1)
  }

  depart(script: readonly Act[], mails: readonly KeptMail[]): Flight {
    let land: () => void = () => {}
    let lose: (error: unknown) => void = () => {}
    const landed = new Promise<void>((resolve, reject) => {
      land = resolve
      lose = reject
    })
    const flight: Flight = { script, mails, written: false, landed, land, lose }
    this.#flights.push(flight)
    return flight
  }

  /** Takes out the next turn in order, if it is on disk. */
  arrived(): Flight | undefined {
    const flight = this.#flights[this.#first]
    if (flight?.written !== true) return undefined
    this.#first += 1
    if (this.#first === this.#flights.length) this.#clear()
    else if (this.#first >= ROOM) {
      this.#flights.splice(0, this.#first)
      this.#first = 0
    }
    return flight
  }

  /** Tells those who wait that nothing more arrives; returns the mail that will not be delivered. */
  lose(error: unknown): KeptMail[] {
    const lost = this.#flights.slice(this.#first)
    this.#clear()
    for (const flight of lost) flight.lose(error)
    return lost.flatMap(({ mails }) => mails)
  }

  landings(): Promise<void>[] {
    return this.#flights.slice(this.#first).map(({ landed }) => landed)
  }

  #clear(): void {
    this.#flights = []
    this.#first = 0
  }
}
