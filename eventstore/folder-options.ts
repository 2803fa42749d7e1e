/** What opening a store's folder takes: where, how the database is opened, and what the log is told. */
import type { DamagePolicy } from './damage-guard.ts'
import type { EventLogOptions } from './event-log.ts'
import type { Storage } from './storage.ts'

/** A storage on disk, as its opener gives it. */
export type FolderStorage = Storage & { isEmpty(): Promise<boolean> }

export type OpenFolderOptions = {
  readonly path: string
  readonly create: boolean
  /** What the log itself is told. */
  readonly log: Pick<EventLogOptions, 'newId' | 'maxPendingEvents'> & {
    readonly clock: () => number
    readonly onDamage: DamagePolicy
  }
  /** Opens the database in the store's folder; `create` only if there is none. */
  readonly openStorage: (options: {
    readonly folder: string
    readonly create: boolean
  }) => Promise<FolderStorage>
}
