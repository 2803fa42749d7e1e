/**
 * Checks the chain over batches beside the records: that nothing was replaced, dropped or reordered.
 *
 * Owns the hashes of the batch being read. Never reads; it is shown records and links in order.
 *
 * I1  A link vouches for its batch only if the link before it is known and the batch was seen whole.
 */
import { damage, type Damage } from './damage.ts'
import { positionOfKey, turnOfKey } from './keys.ts'
import { batchHash, GENESIS } from './record.ts'
import { unseal, type BatchRecord } from './sealed.ts'
import type { KeyValue } from './storage.ts'

/** Where a batch ends and the hash of its link; what the next one follows. */
export type BatchEnd = {
  readonly position: number
  /** Counts the batches that wrote no events, since the last that did. */
  readonly turn: number
  readonly hash: string
}

/** Before the first batch. */
export const FIRST_BATCH: BatchEnd = { position: 0, turn: 0, hash: GENESIS }

export class BatchAuditor {
  /** Undefined while the batch being read began before the scan, or after a damaged link. */
  #previous: BatchEnd | undefined
  #hashes: string[] = []
  readonly #onLink: ((link: BatchRecord) => void) | undefined

  /** `onLink` sees each link that is whole. */
  constructor(previous: BatchEnd | undefined, onLink?: (link: BatchRecord) => void) {
    this.#previous = previous
    this.#onLink = onLink
  }

  /** The hash of the next record, as stored. */
  add(hash: string): void {
    if (this.#previous !== undefined) this.#hashes.push(hash)
  }

  /** The next link, after the records of its batch were added. */
  close([key, stored]: KeyValue): Damage | undefined {
    const previous = this.#previous
    const hashes = this.#hashes
    this.#hashes = []
    const position = positionOfKey(key)
    const link = unseal<BatchRecord>(key, stored)
    if (link.type === 'damaged') {
      this.#previous = undefined
      return damage('batch_chain', `the link of its batch: ${link.detail}`, { position })
    }
    const end = { position, turn: turnOfKey(key), hash: link.value.hash }
    this.#previous = end
    this.#onLink?.(link.value)
    if (previous === undefined) return undefined
    const gap = gapBetween(previous, end, link.value.first)
    if (gap !== undefined) return damage('batch_chain', gap, { position })
    // Missing or unreadable records are named where they are; the link can say no more about them.
    if (hashes.length !== position - previous.position) return undefined
    if (batchHash(previous.hash, { notes: link.value.notes, hashes }) === end.hash) return undefined
    return damage('batch_chain', 'its batch does not follow the one before', { position })
  }

  /** What is wrong if the log ends at `last`. */
  end(last: number): Damage | undefined {
    if (this.#previous === undefined || this.#previous.position >= last) return undefined
    return damage('batch_chain', 'its batch has no link', { position: last })
  }
}

/** What lies between two links that should be neighbours. */
const gapBetween = (previous: BatchEnd, end: BatchEnd, first: number): string | undefined => {
  if (first !== previous.position + 1) {
    return `its batch begins at ${first}, the one before ends at ${previous.position}`
  }
  const expectedTurn = end.position > previous.position ? 0 : previous.turn + 1
  if (end.turn === expectedTurn) return undefined
  return `there is no link for ${end.turn - expectedTurn} batches before it, which wrote entries`
}
