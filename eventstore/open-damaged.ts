/**
 * Ways to open a store that is damaged, for who does not want it refused: as a copy for reading, or rebuilt
 * from what is whole, with the damaged streams closed. The damaged files are kept as they are in both.
 */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Damage } from './damage.ts'
import { readOnlyError, type Quarantined } from './damage-guard.ts'
import { EventLog } from './event-log.ts'
import type { EventStore } from './event-store.ts'
import { copyIntactKeys } from './intact-keys.ts'
import { FORMAT_KEY } from './keys.ts'
import { findEnd } from './open-check.ts'
import type { OpenFolderOptions } from './folder-options.ts'
import { seal } from './sealed.ts'
import type { Storage } from './storage.ts'
import { databasePath, readMarker } from './store-folder.ts'
import { verifyLog } from './verify.ts'

const quarantineRecord = z.object({
  since: z.string(),
  /** Where the damaged database was put. */
  kept: z.string(),
  streams: z.array(z.object({ stream_id: z.string(), soundUntil: z.int().nonnegative() })),
})

const quarantineFile = (path: string): string => join(path, 'quarantine.json')

/** The streams of a store that were closed when it was rebuilt. */
export const readQuarantine = async (path: string): Promise<readonly Quarantined[]> => {
  const text = await readFile(quarantineFile(path), 'utf8').catch(() => undefined)
  return text === undefined ? [] : quarantineRecord.parse(JSON.parse(text)).streams
}

/** A copy of what can be read, for reading; removed when it is closed. */
export const openReadOnlyCopy = async (options: OpenFolderOptions, cause: unknown): Promise<EventStore> => {
  const folder = await mkdtemp(join(tmpdir(), 'event-log-copy-'))
  const storage = await options.openStorage({ folder, create: true })
  await copyIntactKeys(databasePath(options.path), storage)
  const { end } = await findEnd(storage)
  return new EventLog({
    ...options.log,
    storage,
    end,
    refuseAppends: readOnlyError(cause),
    close: async () => {
      await storage.close()
      await rm(folder, { recursive: true, force: true })
    },
  })
}

/**
 * Puts a database of what is whole in the place of the damaged one, which is kept beside it, and notes which
 * streams are closed from now on.
 */
export const rebuildDamaged = async (options: OpenFolderOptions): Promise<void> => {
  const { path, log, openStorage } = options
  const fresh = join(path, 'db-rebuilt')
  await rm(fresh, { recursive: true, force: true })
  const storage = await openStorage({ folder: fresh, create: true })
  let streams: Quarantined[]
  try {
    await copyIntactKeys(databasePath(path), storage)
    await restoreFormat(storage, path)
    const { end } = await findEnd(storage)
    const { problems } = await verifyLog(storage, { until: end.position })
    streams = damagedStreams(problems)
  } finally {
    await storage.close()
  }
  const since = new Date(log.clock()).toISOString()
  const kept = `db-damaged-${since.replace(/[:.]/g, '-')}`
  await writeFile(quarantineFile(path), `${JSON.stringify({ since, kept, streams }, null, 2)}\n`)
  await rename(databasePath(path), join(path, kept))
  await rename(fresh, databasePath(path))
}

/** The marker beside the database says the same as the record in it, which may be lost or damaged. */
const restoreFormat = async (storage: Storage, path: string): Promise<void> => {
  const marker = await readMarker(path)
  if (marker === undefined) return
  const batch = storage.batch()
  batch.put(FORMAT_KEY, seal(FORMAT_KEY, marker))
  await batch.write({ sync: true })
}

/** Each damaged stream with the version before its first damage. */
const damagedStreams = (problems: readonly Damage[]): Quarantined[] => {
  const first = new Map<string, number>()
  for (const { stream_id, version } of problems) {
    if (stream_id === '') continue
    first.set(stream_id, Math.min(first.get(stream_id) ?? Number.POSITIVE_INFINITY, Math.max(1, version)))
  }
  return Array.from(first, ([stream_id, version]) => ({ stream_id, soundUntil: version - 1 }))
}
