/**
 * Compares the stream index with the log, and asks it whose the records were that cannot be read any more.
 *
 * Owns a fingerprint of the index as it should be: a sum, so that the order of entries does not matter and
 * a million of them take no memory. Only if it does not match is each entry looked at.
 */
import { crc32 } from 'node:zlib'
import { damage, type Damage } from './damage.ts'
import { eventKey, streamKey, streamOfKey, wholeLog, wholeStreamIndex } from './keys.ts'
import { decodeRecord, type Stub } from './record.ts'
import type { KeyValue, StorageView } from './storage.ts'

export class IndexAuditor {
  readonly #view: StorageView
  #expected = 0

  constructor(view: StorageView) {
    this.#view = view
  }

  /** An event, or what is left of one, that the index must lead to. */
  add(event: Stub): void {
    const entry = fingerprint([streamKey(event.stream_id, event.version), String(event.position)])
    this.#expected = (this.#expected + entry) >>> 0
  }

  /**
   * What is wrong with the log, with stream and version where only the index knows them, and what is wrong
   * with the index itself.
   */
  async locate(problems: readonly Damage[], signal: AbortSignal | undefined): Promise<Damage[]> {
    const homeless = new Map<number, KeyValue[]>()
    for (const { position, stream_id } of problems) {
      if (stream_id === '' && position > 0) homeless.set(position, [])
    }
    let sum = 0
    for await (const page of this.#view.scan(wholeStreamIndex)) {
      signal?.throwIfAborted()
      for (const entry of page) {
        sum = (sum + fingerprint(entry)) >>> 0
        homeless.get(Number(entry[1]))?.push(entry)
      }
    }
    for (const entry of Array.from(homeless.values()).flat()) sum = (sum - fingerprint(entry)) >>> 0
    const located = withoutRepeats(
      problems.map((problem) => withHome(problem, homeless.get(problem.position))),
    )
    if (sum === this.#expected) return located
    return [...located, ...(await this.#compare(homeless, signal))]
  }

  /** Each entry against its event, then each event against its entry. */
  async #compare(homeless: ReadonlyMap<number, unknown>, signal: AbortSignal | undefined): Promise<Damage[]> {
    const found: Damage[] = []
    for await (const page of this.#view.scan(wholeStreamIndex)) {
      signal?.throwIfAborted()
      const records = await this.#view.getMany(page.map(([, value]) => eventKey(Number(value) || 0)))
      for (const [at, [key, value]] of page.entries()) {
        if (homeless.has(Number(value))) continue
        const { stream_id, version } = streamOfKey(key)
        const record = decodeRecord(records[at] ?? '')
        const event = record.type === 'record' ? record.record.event : undefined
        if (event?.stream_id === stream_id && event.version === version) continue
        found.push(
          damage('index', `the index leads to ${value}, where another event is`, { stream_id, version }),
        )
      }
    }
    for await (const page of this.#view.scan(wholeLog)) {
      signal?.throwIfAborted()
      const events = page.flatMap(([, value]) => {
        const decoded = decodeRecord(value)
        return decoded.type === 'record' ? [decoded.record.event] : []
      })
      const entries = await this.#view.getMany(
        events.map(({ stream_id, version }) => streamKey(stream_id, version)),
      )
      for (const [at, event] of events.entries()) {
        if (entries[at] !== undefined) continue
        found.push(damage('index', 'the index does not lead to this event', event))
      }
    }
    return found
  }
}

const fingerprint = ([key, value]: KeyValue): number => crc32(value, crc32(key))

const withHome = (problem: Damage, entries: readonly KeyValue[] | undefined): Damage => {
  const entry = entries?.[0]
  return entry === undefined ? problem : { ...problem, ...streamOfKey(entry[0]) }
}

/** A version that is missing in its stream and a position that is missing in the log may be one record. */
const withoutRepeats = (problems: readonly Damage[]): Damage[] => {
  const placed = new Set(
    problems
      .filter(({ position }) => position > 0)
      .map(({ stream_id, version }) => `${version} ${stream_id}`),
  )
  return problems.filter(
    ({ position, stream_id, version }) => position > 0 || !placed.has(`${version} ${stream_id}`),
  )
}
