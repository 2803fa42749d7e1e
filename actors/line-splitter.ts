/**
 * Cuts the bytes of one output stream into lines of text.
 *
 * Owns the bytes of an unfinished character and the text of an unfinished line. Never keeps a finished line.
 * 1. A character whose bytes arrive in several chunks is decoded whole; invalid bytes become U+FFFD.
 * 2. A line ends with `\n`; a `\r` before it belongs to the ending.
 * 3. A line longer than the limit is given out in pieces, so that output without a newline cannot fill memory.
 */

import { StringDecoder } from 'node:string_decoder'

export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #maxLength: number
  #unfinished = ''

  /** `maxLength` of a line is in UTF-16 code units. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  /** The lines that these bytes complete. */
  write(bytes: Buffer): readonly string[] {
    return this.#take(this.#decoder.write(bytes))
  }

  /** The last line, if it did not end with a newline. */
  end(): readonly string[] {
    const lines = this.#take(this.#decoder.end())
    const last = this.#unfinished
    this.#unfinished = ''
    return last === '' ? lines : [...lines, last]
  }

  #take(text: string): readonly string[] {
    const lines: string[] = []
    let from = 0
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      const line = this.#unfinished + text.slice(from, at)
      this.#unfinished = ''
      this.#fold(line.endsWith('\r') ? line.slice(0, -1) : line, lines)
      from = at + 1
    }
    this.#unfinished += text.slice(from)
    if (this.#unfinished.length > this.#maxLength) {
      const pieces: string[] = []
      this.#fold(this.#unfinished, pieces)
      this.#unfinished = pieces.pop() ?? ''
      lines.push(...pieces)
    }
    return lines
  }

  #fold(line: string, lines: string[]): void {
    let from = 0
    while (line.length - from > this.#maxLength) {
      let to = from + this.#maxLength
      // A surrogate pair is one character.
      if (to - from > 1 && /[\uD800-\uDBFF]/.test(line.charAt(to - 1))) to -= 1
      lines.push(line.slice(from, to))
      from = to
    }
    lines.push(line.slice(from))
  }
}
