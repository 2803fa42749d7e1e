/** A sender who waits for its event to come to disk, as one of those who wait for a turn. */
import type { Waiter } from './flights.ts'
import type { Answer } from './receipt.ts'

export class Sender implements Waiter {
  readonly #answer: Answer
  readonly #version: number

  /** `version`: the one that its event has if it comes to disk. */
  constructor(answer: Answer, version: number) {
    this.#answer = answer
    this.#version = version
  }

  land(): void {
    this.#answer.give({ accepted: true, version: this.#version })
  }

  lose(error: unknown): void {
    this.#answer.fail(error)
  }
}
