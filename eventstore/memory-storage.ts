/**
 * The storage port in memory: an ordered map with the order that LevelDB has, UTF-8 bytes.
 *
 * Owns the keys and values, in sorted chunks of bounded size. Never writes anywhere else.
 *
 * I1  Chunks are sorted, never empty but for the only one, and cover disjoint stretches in order.
 */
import type { KeyRange } from './keys.ts'
import type { KeyValue, ScanOptions, Storage, StorageBatch, StorageSnapshot } from './storage.ts'

const MAX_CHUNK = 512
const PAGE = 1000

type Operation = { readonly key: string; readonly value: string | undefined }

/** The order of two texts by their UTF-8 bytes, which is that of their code points. */
const compareKeys = (left: string, right: string): number => {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return byCodePoint(a) - byCodePoint(b)
  }
  return left.length - right.length
}

/** UTF-16 puts surrogates, which stand for the highest code points, before U+E000. */
const byCodePoint = (unit: number): number => {
  if (unit < 0xd800) return unit
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

/** First index in `length` sorted places at which `isBefore` no longer holds. */
const search = (length: number, isBefore: (index: number) => boolean): number => {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}

export class MemoryStorage implements Storage {
  readonly #values: Map<string, string>
  readonly #chunks: string[][]

  constructor(original?: MemoryStorage) {
    this.#values = new Map(original === undefined ? [] : original.#values)
    this.#chunks = original === undefined ? [[]] : original.#chunks.map((chunk) => chunk.slice())
  }

  batch(): StorageBatch {
    let operations: Operation[] = []
    return {
      put: (key, value) => void operations.push({ key, value }),
      del: (key) => void operations.push({ key, value: undefined }),
      write: async () => {
        this.apply(operations)
        operations = []
      },
      discard: () => void (operations = []),
    }
  }

  snapshot(): StorageSnapshot {
    return new MemoryStorage(this)
  }

  getSync(key: string): string | undefined {
    return this.#values.get(key)
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#values.get(key))
  }

  async range(options: ScanOptions): Promise<KeyValue[]> {
    return this.#select(options)
  }

  async *scan(options: ScanOptions): AsyncGenerator<readonly KeyValue[], void, undefined> {
    const all = this.#select(options)
    for (let start = 0; start < all.length; start += PAGE) yield all.slice(start, start + PAGE)
  }

  async *scanValues(options: KeyRange): AsyncGenerator<readonly string[], void, undefined> {
    for await (const page of this.scan(options)) yield page.map(([, value]) => value)
  }

  async close(): Promise<void> {}

  protected apply(operations: readonly Operation[]): void {
    for (const { key, value } of operations) {
      if (value === undefined) this.#delete(key)
      else this.#set(key, value)
    }
  }

  #set(key: string, value: string): void {
    if (!this.#values.has(key)) this.#insert(key)
    this.#values.set(key, value)
  }

  #insert(key: string): void {
    const { chunk, at, index } = this.#locate(key)
    chunk.splice(at, 0, key)
    if (chunk.length <= MAX_CHUNK) return
    this.#chunks.splice(index + 1, 0, chunk.splice(chunk.length >>> 1))
  }

  #delete(key: string): void {
    if (!this.#values.delete(key)) return
    const { chunk, at, index } = this.#locate(key)
    chunk.splice(at, 1)
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(index, 1)
  }

  /** The chunk that holds or would hold `key`, and the place of the first key not before it. */
  #locate(key: string): { chunk: string[]; at: number; index: number } {
    const index = Math.max(
      0,
      search(this.#chunks.length, (middle) => compareKeys(this.#chunks[middle]?.[0] ?? '', key) <= 0) - 1,
    )
    const chunk = this.#chunks[index] ?? []
    return { chunk, at: search(chunk.length, (middle) => compareKeys(chunk[middle] ?? '', key) < 0), index }
  }

  #select({ gte, lt, reverse = false, limit = Number.POSITIVE_INFINITY }: ScanOptions): KeyValue[] {
    const selected: KeyValue[] = []
    const keys = reverse ? this.#keysDown(lt, gte) : this.#keysUp(gte, lt)
    for (const key of keys) {
      if (selected.length >= limit) break
      selected.push([key, this.#values.get(key) ?? ''])
    }
    return selected
  }

  *#keysUp(gte: string, lt: string): Generator<string> {
    const start = this.#locate(gte)
    for (let index = start.index; index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] ?? []
      for (let at = index === start.index ? start.at : 0; at < chunk.length; at += 1) {
        const key = chunk[at] ?? ''
        if (compareKeys(key, lt) >= 0) return
        yield key
      }
    }
  }

  *#keysDown(lt: string, gte: string): Generator<string> {
    const start = this.#locate(lt)
    for (let index = start.index; index >= 0; index -= 1) {
      const chunk = this.#chunks[index] ?? []
      for (let at = (index === start.index ? start.at : chunk.length) - 1; at >= 0; at -= 1) {
        const key = chunk[at] ?? ''
        if (compareKeys(key, gte) < 0) return
        yield key
      }
    }
  }
}
