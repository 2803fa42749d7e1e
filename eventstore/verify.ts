/** Reads all there is and names each record that does not hold; changes nothing. */
import { LogAuditor } from './auditor.ts'
import { damage, type Damage } from './damage.ts'
import type { VerifyReport } from './event-store.ts'
import {
  commandKey,
  entriesRange,
  entryKey,
  headKey,
  headsRange,
  nameOfKey,
  streamOfKey,
  wholeCommands,
  wholeStreamIndex,
} from './keys.ts'
import { scanLog } from './scan-log.ts'
import { unseal, type HeadRecord } from './sealed.ts'
import type { Storage } from './storage.ts'

export type VerifyOptions = {
  /** Last position to look at; what is appended meanwhile is left for the next time. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
}

type Round = VerifyOptions & {
  readonly storage: Storage
  readonly auditor: LogAuditor
  readonly problems: Damage[]
}

export const verifyLog = async (storage: Storage, options: VerifyOptions): Promise<VerifyReport> => {
  const auditor = new LogAuditor(0)
  const problems: Damage[] = []
  const round: Round = { ...options, storage, auditor, problems }
  let events = 0
  for await (const page of scanLog(storage, { after: 0, ...options }, auditor)) {
    events += page.events.length
    problems.push(...page.damages)
  }
  await verifyHeads(round)
  await verifyIndex(round)
  await verifySealed(round)
  return { ok: problems.length === 0, events, streams: auditor.streams.size, problems }
}

const verifyHeads = async ({ storage, auditor, problems, until, signal }: Round): Promise<void> => {
  const unheaded = new Set(auditor.streams.keys())
  for await (const page of storage.scan(headsRange(''))) {
    signal?.throwIfAborted()
    for (const [key, stored] of page) {
      const stream_id = nameOfKey(key)
      unheaded.delete(stream_id)
      const found = checkHead({ stream_id, stored, auditor, until })
      if (found !== undefined) problems.push(found)
    }
  }
  for (const stream_id of unheaded) {
    const seen = auditor.streams.get(stream_id)
    problems.push(damage('head', 'the stream has no head', { stream_id, ...seen }))
  }
}

type HeadCheck = {
  readonly stream_id: string
  readonly stored: string
  readonly auditor: LogAuditor
  readonly until: number
}

const checkHead = ({ stream_id, stored, auditor, until }: HeadCheck): Damage | undefined => {
  const head = unseal<HeadRecord>(headKey(stream_id), stored)
  const seen = auditor.streams.get(stream_id)
  if (head.type === 'damaged') return damage('head', head.detail, { stream_id, ...seen })
  if (head.value.position > until) return undefined
  const { version, position, hash } = head.value
  if (seen === undefined)
    return damage('head', 'none of its events is there', { stream_id, version, position })
  if (seen.version === version && seen.position === position && seen.hash === hash) return undefined
  const detail = `the head says version ${version} at ${position}, the log version ${seen.version} at ${seen.position}`
  return damage('head', detail, { stream_id, version: Math.min(version, seen.version) + 1, position })
}

const verifyIndex = async ({ storage, auditor, problems, until, signal }: Round): Promise<void> => {
  const unindexed = new Map(Array.from(auditor.streams, ([stream_id, seen]) => [stream_id, seen.version]))
  let stream = ''
  let next = 1
  for await (const page of storage.scan(wholeStreamIndex)) {
    signal?.throwIfAborted()
    for (const [key, value] of page) {
      const { stream_id, version } = streamOfKey(key)
      const position = Number(value)
      if (position > until) continue
      if (stream_id !== stream) next = 1
      stream = stream_id
      if (version !== next) {
        problems.push(
          damage('index', `the index goes on at version ${version}`, { stream_id, version: next }),
        )
      }
      next = version + 1
      if (unindexed.get(stream_id) === version) unindexed.delete(stream_id)
    }
  }
  for (const [stream_id, version] of unindexed) {
    problems.push(damage('index', 'the index does not reach the last event', { stream_id, version }))
  }
}

const verifySealed = async ({ storage, problems, signal }: Round): Promise<void> => {
  const families = [
    { kind: 'entry', range: entriesRange(''), keyOf: entryKey },
    { kind: 'command', range: wholeCommands, keyOf: commandKey },
  ] as const
  for (const { kind, range, keyOf } of families) {
    for await (const page of storage.scan(range)) {
      signal?.throwIfAborted()
      for (const [key, stored] of page) {
        const name = nameOfKey(key)
        const opened = unseal(keyOf(name), stored)
        if (opened.type === 'damaged') problems.push(damage(kind, `'${name}': ${opened.detail}`, {}))
      }
    }
  }
}
