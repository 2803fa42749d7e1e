/** Copies every key of a damaged database that can still be read, the last whole value of each, into a storage. */
import { familyOf } from './keys.ts'
import { MalformedError } from './leveldb/byte-reader.ts'
import { readDatabaseFiles, type FileItem } from './leveldb/database-files.ts'
import type { KeyVersion } from './leveldb/write-batch.ts'
import { checksumFault } from './record.ts'
import type { Storage } from './storage.ts'

/** The damaged database is read by its files and not changed. */
export const copyIntactKeys = async (folder: string, into: Storage): Promise<void> => {
  /** Sequence numbers of keys that are written more than once. */
  const latest = new Map<string, number>()
  for await (const item of readDatabaseFiles(folder, { evenIfManifestIsDamaged: true })) {
    const batch = into.batch()
    for (const { key, value, sequence } of entriesOf(item)) {
      if (familyOf(key) === 'event') {
        // Written once, or once more when its stream was archived: then the shorter one is the later.
        if (value === undefined || checksumFault(value) !== undefined) continue
      }
      if ((latest.get(key) ?? -1) >= sequence) continue
      if (familyOf(key) !== 'stream') latest.set(key, sequence)
      if (value === undefined) batch.del(key)
      else batch.put(key, value)
    }
    await batch.write({ sync: false })
  }
  const last = into.batch()
  await last.write({ sync: true })
}

const entriesOf = (item: FileItem): KeyVersion[] => {
  if (item.type === 'damage') return []
  try {
    return item.entries()
  } catch (error) {
    if (error instanceof MalformedError) return []
    throw error
  }
}
