/** Where the keys of subjects are kept: outside the log, so that destroying one erases what it sealed. */
import { randomBytes } from 'node:crypto'
import { KEY_LENGTH } from './cipher.ts'

export type SubjectKey = { readonly key_id: string; readonly key: Uint8Array }

/** A key's id is of no use without its ring. */
export interface KeyRing {
  /** A new key; it survives a power cut from when this resolves. */
  create(subject_id: string): Promise<SubjectKey>
  /**
   * The key, or `undefined` if it is not here. Synchronous, because a read must not pause in the middle of a batch:
   * a ring that asks a service unwraps its keys when it is opened.
   * @throws {EventStoreError} `ES_KEY_UNREADABLE` if it is here and cannot be used.
   */
  find(key_id: string): Uint8Array | undefined
  /** Destroys a key for good: when this resolves, no power cut brings it back. Idempotent. */
  destroy(key_id: string): Promise<void>
}

/** An id for a new key; nothing about the subject can be told from it. */
export const newKeyId = (): string => `key_${randomBytes(16).toString('hex')}`

export const newKey = (): Uint8Array => randomBytes(KEY_LENGTH)

/** Keys in memory, gone with the process: for tests. */
export const createMemoryKeyRing = (): KeyRing => {
  const keys = new Map<string, Uint8Array>()
  return {
    create: async () => {
      const made = { key_id: newKeyId(), key: newKey() }
      keys.set(made.key_id, made.key)
      return made
    },
    find: (key_id) => keys.get(key_id),
    destroy: async (key_id) => {
      keys.get(key_id)?.fill(0)
      keys.delete(key_id)
    },
  }
}
