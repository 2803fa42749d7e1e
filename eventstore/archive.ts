/**
 * Moves closed streams out of the log into files: exported, read back and verified, and only then truncated.
 *
 * What stays in the log is the hash of each event, so that both chains still verify, and a last event that
 * says where the rest is. The stream's id stays taken.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EventStoreError } from './errors.ts'
import type { EventStore, StreamHead } from './event-store.ts'
import { exportLog } from './export-log.ts'
import { verifyExport } from './import-log.ts'

/** Type of the event that stands for an archived stream's events; its payload is an `ArchivedStream`. */
export const STREAM_ARCHIVED = 'stream.archived'

export type ArchiveOptions = {
  /** Folder for the files, one per stream. */
  readonly folder: string
  /** Whether a stream is closed, so that nothing will be appended to it any more. */
  readonly isClosed: (head: StreamHead) => boolean | Promise<boolean>
  readonly signal?: AbortSignal
  readonly onProgress?: (archived: ArchivedStream) => void
}

export type ArchivedStream = {
  readonly stream_id: string
  /** Name of the file in the folder. */
  readonly file: string
  /** SHA-256 of the file, in hex. */
  readonly sha256: string
  /** Last version in the file. */
  readonly version: number
  /** `hash` of the event at that version. */
  readonly hash: string
}

/**
 * Archives every closed stream that is not archived yet. To get a stream back, import its file into a store.
 * @throws {EventStoreError} `ES_UNSUPPORTED`, `ES_VERSION_CONFLICT` if a stream was appended to meanwhile,
 *   `ES_IMPORT_REFUSED` if a file does not read back as it was written.
 */
export const archiveStreams = async (
  store: EventStore,
  options: ArchiveOptions,
): Promise<ArchivedStream[]> => {
  if (store.truncate === undefined) throw unsupportedError()
  await mkdir(options.folder, { recursive: true })
  const archived: ArchivedStream[] = []
  for await (const head of store.heads()) {
    options.signal?.throwIfAborted()
    if (!(await options.isClosed(head)) || (await isArchived(store, head))) continue
    const stream = await exportStream(store, head, options.folder)
    await store.truncate(head.stream_id, {
      expectedVersion: head.version,
      tombstone: { event_type: STREAM_ARCHIVED, payload: stream },
    })
    archived.push(stream)
    options.onProgress?.(stream)
  }
  return archived
}

const isArchived = async (store: EventStore, { stream_id, version }: StreamHead): Promise<boolean> => {
  for await (const event of store.readStream(stream_id, { fromVersion: version, toVersion: version })) {
    return event.event_type === STREAM_ARCHIVED
  }
  return false
}

const exportStream = async (store: EventStore, head: StreamHead, folder: string): Promise<ArchivedStream> => {
  const { stream_id, version, hash } = head
  const file = fileName(head)
  const draft = join(folder, `${file}.part`)
  const handle = await open(draft, 'w')
  const digest = createHash('sha256')
  try {
    for await (const piece of exportLog(store, { streams: [stream_id] })) {
      digest.update(piece)
      await handle.write(piece)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  await verifyExport(createReadStream(draft))
  await rename(draft, join(folder, file))
  await syncFolder(folder)
  return { stream_id, file: basename(file), sha256: digest.digest('hex'), version, hash }
}

/** Readable, and different for streams whose ids differ only in what a file name cannot have. */
const fileName = ({ stream_id, hash }: StreamHead): string =>
  `${stream_id.replace(/[^\w.-]/g, '_').slice(0, 80)}-${hash.slice(0, 16)}.ndjson`

const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const unsupportedError = (): EventStoreError =>
  new EventStoreError('ES_UNSUPPORTED', {
    happened: 'This store cannot truncate a stream',
    expected: 'Expected a store with truncate()',
    remedy: 'Use a store of this package, or keep the streams in the log',
  })
