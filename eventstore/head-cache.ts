/**
 * The heads that appends are decided on: those on disk, loaded when first needed, and those reserved.
 *
 * Owns at most a bounded number of heads that are on disk, and all that are reserved. Never writes.
 *
 * I1  A reserved head is never forgotten: until it is on disk, only this cache knows of it.
 */
import type { PlannedHead } from './plan.ts'
import type { HeadRecord } from './sealed.ts'

const MAX_HEADS = 8_192
/** How many of the oldest are looked at for one to forget. */
const MAX_LOOKS = 16

export class HeadCache {
  readonly #heads = new Map<string, HeadRecord>()
  readonly #load: (stream_id: string) => HeadRecord | undefined

  constructor(load: (stream_id: string) => HeadRecord | undefined) {
    this.#load = load
  }

  get(stream_id: string): HeadRecord | undefined {
    const cached = this.#heads.get(stream_id)
    if (cached !== undefined) return cached
    const loaded = this.#load(stream_id)
    if (loaded !== undefined) this.#heads.set(stream_id, loaded)
    return loaded
  }

  /** Takes heads that are reserved now; forgets some that are on disk, up to position `durable`. */
  reserve(heads: readonly PlannedHead[], durable: number): void {
    for (const [stream_id, head] of heads) if (head !== undefined) this.#heads.set(stream_id, head)
    if (this.#heads.size > MAX_HEADS) this.#forget(durable)
  }

  #forget(durable: number): void {
    let looks = 0
    for (const [stream_id, head] of this.#heads) {
      if (this.#heads.size <= MAX_HEADS || looks >= MAX_LOOKS) return
      looks += 1
      if (head.position <= durable) {
        this.#heads.delete(stream_id)
        continue
      }
      // Still reserved: to the end of the line, so that the next look finds others.
      this.#heads.delete(stream_id)
      this.#heads.set(stream_id, head)
    }
  }
}
