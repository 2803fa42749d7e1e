/** The port between the log and what keeps its keys: an ordered map with atomic, ordered writes. */
import type { Damage } from './damage.ts'
import type { KeyRange } from './keys.ts'

/** Part of the ordered map, as it was at one moment. */
export type ScanOptions = KeyRange & {
  readonly reverse?: boolean
  /** At most this many; default all. */
  readonly limit?: number
}

export type KeyValue = readonly [key: string, value: string]

/** What is collected to be written together or not at all. */
export interface StorageBatch {
  put(key: string, value: string): void
  del(key: string): void
  /** `sync`: resolves after the write, and everything written before it, survives a power cut. */
  write(options: { readonly sync: boolean }): Promise<void>
  discard(): void
}

/** The ordered map, for reading. */
export interface StorageView {
  getMany(keys: readonly string[]): Promise<(string | undefined)[]>
  /** A short stretch, in one go. */
  range(options: ScanOptions): Promise<KeyValue[]>
  /** A long stretch, page by page, as it was when the scan began. */
  scan(options: ScanOptions): AsyncIterable<readonly KeyValue[]>
  /** The same without the keys. */
  scanValues(options: KeyRange): AsyncIterable<readonly string[]>
}

/** The ordered map as it was when the snapshot was made. */
export interface StorageSnapshot extends StorageView {
  close(): Promise<void>
}

/**
 * What a storage must do. Keys are ordered by their UTF-8 bytes. The log never has two writes in
 * flight, so a storage need not order them.
 */
export interface Storage extends StorageView {
  batch(): StorageBatch
  /** The value now, without waiting; used where a decision must not be interrupted. */
  getSync(key: string): string | undefined
  snapshot(): StorageSnapshot
  /** Gives back what deleted and replaced values took. */
  compact?(): Promise<void>
  /**
   * Damage to what the storage itself is kept in, up to position `last` of the log. Reading on through a
   * storage that has any is not safe.
   */
  locateDamage?(options: {
    readonly last: number
    readonly signal?: AbortSignal | undefined
  }): Promise<Damage[]>
  close(): Promise<void>
}
