/**
 * Keys in a folder, one file each, readable by their owner alone; wrapped by a master key if one is given.
 *
 * Owns the folder, and the keys that were used last. Never writes a key to anywhere else, and none to an error.
 *
 * I1  A file is there whole or not at all, and on disk before anything is sealed with its key.
 * I2  A key that is destroyed is overwritten, then removed, then the folder is synced; what is in memory is zeroed.
 */
import { readFileSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EventStoreError } from '../errors.ts'
import { decrypt, encrypt, KEY_LENGTH } from './cipher.ts'
import { newKey, newKeyId, type KeyRing } from './key-ring.ts'
import { readMasterKey, type MasterKey } from './master-key.ts'

const FORMAT = 1
const NAME = /^key_[0-9a-f]{32}$/
const UNFINISHED = '.unfinished'
/** Keys kept in memory. */
const KEPT = 10_000

/** What a file holds: the key, or the key as the master key wrapped it. */
type KeyFile = {
  readonly format: number
  readonly key_id: string
  readonly key?: string
  readonly wrapped?: string
}

/**
 * Opens the keys in a folder, which is made if there is none.
 * @throws {EventStoreError} `ES_INVALID_OPTION` for a master key that is none.
 */
export const openFileKeyRing = async (
  path: string,
  options: { readonly masterKey?: MasterKey | undefined } = {},
): Promise<KeyRing> => {
  const masterKey = options.masterKey === undefined ? undefined : readMasterKey(options.masterKey)
  await mkdir(path, { recursive: true, mode: 0o700 })
  // An existing folder keeps its mode otherwise.
  await chmod(path, 0o700)
  for (const name of await readdir(path))
    if (name.endsWith(UNFINISHED)) await rm(join(path, name), { force: true })
  return new FileKeyRing(path, masterKey)
}

/**
 * The keys in a folder for reading alone: nothing is made, changed or removed there.
 * @throws {EventStoreError} `ES_INVALID_OPTION` for a master key that is none.
 */
export const readFileKeyRing = (
  path: string,
  options: { readonly masterKey?: MasterKey | undefined } = {},
): KeyRing =>
  new FileKeyRing(path, options.masterKey === undefined ? undefined : readMasterKey(options.masterKey))

class FileKeyRing implements KeyRing {
  readonly #path: string
  readonly #masterKey: Uint8Array | undefined
  readonly #kept = new Map<string, Uint8Array>()

  constructor(path: string, masterKey: Uint8Array | undefined) {
    this.#path = path
    this.#masterKey = masterKey
  }

  async create(): Promise<{ key_id: string; key: Uint8Array }> {
    const key_id = newKeyId()
    const key = newKey()
    const plain = Buffer.from(key).toString('base64')
    const held =
      this.#masterKey === undefined ? { key: plain } : { wrapped: encrypt(this.#masterKey, plain, key_id) }
    const file: KeyFile = { format: FORMAT, key_id, ...held }
    const path = this.#pathOf(key_id)
    const handle = await open(path + UNFINISHED, 'wx', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(file)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(path + UNFINISHED, path)
    await this.#syncFolder()
    this.#keep(key_id, key)
    return { key_id, key }
  }

  find(key_id: string): Uint8Array | undefined {
    const kept = this.#kept.get(key_id)
    if (kept !== undefined) return kept
    // Ids come out of the log, and become names of files.
    if (!NAME.test(key_id)) return undefined
    const key = this.#read(key_id)
    if (key !== undefined) this.#keep(key_id, key)
    return key
  }

  async destroy(key_id: string): Promise<void> {
    this.#kept.get(key_id)?.fill(0)
    this.#kept.delete(key_id)
    if (!NAME.test(key_id)) return
    const path = this.#pathOf(key_id)
    const handle = await open(path, 'r+').catch(ignoreMissing)
    if (handle === undefined) return
    try {
      const { size } = await handle.stat()
      await handle.write(Buffer.alloc(size), 0, size, 0)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rm(path, { force: true })
    await this.#syncFolder()
  }

  #pathOf(key_id: string): string {
    return join(this.#path, `${key_id}.json`)
  }

  #keep(key_id: string, key: Uint8Array): void {
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined && this.#kept.size >= KEPT) this.#kept.delete(oldest)
    this.#kept.set(key_id, key)
  }

  #read(key_id: string): Uint8Array | undefined {
    let text: string
    try {
      text = readFileSync(this.#pathOf(key_id), 'utf8')
    } catch (error) {
      ignoreMissing(error)
      return undefined
    }
    // Overwritten and not yet removed: its destruction was interrupted.
    if (/^\0*$/.test(text)) return undefined
    const file = parse(text)
    if (file?.format !== FORMAT || file.key_id !== key_id) throw unreadable(key_id, 'its file is damaged')
    const key = this.#plain(file)
    if (key.length !== KEY_LENGTH) throw unreadable(key_id, 'its file is damaged')
    return key
  }

  #plain({ key_id, key, wrapped }: KeyFile): Uint8Array {
    if (wrapped === undefined) return Buffer.from(key ?? '', 'base64')
    if (this.#masterKey === undefined) throw unreadable(key_id, 'it is wrapped, and there is no master key')
    const plain = decrypt(this.#masterKey, wrapped, key_id)
    if (plain === undefined)
      throw unreadable(key_id, 'this master key did not wrap it, or its file is damaged')
    return Buffer.from(plain, 'base64')
  }

  async #syncFolder(): Promise<void> {
    if (process.platform === 'win32') return
    const handle = await open(this.#path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

const parse = (text: string): KeyFile | undefined => {
  try {
    return JSON.parse(text) as KeyFile
  } catch {
    return undefined
  }
}

const ignoreMissing = (error: unknown): undefined => {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  return undefined
}

const unreadable = (key_id: string, why: string): EventStoreError =>
  new EventStoreError('ES_KEY_UNREADABLE', {
    happened: `Key '${key_id}' cannot be used: ${why}`,
    expected:
      'Expected the files of the key ring as they were written, and the master key that they were written with',
    remedy: 'Give the right master key, or restore the folder of keys; nothing in the log is lost by this',
  })
