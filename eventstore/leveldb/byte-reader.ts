/** Reads LevelDB's integers and length-prefixed bytes, and refuses to read past the end. */

/** What was read is not what it should be; caught where it is known what it means. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError'
}

export class ByteReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get at(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw new MalformedError(`the bytes end at ${this.#at}`)
    this.#at += 1
    return value
  }

  /** A number of seven bits a byte, the lowest first; at most 2^53. */
  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 56; factor *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new MalformedError(`there is no number at ${this.#at}`)
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE(0)
  }

  uint64(): number {
    return Number(this.bytes(8).readBigUInt64LE(0))
  }

  bytes(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length)
      throw new MalformedError(`${length} bytes at ${this.#at} are more than there are`)
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  prefixed(): Buffer {
    return this.bytes(this.varint())
  }
}
