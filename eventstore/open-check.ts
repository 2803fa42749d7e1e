/** What is checked before a log is served: that its parts agree where it ends, and that recovery lost nothing. */
import { FIRST_BATCH, type BatchEnd } from './batch-auditor.ts'
import { corruptError, damage, type Damage } from './damage.ts'
import { isBefore } from './file-check.ts'
import { batchesBetween, eventKey, positionOfKey, turnOfKey, wholeLog } from './keys.ts'
import { decodeRecord } from './record.ts'
import { unseal, type BatchRecord } from './sealed.ts'
import type { KeyValue, Storage } from './storage.ts'
import { verifyLog } from './verify.ts'

export type OpenCheck = {
  /** Where the log ended when it was last known to be on disk. */
  readonly reached: BatchEnd | undefined
  /** What LevelDB said that it dropped. */
  readonly dropped: readonly string[]
}

/**
 * Where the log ends.
 * @throws {EventStoreError} `ES_CORRUPT`, about the first of what is wrong.
 */
export const checkAtOpen = async (storage: Storage, check: OpenCheck): Promise<BatchEnd> => {
  const { end, problem } = await checkEnd(storage, check.reached)
  if (problem === undefined && check.dropped.length === 0) return end
  const { problems } = await verifyLog(storage, {
    until: Math.max(end.position, check.reached?.position ?? 0),
  })
  const [first = problem] = problems
  if (first === undefined) return end
  throw corruptError(first, Math.max(0, problems.length - 1))
}

/** Where a log seems to end, whatever is wrong with it. */
export const findEnd = async (storage: Storage): Promise<LogEnd> => checkEnd(storage, undefined)

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

type Link =
  | { readonly end: BatchEnd; readonly record: BatchRecord }
  | { readonly end: BatchEnd; readonly problem: Damage }

const readLink = ([key, stored]: KeyValue): Link => {
  const link = unseal<BatchRecord>(key, stored)
  const end = { position: positionOfKey(key), turn: turnOfKey(key) }
  if (link.type === 'value') return { end: { ...end, hash: link.value.hash }, record: link.value }
  return { end: { ...end, hash: '' }, problem: damage('batch_chain', `the last link: ${link.detail}`, end) }
}
