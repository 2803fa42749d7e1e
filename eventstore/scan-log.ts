/** One pass over the log in the order of positions, every check made; the base of `verify`. */
import { BatchAuditor, FIRST_BATCH, type BatchEnd } from './batch-auditor.ts'
import { LogAuditor } from './auditor.ts'
import type { Damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { batchesBetween, eventRange, positionOfKey, turnOfKey } from './keys.ts'
import { unseal, type BatchRecord } from './sealed.ts'
import type { KeyValue, StorageView } from './storage.ts'

export type ScanLogOptions = {
  /** Events after this position … */
  readonly after: number
  /** … up to and including this one. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
  /** Given by a caller who wants to know the streams afterwards. */
  readonly auditor?: LogAuditor
  /** Sees each link of the chain over batches that is whole. */
  readonly onLink?: (link: BatchRecord) => void
}

/** A stretch of the log: what verified, and what did not. */
export type LogPage = {
  readonly events: readonly RecordedEvent[]
  /** What is left of archived events. */
  readonly stubs: readonly RecordedStub[]
  readonly damages: readonly Damage[]
  /** How many of `events` stand before the first damage. */
  readonly soundUntil: number
}

/** The end of the last batch that ends at `position` or before; undefined if its link is damaged. */
export const lastBatchEnd = async (storage: StorageView, position: number): Promise<BatchEnd | undefined> => {
  const [found] = await storage.range({ ...batchesBetween(0, position), reverse: true, limit: 1 })
  if (found === undefined) return FIRST_BATCH
  const [key, stored] = found
  const link = unseal<BatchRecord>(key, stored)
  if (link.type === 'damaged') return undefined
  return { position: positionOfKey(key), turn: turnOfKey(key), hash: link.value.hash }
}

/** Pages of the log, and what is wrong with each. */
export async function* scanLog(
  storage: StorageView,
  options: ScanLogOptions,
): AsyncGenerator<LogPage, void, undefined> {
  const { after, until, signal, auditor = new LogAuditor(after) } = options
  const before = after === 0 ? FIRST_BATCH : await lastBatchEnd(storage, after)
  const batches = new BatchAuditor(before?.position === after ? before : undefined, options.onLink)
  // The links at `after` itself belong to what is before, unless there is nothing before.
  let linksFrom = after === 0 ? 0 : after + 1
  for await (const records of storage.scan(eventRange(after, until))) {
    signal?.throwIfAborted()
    const last = lastOf(records)
    const links = await storage.range(batchesBetween(linksFrom, last))
    linksFrom = last + 1
    yield auditPage(records, links, { auditor, batches })
  }
  const links = await storage.range(batchesBetween(linksFrom, until))
  const page = auditPage([], links, { auditor, batches })
  const unlinked = batches.end(until)
  const atEnd = [...auditor.gapBefore(until + 1), ...(unlinked === undefined ? [] : [unlinked])]
  yield { ...page, damages: [...page.damages, ...atEnd] }
}

type Auditors = { readonly auditor: LogAuditor; readonly batches: BatchAuditor }

const auditPage = (
  records: readonly KeyValue[],
  links: readonly KeyValue[],
  { auditor, batches }: Auditors,
): LogPage => {
  const events: RecordedEvent[] = []
  const stubs: RecordedStub[] = []
  const damages: Damage[] = []
  let soundUntil: number | undefined
  const note = (found: Damage | undefined): void => {
    if (found === undefined) return
    damages.push(found)
    soundUntil ??= events.length
  }
  let link = 0
  /** The links of all batches that end before `position`. */
  const closeBefore = (position: number): void => {
    for (
      let next = links[link];
      next !== undefined && positionOfKey(next[0]) < position;
      next = links[link]
    ) {
      note(batches.close(next))
      link += 1
    }
  }
  for (const [key, value] of records) {
    const position = positionOfKey(key)
    closeBefore(position)
    for (const missing of auditor.gapBefore(position)) note(missing)
    const audited = auditor.accept(position, value)
    if (audited.hash !== undefined) batches.add(audited.hash)
    if (audited.type === 'sound') events.push(audited.event)
    else if (audited.type === 'stub') stubs.push(audited.stub)
    else note(audited.damage)
  }
  closeBefore(Number.POSITIVE_INFINITY)
  return { events, stubs, damages, soundUntil: soundUntil ?? events.length }
}

const lastOf = (records: readonly KeyValue[]): number => positionOfKey(records.at(-1)?.[0] ?? '')
