/** Reads all there is, as it was at one moment, and names each record that does not hold; changes nothing. */
import { LogAuditor } from './auditor.ts'
import { damage, type Damage } from './damage.ts'
import type { VerifyReport } from './event-store.ts'
import { batchesBetween, headKey, headsRange, nameOfKey, positionOfKey, wholeLog } from './keys.ts'
import { scanLog } from './scan-log.ts'
import { unseal, type HeadRecord } from './sealed.ts'
import type { StorageView } from './storage.ts'
import { NotedValues } from './verify-notes.ts'
import { IndexAuditor } from './verify-index.ts'

export type VerifyOptions = {
  /** Position that the log must reach. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
}

export type DamageReport = VerifyReport & { readonly problems: readonly Damage[] }

/** `view` must not change while it is read. */
export const verifyLog = async (view: StorageView, options: VerifyOptions): Promise<DamageReport> => {
  const auditor = new LogAuditor(0)
  const index = new IndexAuditor(view)
  const noted = new NotedValues()
  const problems: Damage[] = []
  let events = 0
  for await (const page of scanLog(view, {
    signal: options.signal,
    until: Math.max(options.until, await lastPosition(view)),
    after: 0,
    auditor,
    onLink: (link) => noted.add(link),
  })) {
    events += page.events.length
    problems.push(...page.damages)
    for (const event of page.events) index.add(event)
    for (const stub of page.stubs) index.add(stub)
  }
  const located = await index.locate(problems, options.signal)
  located.push(...(await verifyHeads(view, { auditor, located, signal: options.signal })))
  const complete = problems.every(({ kind }) => kind !== 'batch_chain' && kind !== 'missing')
  if (complete) located.push(...noted.compareStubs(auditor.stubs))
  located.push(...(await noted.compare(view, { complete, signal: options.signal })))
  return { ok: located.length === 0, events, streams: auditor.streams.size, problems: located }
}

/** The last position that the view knows of: it may be a later moment than the one `until` was taken at. */
const lastPosition = async (view: StorageView): Promise<number> => {
  const ranges = [wholeLog, batchesBetween(0, Number.MAX_SAFE_INTEGER - 1)]
  const found = await Promise.all(ranges.map((range) => view.range({ ...range, reverse: true, limit: 1 })))
  return Math.max(0, ...found.flat().map(([key]) => positionOfKey(key)))
}

type HeadRound = {
  readonly auditor: LogAuditor
  /** What is known to be wrong already. */
  readonly located: readonly Damage[]
  readonly signal: AbortSignal | undefined
}

const verifyHeads = async (view: StorageView, round: HeadRound): Promise<Damage[]> => {
  const { auditor, located, signal } = round
  const found: Damage[] = []
  const unheaded = new Set(auditor.streams.keys())
  const known = new Set(located.map((problem) => versionName(problem.stream_id, problem.version)))
  for await (const page of view.scan(headsRange(''))) {
    signal?.throwIfAborted()
    for (const [key, stored] of page) {
      const stream_id = nameOfKey(key)
      unheaded.delete(stream_id)
      const wrong = checkHead(stream_id, stored, auditor)
      // That the last event is missing or unreadable was said where it stands.
      if (wrong !== undefined && !known.has(versionName(stream_id, wrong.version))) found.push(wrong)
    }
  }
  for (const stream_id of unheaded) {
    const seen = auditor.streams.get(stream_id)
    found.push(damage('head', 'the stream has no head', { stream_id, ...seen }))
  }
  return found
}

const versionName = (stream_id: string, version: number): string => `${version} ${stream_id}`

const checkHead = (stream_id: string, stored: string, auditor: LogAuditor): Damage | undefined => {
  const head = unseal<HeadRecord>(headKey(stream_id), stored)
  const seen = auditor.streams.get(stream_id)
  if (head.type === 'damaged') return damage('head', head.detail, { stream_id, ...seen })
  const { version, position, hash } = head.value
  if (seen === undefined) {
    return damage('head', 'none of its events is there', { stream_id, version, position })
  }
  if (seen.version === version && seen.position === position && seen.hash === hash) return undefined
  const detail = `the head says version ${version} at ${position}, the log version ${seen.version} at ${seen.position}`
  return damage('head', detail, { stream_id, version: Math.max(version, seen.version), position })
}
