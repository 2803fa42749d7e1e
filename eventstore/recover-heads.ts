/**
 * Finds, when a log is opened, the heads that were not stored yet: those of the events after the mark.
 *
 * Reads, and verifies, that end of the log; never writes.
 */
import { corruptError, damage, type Damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { FORMAT_KEY, headKey, HEADS_KEY } from './keys.ts'
import { headAfter } from './plan.ts'
import { scanLog, type LogPage } from './scan-log.ts'
import { unseal, type FormatRecord, type HeadRecord, type HeadsMark, type Opened } from './sealed.ts'
import type { Storage, StorageView } from './storage.ts'
import type { LateHeads } from './stream-heads.ts'

/** In the first format every head was stored with its event, and there was no mark. */
const FORMAT_WITHOUT_MARK = 1

/**
 * The late heads of a log that ends at `last`.
 * @throws {EventStoreError} `ES_CORRUPT` if the mark, an event after it or a head that it goes on from does not verify.
 */
export const recoverHeads = async (storage: Storage, last: number): Promise<LateHeads> => {
  const upTo = readMark(storage, last)
  const heads = await collectHeads(storage, {
    after: upTo,
    last,
    onDamage: (problem) => {
      throw corruptError(problem)
    },
  })
  return { upTo, heads }
}

/** The same of a damaged log, as far as it can be known: of each stream the last event that can be read. */
export const guessHeads = async (storage: Storage, last: number): Promise<LateHeads> => ({
  upTo: 0,
  heads: await collectHeads(storage, { after: 0, last, onDamage: () => {} }),
})

/** Up to where heads are stored. Without a mark none need be. */
const readMark = (storage: Storage, last: number): number => {
  const stored = storage.getSync(HEADS_KEY)
  if (stored === undefined) return formatOf(storage) === FORMAT_WITHOUT_MARK ? last : 0
  const mark = unseal<HeadsMark>(HEADS_KEY, stored)
  if (mark.type === 'damaged') throw corruptError(damage('head', `the mark of the heads: ${mark.detail}`, {}))
  const { up_to } = mark.value
  if (up_to <= last) return up_to
  const detail = `the log ends at position ${last}, but heads are stored up to ${up_to}`
  throw corruptError(damage('tail', detail, { position: last + 1 }))
}

const formatOf = (storage: Storage): number | undefined => {
  const stored = storage.getSync(FORMAT_KEY)
  const format = stored === undefined ? undefined : unseal<FormatRecord>(FORMAT_KEY, stored)
  return format?.type === 'value' ? format.value.format : undefined
}

type Stretch = {
  readonly after: number
  readonly last: number
  /** If it does not throw, what is damaged is passed over. */
  readonly onDamage: (problem: Damage) => void
}

/** The heads of streams that have events in a stretch of the log, where they are later than those stored. */
const collectHeads = async (
  storage: StorageView,
  { after, last, onDamage }: Stretch,
): Promise<Map<string, HeadRecord>> => {
  const heads = new Map<string, HeadRecord>()
  /** Nothing can go on from a head that is not whole. */
  const damaged = new Set<string>()
  for await (const page of scanLog(storage, { after, until: last })) {
    for (const problem of page.damages) onDamage(problem)
    const records = recordsOf(page)
    const named = new Set(records.map(({ stream_id }) => stream_id))
    const stored = await storedHeads(
      storage,
      Array.from(named).filter((stream_id) => !heads.has(stream_id)),
    )
    for (const [stream_id, head] of stored) {
      if (head.type !== 'damaged') continue
      damaged.add(stream_id)
      onDamage(damage('head', `the head of the stream: ${head.detail}`, { stream_id }))
    }
    for (const record of records) {
      const { stream_id, version } = record
      if (damaged.has(stream_id)) continue
      const head = heads.get(stream_id) ?? valueOf(stored.get(stream_id))
      const known = head?.version ?? 0
      // Stored with a batch whose mark is not there.
      if (version <= known) continue
      if (version > known + 1) onDamage(gapAfter(known, record))
      heads.set(stream_id, headOf(record, head))
    }
  }
  return heads
}

const storedHeads = async (
  storage: StorageView,
  stream_ids: readonly string[],
): Promise<Map<string, Opened<HeadRecord>>> => {
  const heads = new Map<string, Opened<HeadRecord>>()
  const keys = stream_ids.map(headKey)
  for (const [index, stored] of (await storage.getMany(keys)).entries()) {
    if (stored === undefined) continue
    heads.set(stream_ids[index] ?? '', unseal<HeadRecord>(keys[index] ?? '', stored))
  }
  return heads
}

const valueOf = (head: Opened<HeadRecord> | undefined): HeadRecord | undefined =>
  head?.type === 'value' ? head.value : undefined

const recordsOf = ({ events, stubs }: LogPage): readonly (RecordedEvent | RecordedStub)[] =>
  stubs.length === 0 ? events : [...events, ...stubs].sort((a, b) => a.position - b.position)

const headOf = (record: RecordedEvent | RecordedStub, before: HeadRecord | undefined): HeadRecord => {
  const { version, position, hash } = record
  const { machine, state } = 'stub' in record ? { machine: '', state: null } : record
  return headAfter(before, { version, position, machine, state }, hash)
}

const gapAfter = (known: number, record: RecordedEvent | RecordedStub): Damage => {
  const detail = `the stored head says version ${known}, but the next event after the mark is version ${record.version}`
  return damage('head', detail, record)
}
