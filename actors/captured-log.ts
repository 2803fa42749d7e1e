/**
 * Keeps the lines of a command within a limit: all of them, or the first and the last ones around a marker.
 *
 * Owns the kept lines. Never holds more than the limits, however much is added.
 * 1. Kept lines are in the order in which they were added.
 * 2. At most `maxLines` lines come out, the marker included, and at most `maxBytes` bytes of UTF-8 (a newline each
 *    counted, the marker not).
 * 3. Nothing is left out while everything fits.
 * 4. The first lines get up to half of the limits, the last ones all the rest: an error stands at the end.
 */

import { StringDecoder } from 'node:string_decoder'

type KeptLine = { readonly text: string; readonly bytes: number }

export class CapturedLog {
  readonly #maxLines: number
  readonly #maxBytes: number
  readonly #head: string[] = []
  #tail: KeptLine[] = []
  #tailFrom = 0
  #headBytes = 0
  #tailBytes = 0
  #omittedLines = 0
  #omittedBytes = 0

  constructor({ maxLines, maxBytes }: { readonly maxLines: number; readonly maxBytes: number }) {
    this.#maxLines = maxLines
    this.#maxBytes = maxBytes
  }

  /** Whether something has been left out. */
  get truncated(): boolean {
    return this.#omittedBytes > 0
  }

  get #tailLines(): number {
    return this.#tail.length - this.#tailFrom
  }

  add(text: string): void {
    const bytes = Buffer.byteLength(text) + 1
    const headHasRoom =
      this.#head.length < Math.floor(this.#maxLines / 2) && this.#headBytes + bytes <= this.#maxBytes / 2
    if (this.#tail.length === 0 && headHasRoom) {
      this.#head.push(text)
      this.#headBytes += bytes
      return
    }
    const room = this.#maxBytes - this.#headBytes
    const line = bytes > room ? this.#cut(text, room) : { text, bytes }
    this.#tail.push(line)
    this.#tailBytes += line.bytes
    while (this.#tailBytes > room || this.#tailLines > this.#roomForLines()) this.#dropOldest()
  }

  /** The kept lines, with a marker where lines are missing. */
  lines(): string[] {
    const tail = this.#tail.slice(this.#tailFrom).map((line) => line.text)
    if (this.#omittedLines === 0) return [...this.#head, ...tail]
    const marker = `[… ${this.#omittedLines} lines (${this.#omittedBytes} bytes) left out …]`
    return [...this.#head, marker, ...tail]
  }

  /** How many lines the end may hold; once lines are missing, one place is the marker's. */
  #roomForLines(): number {
    return this.#maxLines - this.#head.length - (this.#omittedLines > 0 ? 1 : 0)
  }

  #dropOldest(): void {
    const oldest = this.#tail[this.#tailFrom]
    if (oldest === undefined) return
    this.#tailFrom += 1
    this.#tailBytes -= oldest.bytes
    this.#omittedLines += 1
    this.#omittedBytes += oldest.bytes
    // Moving the rest on every drop would be quadratic.
    if (this.#tailFrom > 1_024 && this.#tailFrom * 2 > this.#tail.length) {
      this.#tail = this.#tail.slice(this.#tailFrom)
      this.#tailFrom = 0
    }
  }

  #cut(text: string, room: number): KeptLine {
    const whole = Buffer.from(text)
    // The decoder holds back a character that the cut splits.
    const start = new StringDecoder('utf8').write(whole.subarray(0, Math.max(0, room - 1)))
    const left = whole.length - Buffer.byteLength(start)
    this.#omittedBytes += left
    return { text: `${start}[… ${left} bytes of this line left out]`, bytes: room }
  }
}
