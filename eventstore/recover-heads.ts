/**
 * Finds, when a log is opened, the heads that were not stored yet: those of the events after the mark.
 *
 * Reads, and verifies, that end of the log; never writes.
 */
import { corruptError, damage, type Damage } from './damage.ts'
import type { RecordedEvent } from './event.ts'
import type { RecordedStub } from './event-store.ts'
import { FORMAT_KEY, headKey, HEADS_KEY } from './keys.ts'
import { headAfter, type RecordPlace } from './plan.ts'
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

/** What the events of a stream in a stretch of the log say of its head. */
type Tail = { readonly first: RecordPlace; readonly head: HeadRecord }

/** A head as it is stored, under its key. */
type StoredHead = readonly [stream_id: string, key: string, stored: string | undefined]

/** The heads of streams that have events in a stretch of the log. */
const collectHeads = async (
  storage: StorageView,
  { after, last, onDamage }: Stretch,
): Promise<Map<string, HeadRecord>> => {
  const tails = new Map<string, Tail>()
  const lookups: Promise<readonly StoredHead[]>[] = []
  for await (const page of scanLog(storage, { after, until: last })) {
    for (const problem of page.damages) onDamage(problem)
    const named: string[] = []
    for (const record of recordsOf(page)) {
      const before = tails.get(record.stream_id)
      if (before === undefined) named.push(record.stream_id)
      tails.set(record.stream_id, {
        first: before?.first ?? record,
        head: headAfter(before?.head, 'stub' in record ? withoutState(record) : record, record.hash),
      })
    }
    // Not waited for: each head may be in another block of another table, and the next page is read meanwhile.
    const lookup = storedHeads(storage, named)
    lookup.catch(() => {})
    lookups.push(lookup)
  }
  const heads = new Map<string, HeadRecord>()
  for (const [stream_id, key, stored] of (await Promise.all(lookups)).flat()) {
    const tail = tails.get(stream_id)
    const head = tail === undefined ? undefined : goOn(tail, { key, stored, onDamage })
    if (head !== undefined) heads.set(stream_id, head)
  }
  return heads
}

const storedHeads = async (
  storage: StorageView,
  stream_ids: readonly string[],
): Promise<readonly StoredHead[]> => {
  const keys = stream_ids.map(headKey)
  const stored = await storage.getMany(keys)
  return stream_ids.map((stream_id, index) => [stream_id, keys[index] ?? '', stored[index]])
}

type Stored = {
  readonly key: string
  readonly stored: string | undefined
  readonly onDamage: Stretch['onDamage']
}

/** The head of a stream whose last events are known; undefined if the stored one is not to be gone on from. */
const goOn = ({ first, head }: Tail, { key, stored, onDamage }: Stored): HeadRecord | undefined => {
  const before = stored === undefined ? NO_HEAD : unseal<HeadRecord>(key, stored)
  if (before.type === 'damaged') {
    onDamage(damage('head', `the head of the stream: ${before.detail}`, { stream_id: first.stream_id }))
    return undefined
  }
  const known = before.value?.version ?? 0
  if (first.version > known + 1) {
    const detail = `the stored head says version ${known}, but the next event after the mark is version ${first.version}`
    onDamage(damage('head', detail, first))
  }
  return headAfter(before.value, head, head.hash)
}

const NO_HEAD: Opened<undefined> = { type: 'value', value: undefined }

const recordsOf = ({ events, stubs }: LogPage): readonly (RecordedEvent | RecordedStub)[] =>
  stubs.length === 0 ? events : [...events, ...stubs].sort((a, b) => a.position - b.position)

const withoutState = ({ version, position }: RecordedStub) => ({
  version,
  position,
  machine: '',
  state: null,
})
