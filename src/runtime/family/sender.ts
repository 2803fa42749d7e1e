/** A sender who waits for its event to come to disk, as one of those who wait for a turn. */
import type { Waiter } from './flights.ts'
import type { Answer } from '../cell/receipt.ts'
import type { Accepted } from '../fold/step-effects.ts'

export class Sender implements Waiter {
  readonly #answer: Answer
  readonly #version: number
  readonly #crashed: string | undefined

  /** `outcome`: what comes of its event if that comes to disk. */
  constructor(answer: Answer, { state, crashed }: Accepted) {
    this.#answer = answer
    this.#version = state.version
    this.#crashed = crashed
  }

  land(): void {
    if (this.#crashed === undefined) {
      this.#answer.give({ accepted: true, version: this.#version })
      return
    }
    const reason = `the machine crashed on it, and goes on from before: ${this.#crashed}`
    this.#answer.give({ accepted: false, version: this.#version, reason })
  }

  lose(error: unknown): void {
    this.#answer.fail(error)
  }
}
