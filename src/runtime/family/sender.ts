/**
 * Who has sent an event and waits for the answer: for the event's turn, then for the disk.
 *
 * One object per event for the whole way: what waits for the disk is what the garbage collector has to carry.
 */
import type { Waiter } from './flights.ts'
import type { Answer, Receipt, SendOptions } from '../cell/receipt.ts'
import type { Accepted } from '../fold/step-effects.ts'

/** Copies of it live as long as who waits for the next answer: no literal, see eventstore/young.ts. */
const ACCEPTED: Receipt = { accepted: true, version: 0 }

export class Sender implements Answer, Waiter {
  readonly options: SendOptions
  readonly #answer: Answer
  /** Where it counts until it is answered. */
  #box: { waiting: number } | undefined
  /** What comes of its event, if that comes to disk. */
  #version = 0
  #crashed: string | undefined

  constructor(options: SendOptions, answer: Answer) {
    this.options = options
    this.#answer = answer
  }

  /** Counts it among those who wait. */
  waitIn(box: { waiting: number }): void {
    this.#box = box
    box.waiting += 1
  }

  /** The machine has taken its event; the turn is on its way to the disk. */
  taken({ state, crashed }: Accepted): void {
    this.#version = state.version
    this.#crashed = crashed
  }

  land(): void {
    if (this.#crashed === undefined) {
      this.give({ ...ACCEPTED, version: this.#version })
      return
    }
    const reason = `the machine crashed on it, and goes on from before: ${this.#crashed}`
    this.give({ accepted: false, version: this.#version, reason })
  }

  lose(error: unknown): void {
    this.fail(error)
  }

  give(receipt: Receipt): void {
    if (this.#box !== undefined) this.#box.waiting -= 1
    this.#answer.give(receipt)
  }

  fail(error: unknown): void {
    if (this.#box !== undefined) this.#box.waiting -= 1
    this.#answer.fail(error)
  }
}
