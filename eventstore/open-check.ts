/**
 * What is checked before a log on disk is served: that it ends where it ended, and that recovery lost nothing.
 *
 * LevelDB reads its write-ahead log when it opens and drops what it cannot read, in the middle as well as
 * at the end, without an error. What was in the tables is checked whenever it is read; what was in the
 * write-ahead log must be checked now. A batch is dropped as a whole, and its link with it.
 */
import { FIRST_BATCH, gapBetween, type BatchEnd } from './batch-auditor.ts'
import { corruptError, damage, type Damage } from './damage.ts'
import { batchesBetween, eventKey, positionOfKey, turnOfKey, wholeLog } from './keys.ts'
import { decodeRecord } from './record.ts'
import { unseal, type BatchRecord } from './sealed.ts'
import type { KeyValue, Storage } from './storage.ts'
import { verifyLog } from './verify.ts'

export type OpenCheck = {
  /** Where the log ended when it was last known to be on disk. */
  readonly reached: BatchEnd | undefined
  /** Bytes of write-ahead log that were read again. */
  readonly recent: number
  /** What LevelDB said that it dropped. */
  readonly dropped: readonly string[]
}

const PAGE = 1000

/**
 * Where the log ends.
 * @throws {EventStoreError} `ES_CORRUPT`, about the first of what is wrong.
 */
export const checkAtOpen = async (storage: Storage, check: OpenCheck): Promise<BatchEnd> => {
  const { end, problem } = await checkEnd(storage, check.reached)
  const suspicion = problem ?? (await checkRecent(storage, check.recent))
  if (suspicion === undefined && check.dropped.length === 0) return end
  const { problems } = await verifyLog(storage, {
    until: Math.max(end.position, check.reached?.position ?? 0),
  })
  const [first = suspicion] = problems as readonly Damage[]
  if (first === undefined) return end
  throw corruptError(first, Math.max(0, problems.length - 1))
}

type LogEnd = { readonly end: BatchEnd; readonly problem: Damage | undefined }

/** The last link, the last record and the mark outside of the database must agree. */
const checkEnd = async (storage: Storage, reached: BatchEnd | undefined): Promise<LogEnd> => {
  const [[link], [last]] = await Promise.all([
    storage.range({ ...batchesBetween(0, Number.MAX_SAFE_INTEGER - 1), reverse: true, limit: 1 }),
    storage.range({ ...wholeLog, reverse: true, limit: 1 }),
  ])
  const read = link === undefined ? { end: FIRST_BATCH } : readLink(link)
  const position = last === undefined ? 0 : positionOfKey(last[0])
  const { end } = read
  const place = { position: end.position }
  if ('problem' in read) return { end, problem: read.problem }
  if (position < end.position) {
    const missing = { position: position + 1 }
    return { end, problem: damage('tail', `the last batch ends at ${end.position}`, missing) }
  }
  if (position > end.position) {
    return { end, problem: damage('batch_chain', `the last batch ends at ${end.position}`, { position }) }
  }
  if (reached !== undefined && isBefore(end, reached)) {
    const detail = `the log ends at position ${end.position}, but it had reached ${reached.position}`
    return { end, problem: damage('tail', detail, { position: end.position + 1 }) }
  }
  const at = storage.getSync(eventKey(end.position))
  const record = at === undefined ? undefined : decodeRecord(at)
  if (record?.type === 'unreadable') return { end, problem: damage('unreadable', record.detail, place) }
  return { end, problem: undefined }
}

const isBefore = (end: BatchEnd, other: BatchEnd): boolean =>
  end.position < other.position || (end.position === other.position && end.turn < other.turn)

type Link =
  | { readonly end: BatchEnd; readonly record: BatchRecord }
  | { readonly end: BatchEnd; readonly problem: Damage }

const readLink = ([key, stored]: KeyValue): Link => {
  const link = unseal<BatchRecord>(key, stored)
  const end = { position: positionOfKey(key), turn: turnOfKey(key) }
  if (link.type === 'value') return { end: { ...end, hash: link.value.hash }, record: link.value }
  return { end: { ...end, hash: '' }, problem: damage('batch_chain', `the last link: ${link.detail}`, end) }
}

/** Walks the links back for as many bytes as were read again: a batch that was dropped left a gap. */
const checkRecent = async (storage: Storage, recent: number): Promise<Damage | undefined> => {
  let bytes = 0
  let after: (BatchEnd & { readonly first: number }) | undefined
  let until = Number.MAX_SAFE_INTEGER - 1
  while (bytes < recent) {
    const page = await storage.range({ ...batchesBetween(0, until), reverse: true, limit: PAGE })
    for (const entry of page) {
      const link = readLink(entry)
      if ('problem' in link) return link.problem
      const gap = after === undefined ? undefined : gapBetween(link.end, after, after.first)
      if (gap !== undefined) return damage('batch_chain', gap, { position: after?.position ?? 0 })
      after = { ...link.end, first: link.record.first }
      bytes += link.record.size
      if (bytes >= recent) return undefined
    }
    if (after === undefined) return undefined
    if (page.length < PAGE) {
      const gap = gapBetween(FIRST_BATCH, after, after.first)
      return gap === undefined ? undefined : damage('batch_chain', gap, { position: after.position })
    }
    until = after.position - 1
  }
  return undefined
}
