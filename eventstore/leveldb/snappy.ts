/** Decompresses Snappy, in which LevelDB keeps the blocks of its tables. */
import { ByteReader, MalformedError } from './byte-reader.ts'

/** Far above any block that LevelDB makes. */
const MAX_LENGTH = 256 * 1024 * 1024

/** @throws {MalformedError} */
export const decompressSnappy = (bytes: Buffer): Buffer => {
  const reader = new ByteReader(bytes)
  const length = reader.varint()
  if (length > MAX_LENGTH) throw new MalformedError(`it claims to hold ${length} bytes`)
  const result = Buffer.allocUnsafe(length)
  let at = 0
  while (!reader.isAtEnd) {
    const tag = reader.byte()
    if ((tag & 3) === 0) {
      const literal = reader.bytes(literalLength(tag, reader))
      if (at + literal.length > length) throw new MalformedError('it holds more than it claims')
      literal.copy(result, at)
      at += literal.length
    } else {
      const { size, distance } = copyOf(tag, reader)
      if (distance === 0 || distance > at || at + size > length)
        throw new MalformedError('it copies from nowhere')
      // Source and target may overlap, which is how a run is written: byte by byte.
      for (const end = at + size; at < end; at += 1) result[at] = result[at - distance] as number
    }
  }
  if (at !== length) throw new MalformedError('it holds less than it claims')
  return result
}

const literalLength = (tag: number, reader: ByteReader): number => {
  const short = tag >>> 2
  if (short < 60) return short + 1
  return littleEndian(reader, short - 59) + 1
}

const copyOf = (tag: number, reader: ByteReader): { size: number; distance: number } => {
  if ((tag & 3) === 1) {
    return { size: ((tag >>> 2) & 7) + 4, distance: ((tag >>> 5) << 8) | reader.byte() }
  }
  return { size: (tag >>> 2) + 1, distance: littleEndian(reader, (tag & 3) === 2 ? 2 : 4) }
}

const littleEndian = (reader: ByteReader, length: number): number =>
  reader.bytes(length).readUIntLE(0, length)
