/** One pass over the log in the order of positions, every check made; the base of `readAll` and `verify`. */
import { BatchAuditor, FIRST_BATCH, type BatchEnd } from './batch-auditor.ts'
import { LogAuditor } from './auditor.ts'
import { damage, type Damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import { batchesBetween, batchesUpTo, batchKey, eventRange, positionOfKey } from './keys.ts'
import { unseal, type BatchRecord } from './sealed.ts'
import type { KeyValue, Storage } from './storage.ts'

export type ScanLogOptions = {
  /** Events after this position … */
  readonly after: number
  /** … up to and including this one. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
}

/** A stretch of the log: what verified, and what did not. */
export type LogPage = {
  readonly events: readonly RecordedEvent[]
  readonly damages: readonly Damage[]
  /** How many of `events` stand before the first damage. */
  readonly soundUntil: number
}

/** The link of the last batch that ends at `position` or before. */
export const lastBatchEnd = async (storage: Storage, position: number): Promise<BatchEnd | Damage> => {
  const [found] = await storage.range({ ...batchesUpTo(position), reverse: true, limit: 1 })
  if (found === undefined) return FIRST_BATCH
  const [key, stored] = found
  const end = positionOfKey(key)
  const link = unseal<BatchRecord>(batchKey(end), stored)
  if (link.type === 'damaged')
    return damage('batch_chain', `the link of its batch: ${link.detail}`, { position: end })
  return { position: end, hash: link.value.hash }
}

/** Pages of the log. `auditor` may be given by a caller who wants to know the streams afterwards. */
export async function* scanLog(
  storage: Storage,
  options: ScanLogOptions,
  auditor = new LogAuditor(options.after),
): AsyncGenerator<LogPage, void, undefined> {
  const { after, until, signal } = options
  if (after >= until) return
  const before = await lastBatchEnd(storage, after)
  const batches = new BatchAuditor('hash' in before && before.position === after ? before : undefined)
  for await (const records of storage.scan(eventRange(after, until))) {
    signal?.throwIfAborted()
    yield await auditPage(storage, records, { auditor, batches })
  }
  const atEnd = [auditor.gapBefore(until + 1), batches.end(until)].filter((found) => found !== undefined)
  if (atEnd.length > 0) yield { events: [], damages: atEnd, soundUntil: 0 }
}

type Auditors = { readonly auditor: LogAuditor; readonly batches: BatchAuditor }

const auditPage = async (
  storage: Storage,
  records: readonly KeyValue[],
  { auditor, batches }: Auditors,
): Promise<LogPage> => {
  const events: RecordedEvent[] = []
  const damages: Damage[] = []
  let soundUntil: number | undefined
  const note = (found: Damage | undefined): void => {
    if (found === undefined) return
    damages.push(found)
    soundUntil ??= events.length
  }
  const links = await storage.range(batchesBetween(firstOf(records), lastOf(records)))
  let link = 0
  for (const [key, value] of records) {
    const position = positionOfKey(key)
    for (
      let next = links[link];
      next !== undefined && positionOfKey(next[0]) < position;
      next = links[link]
    ) {
      note(batches.close(positionOfKey(next[0]), next[1]))
      link += 1
    }
    note(auditor.gapBefore(position))
    const audited = auditor.accept(position, value)
    if (audited.type === 'sound') {
      batches.add(audited.event.hash)
      events.push(audited.event)
    } else {
      if (audited.event !== undefined) batches.add(audited.event.hash)
      note(audited.damage)
    }
    const here = links[link]
    if (here === undefined || positionOfKey(here[0]) !== position) continue
    note(batches.close(position, here[1]))
    link += 1
  }
  return { events, damages, soundUntil: soundUntil ?? events.length }
}

const firstOf = (records: readonly KeyValue[]): number => positionOfKey(records[0]?.[0] ?? '')
const lastOf = (records: readonly KeyValue[]): number => positionOfKey(records.at(-1)?.[0] ?? '')
