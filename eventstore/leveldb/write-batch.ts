/** Takes apart one record of the write-ahead log: the batch of puts and deletions that was written at once. */
import { ByteReader, MalformedError } from './byte-reader.ts'

/** One key as it was at one moment; `value` undefined if it was deleted. */
export type KeyVersion = {
  readonly key: string
  readonly value: string | undefined
  /** Of two versions of a key the one with the higher number is the later. */
  readonly sequence: number
}

const PUT = 1
const DELETE = 0

/** @throws {MalformedError} */
export const readWriteBatch = (bytes: Buffer): KeyVersion[] => {
  const reader = new ByteReader(bytes)
  const first = reader.uint64()
  const count = reader.uint32()
  const versions: KeyVersion[] = []
  for (let index = 0; index < count; index += 1) {
    const kind = reader.byte()
    if (kind !== PUT && kind !== DELETE) throw new MalformedError(`an operation of the unknown kind ${kind}`)
    const key = reader.prefixed().toString('utf8')
    const value = kind === PUT ? reader.prefixed().toString('utf8') : undefined
    versions.push({ key, value, sequence: first + index })
  }
  return versions
}
