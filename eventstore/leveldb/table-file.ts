/**
 * Reads one of LevelDB's table files with every checksum in it, which LevelDB itself does not look at unless
 * asked, and its binding for Node cannot ask: an unchecked block can make it return wrong values or abort
 * the process.
 */
import { ByteReader, MalformedError } from './byte-reader.ts'
import { crc32c, unmask } from './crc32c.ts'
import { decompressSnappy } from './snappy.ts'
import type { KeyVersion } from './write-batch.ts'

const FOOTER = 48
const TRAILER = 5
const MAGIC = 0xdb4775248b80fb57n
/** Every key in a table ends in eight bytes: the sequence number and the kind. */
const KEY_TAIL = 8
const UNCOMPRESSED = 0
const SNAPPY = 1

export type KeySpan = {
  /** Every key of the stretch is after this one … */
  readonly after: string
  /** … and not after this one. */
  readonly upTo: string
}

export type TableItem =
  | { readonly type: 'block'; readonly entries: () => KeyVersion[] }
  | { readonly type: 'bad'; readonly offset: number; readonly detail: string; readonly keys: KeySpan }

type BlockPlace = { readonly offset: number; readonly size: number }

/** The blocks of a table, in order. `keys`: what the table holds, as the MANIFEST says. */
export function* readTableFile(file: Buffer, keys: KeySpan): Generator<TableItem> {
  let index: IndexEntry[]
  try {
    index = readIndex(file)
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    yield { type: 'bad', offset: 0, detail: `the index: ${error.message}`, keys }
    return
  }
  let { after } = keys
  for (const { upTo, place } of index) {
    try {
      const block = readBlock(file, place)
      yield { type: 'block', entries: () => blockEntries(block).map(toVersion) }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      yield { type: 'bad', offset: place.offset, detail: error.message, keys: { after, upTo } }
    }
    after = upTo
  }
}

type IndexEntry = { readonly upTo: string; readonly place: BlockPlace }

const readIndex = (file: Buffer): IndexEntry[] => {
  const size = file.length
  if (size < FOOTER) throw new MalformedError(`the file has ${size} bytes`)
  const footer = file.subarray(size - FOOTER)
  if (footer.readBigUInt64LE(FOOTER - 8) !== MAGIC)
    throw new MalformedError('the file does not end as a table does')
  const reader = new ByteReader(footer)
  const metaindex = placeAt(reader)
  const place = placeAt(reader)
  for (const { value } of blockEntries(readBlock(file, metaindex))) {
    // The filter: damage to it hides keys that are there.
    readBlock(file, placeAt(new ByteReader(value)))
  }
  return blockEntries(readBlock(file, place)).map(({ key, value }) => ({
    upTo: userKey(key),
    place: placeAt(new ByteReader(value)),
  }))
}

const placeAt = (reader: ByteReader): BlockPlace => ({ offset: reader.varint(), size: reader.varint() })

const readBlock = (file: Buffer, { offset, size }: BlockPlace): Buffer => {
  const end = offset + size + TRAILER
  if (end > file.length) throw new MalformedError(`the file ends before ${end}`)
  const bytes = file.subarray(offset, end)
  if (unmask(bytes.readUInt32LE(size + 1)) !== crc32c(bytes, 0, size + 1)) {
    throw new MalformedError('its checksum does not hold')
  }
  const content = bytes.subarray(0, size)
  const kind = bytes[size]
  if (kind === UNCOMPRESSED) return content
  if (kind === SNAPPY) return decompressSnappy(content)
  throw new MalformedError(`it is compressed in the unknown way ${kind}`)
}

type BlockEntry = { readonly key: Buffer; readonly value: Buffer }

/** The entries of a block; each key names only what it does not share with the one before. */
const blockEntries = (block: Buffer): BlockEntry[] => {
  if (block.length < 4) throw new MalformedError('a block without an end')
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - restarts * 4
  if (end < 0) throw new MalformedError('a block with more restarts than bytes')
  const reader = new ByteReader(block.subarray(0, end))
  const entries: BlockEntry[] = []
  let key = Buffer.alloc(0)
  while (!reader.isAtEnd) {
    const shared = reader.varint()
    const rest = reader.varint()
    const length = reader.varint()
    if (shared > key.length) throw new MalformedError('a key that shares more than there is')
    key = Buffer.concat([key.subarray(0, shared), reader.bytes(rest)])
    entries.push({ key, value: reader.bytes(length) })
  }
  return entries
}

const userKey = (key: Buffer): string => {
  if (key.length < KEY_TAIL) throw new MalformedError('a key without a sequence number')
  return key.toString('utf8', 0, key.length - KEY_TAIL)
}

const toVersion = ({ key, value }: BlockEntry): KeyVersion => {
  const tail = key.readBigUInt64LE(key.length - KEY_TAIL)
  const deleted = (tail & 0xffn) === 0n
  return {
    key: userKey(key),
    value: deleted ? undefined : value.toString('utf8'),
    sequence: Number(tail >> 8n),
  }
}
