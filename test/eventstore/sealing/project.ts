/** A log with sealing in a folder, what it has on its disk, and how it is opened and closed again. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readLogFile } from '../../../eventstore/leveldb/log-file.ts'
import { readTableFile } from '../../../eventstore/leveldb/table-file.ts'
import {
  openFileKeyRing,
  openLevelEventStore,
  openSealedStore,
  type EventStore,
  type KeyRing,
  type MasterKey,
  type RecordedEvent,
  type SealedStore,
  type SealingOptions,
} from '../../../eventstore/index.ts'

/** Streams are named `<person>/<what>`. */
export const subjectOf: NonNullable<SealingOptions['subjectOf']> = ({ stream_id }) =>
  stream_id.includes('/') ? stream_id.split('/')[0] : undefined

export type Opened = { readonly store: SealedStore; readonly stored: EventStore; readonly keys: KeyRing }

export const openSealing = async (
  folder: string,
  options: Partial<SealingOptions> & { readonly masterKey?: MasterKey } = {},
): Promise<Opened> => {
  const { masterKey, ...sealing } = options
  const keys = await openFileKeyRing(join(folder, 'keys'), { masterKey })
  const stored = await openLevelEventStore({ path: join(folder, 'log') })
  const store = await openSealedStore(stored, { keys, subjectOf, ...sealing })
  return { store, stored, keys }
}

export const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'sealing-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export const payloads = async (events: AsyncIterable<RecordedEvent>): Promise<unknown[]> =>
  (await collect(events)).map(({ payload }) => payload)

/** The files below a folder that have this text in them: as bytes, and in what LevelDB has packed or cut into pieces. */
export const filesWith = async (folder: string, text: string): Promise<string[]> => {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const name of names) {
    if (!name.isFile()) continue
    const path = join(name.parentPath, name.name)
    const bytes = await readFile(path)
    const forms = [bytes, ...unpacked(name.name, bytes)]
    if (forms.some((form) => form.includes(text) || form.includes(Buffer.from(text, 'utf16le'))))
      found.push(path)
  }
  return found
}

function* unpacked(name: string, bytes: Buffer): Generator<Buffer> {
  if (name.endsWith('.ldb')) {
    for (const item of readTableFile(bytes, { after: '', upTo: '\u{10ffff}' })) {
      if (item.type === 'bad') throw new Error(`${name} cannot be looked through: ${item.detail}`)
      for (const { key, value } of item.entries()) yield Buffer.from(`${key} ${value ?? ''}`)
    }
  } else if (/^\d+\.log$/.test(name)) {
    for (const item of readLogFile(bytes)) if (item.type === 'record') yield item.bytes()
  }
}
