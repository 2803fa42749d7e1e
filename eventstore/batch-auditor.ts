/**
 * Checks the chain over batches beside the records: that nothing was replaced, dropped or reordered.
 *
 * Owns the hashes of the batch being read. Never reads; it is shown records and links in order.
 *
 * I1  A link vouches for its batch only if the link before it is known and the batch was seen whole.
 */
import { damage, type Damage } from './damage.ts'
import { batchKey } from './keys.ts'
import { batchHash, GENESIS } from './record.ts'
import { unseal, type BatchRecord } from './sealed.ts'

/** Where a batch ended and the hash of its link; what the next one follows. */
export type BatchEnd = { readonly position: number; readonly hash: string }

/** Before the first batch. */
export const FIRST_BATCH: BatchEnd = { position: 0, hash: GENESIS }

export class BatchAuditor {
  /** Undefined while the batch being read began before the scan, or after a damaged link. */
  #previous: BatchEnd | undefined
  #hashes: string[] = []

  constructor(previous: BatchEnd | undefined) {
    this.#previous = previous
  }

  /** The hash of the next record, as stored. */
  add(hash: string): void {
    if (this.#previous !== undefined) this.#hashes.push(hash)
  }

  /** The link at `position`, after the records of its batch were added. */
  close(position: number, stored: string): Damage | undefined {
    const previous = this.#previous
    const hashes = this.#hashes
    this.#hashes = []
    const link = unseal<BatchRecord>(batchKey(position), stored)
    if (link.type === 'damaged') {
      this.#previous = undefined
      return damage('batch_chain', `the link of its batch: ${link.detail}`, { position })
    }
    const { first, hash } = link.value
    this.#previous = { position, hash }
    if (previous === undefined) return undefined
    if (first !== previous.position + 1) {
      const detail = `its batch begins at ${first}, the one before ends at ${previous.position}`
      return damage('batch_chain', detail, { position })
    }
    // Missing or unreadable records are named where they are; the link can say no more about them.
    if (hashes.length !== position - first + 1) return undefined
    if (batchHash(previous.hash, hashes) === hash) return undefined
    return damage('batch_chain', 'its batch does not follow the one before', { position })
  }

  /** What is wrong if the log ends at `last`. */
  end(last: number): Damage | undefined {
    if (this.#previous === undefined || this.#previous.position >= last) return undefined
    return damage('batch_chain', 'its batch has no link', { position: last })
  }
}
