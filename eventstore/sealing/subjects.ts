/**
 * What the log says of subjects: which key each has, which streams are whose, and who was erased.
 *
 * Owns that knowledge in memory, and the form in which it is kept in entries beside the events. Holds no key.
 *
 * I1  A stream that belongs to a subject belongs to it, and to the same key of it, for ever.
 * I2  What was erased stays erased: a subject that comes back gets another key.
 */
import { createHash } from 'node:crypto'
import type { JsonValue, RecordedEvent } from '../event.ts'
import type { Entry, EventStore } from '../event-store.ts'
import { isSealedValue, type Owner } from './sealed-value.ts'

/** The entries of the sealing itself; no reader sees them. */
export const SEALING = 'sealing/'
/** The stream that says who was erased. */
export const ERASURES = 'sealing/erasures'
/** Type of the event that says that a subject was erased; its payload is an `Erasure`. */
export const SUBJECT_ERASED = 'subject.erased'

const KEYS = `${SEALING}key/`
const STREAMS = `${SEALING}stream/`
const ERASING = `${SEALING}erasing/`

/** That a subject was erased: who did it, and why; when is the event's timestamp. Never what was erased. */
export type Erasure = Owner & { readonly by: string; readonly reason: string }

export type OwnedStream = Owner & { readonly stream_id: string }

export class Subjects {
  readonly #familyOf: (stream_id: string) => string
  readonly #streams = new Map<string, OwnedStream>()
  /** By key. */
  readonly #subjects = new Map<string, string>()
  /** The key of each subject that new values are sealed with. */
  readonly #current = new Map<string, string>()
  readonly #erased = new Set<string>()
  /** Keys whose erasure is recorded, and perhaps not done. */
  readonly #unfinished = new Map<string, Owner>()
  /** What is known here and not yet in the log; each batch that relies on it brings it along. */
  readonly #pending = new Map<string, Entry>()

  /** `familyOf`: the stream that a stream belongs to, and whose subject it shares. */
  constructor(familyOf: (stream_id: string) => string) {
    this.#familyOf = familyOf
  }

  async load(stored: EventStore): Promise<void> {
    for await (const entry of stored.entries(SEALING)) this.learn(entry)
    for await (const { event_type, payload } of stored.readStream(ERASURES))
      if (event_type === SUBJECT_ERASED) this.erase([(payload as Erasure).key_id])
  }

  /** Takes in an entry of its own; all others mean nothing to it. */
  learn({ key, value }: Entry): void {
    if (!key.startsWith(SEALING)) return
    const { subject_id, key_id } = value as Owner
    if (key.startsWith(ERASING)) {
      this.#unfinished.set(key_id, { subject_id, key_id })
      return
    }
    this.#subjects.set(key_id, subject_id)
    if (key.startsWith(KEYS) && !this.#erased.has(key_id)) this.#current.set(subject_id, key_id)
    if (key.startsWith(STREAMS)) {
      const stream = value as OwnedStream
      this.#streams.set(stream.stream_id, stream)
    }
  }

  /** The same for an entry that is on its way into the log. */
  expect(entry: Entry): void {
    this.learn(entry)
    this.#pending.set(entry.key, entry)
  }

  /** What a batch has to bring along that is sealed for this owner, and goes to this stream. */
  pendingFor(owner: Owner, stream_id: string): Entry[] {
    if (this.#pending.size === 0) return []
    const stream = this.ownerOf(stream_id)
    const entries = [keyEntry(owner), ...(stream?.key_id === owner.key_id ? [streamEntry(stream)] : [])]
    return entries.filter(({ key }) => this.#pending.has(key))
  }

  /** These are in the log. */
  confirm(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.learn(entry)
      this.#pending.delete(entry.key)
    }
  }

  /** A batch with these was not written: its streams are nobody's, unless another one says so. */
  reject(entries: readonly Entry[]): void {
    for (const { key, value } of entries) {
      if (!key.startsWith(STREAMS) || !this.#pending.delete(key)) continue
      this.#streams.delete((value as OwnedStream).stream_id)
    }
  }

  /** Whose the stream is; `undefined` if it is nobody's. */
  ownerOf(stream_id: string): OwnedStream | undefined {
    return this.#streams.get(stream_id) ?? this.#streams.get(this.#familyOf(stream_id))
  }

  familyOf(stream_id: string): string {
    return this.#familyOf(stream_id)
  }

  /** The key that a subject's new values are sealed with, if it has one. */
  currentKey(subject_id: string): string | undefined {
    return this.#current.get(subject_id)
  }

  /** The subject of a key, if it is known here. */
  subjectOf(key_id: string): string | undefined {
    return this.#subjects.get(key_id)
  }

  isErased(key_id: string): boolean {
    return this.#erased.has(key_id)
  }

  /** The keys of a subject that were not erased. */
  keysOf(subject_id: string): string[] {
    return Array.from(this.#subjects).flatMap(([key_id, subject]) =>
      subject === subject_id && !this.#erased.has(key_id) ? [key_id] : [],
    )
  }

  /** The streams that belong to a key; those beside and below them are not named. */
  streamsOf(key_id: string): string[] {
    const own: string[] = []
    for (const stream of this.#streams.values()) if (stream.key_id === key_id) own.push(stream.stream_id)
    return own
  }

  get unfinished(): readonly Owner[] {
    return [...this.#unfinished.values()]
  }

  erase(key_ids: readonly string[]): void {
    for (const key_id of key_ids) {
      this.#erased.add(key_id)
      const subject = this.#subjects.get(key_id)
      if (subject !== undefined && this.#current.get(subject) === key_id) this.#current.delete(subject)
    }
  }

  /** The erasure could not be recorded. */
  restore(subject_id: string, key_ids: readonly string[]): void {
    for (const key_id of key_ids) {
      this.#erased.delete(key_id)
      this.#current.set(subject_id, key_id)
    }
  }

  finish(key_id: string): void {
    this.#unfinished.delete(key_id)
  }
}

export const keyEntry = (owner: Owner): Entry => ({ key: KEYS + owner.key_id, value: plain(owner) })

/** Streams may have longer names than there is room for in a key. */
export const streamEntry = ({ stream_id, ...owner }: OwnedStream): Entry => ({
  key: STREAMS + createHash('sha256').update(stream_id).digest('hex'),
  value: { stream_id, ...plain(owner) },
})

export const erasingEntry = (owner: Owner, isUnderWay: boolean): Entry => ({
  key: ERASING + owner.key_id,
  value: isUnderWay ? plain(owner) : undefined,
})

/** The entries that belong to a sealed event, for who copies it into another log. */
export const sealingEntries = ({
  stream_id,
  payload,
}: Pick<RecordedEvent, 'payload' | 'stream_id'>): Entry[] => {
  if (!isSealedValue(payload)) return []
  const key = keyEntry(payload)
  return payload.scope === 'stream' ? [key, streamEntry({ stream_id, ...payload })] : [key]
}

const plain = ({ subject_id, key_id }: Owner): { readonly [key: string]: JsonValue } => ({
  subject_id,
  key_id,
})
