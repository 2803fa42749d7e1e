/**
 * A store that encrypts what belongs to a subject on its way into the log, and opens it on its way out.
 *
 * The log itself, its hashes, exports and archives have what is sealed: `verify`, `readRecords`, `truncate` and
 * `importBatch` pass it on as it is, so that all of them work without any key.
 *
 * Owns what is known of subjects, and the appends that wait for a key to be made. Never writes a key anywhere.
 *
 * I1  Appends reach the log in the order in which they were called, also where one waits for a key.
 * I2  A key is kept durably before anything that is sealed with it is in the log.
 * I3  Nothing is added to the streams of a subject that was erased.
 */
import { map, type Observable } from 'rxjs'
import { admitBatch } from '../admission.ts'
import { EventStoreError } from '../errors.ts'
import type { JsonValue, NewEvent, RecordedEvent } from '../event.ts'
import { createEventIds } from '../event-id.ts'
import type {
  AppendOptions,
  AppendResult,
  AtomicBatch,
  BatchResult,
  Entry,
  EventStore,
  ImportBatch,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedStub,
  StreamHead,
  SubscribeOptions,
  TruncateOptions,
  VerifyReport,
} from '../event-store.ts'
import { captureBatch } from '../plan.ts'
import { closedError } from '../write-errors.ts'
import { Eraser, type Erased, type EraseOptions } from './eraser.ts'
import type { KeyRing } from './key-ring.ts'
import { Opener, type Beside } from './opener.ts'
import {
  attribute,
  sealBatch,
  withoutKey,
  type AttributedBatch,
  type Attributing,
  type SubjectOf,
} from './seal-batch.ts'
import type { Owner } from './sealed-value.ts'
import { keyEntry, SEALING, Subjects } from './subjects.ts'

export type SealingOptions = {
  readonly keys: KeyRing
  /**
   * Whose data an event is, for events of streams that are nobody's yet; from then on the stream is that subject's.
   * `known` says whose another stream is. An event that has a `subject_id` is sealed for that subject whatever its
   * stream, and one that begins a stream (`expectedVersion: 'no_stream'`) makes it that subject's. Pure and fast.
   */
  readonly subjectOf?: SubjectOf
  /** The stream whose subject a stream shares; default itself. */
  readonly familyOf?: (stream_id: string) => string
  /** The streams that an entry beside the events is about; default its `stream_id`. */
  readonly aboutOf?: (value: unknown) => readonly string[]
  /** A new `event_id`; default a UUIDv7. */
  readonly newId?: () => string
  /** Removes what was derived from a subject's data and lies elsewhere; called again if it was interrupted. */
  readonly onErased?: (erased: Erased) => Promise<void>
}

type Abortable = { readonly signal?: AbortSignal }

/**
 * Seals what belongs to subjects in a store, which belongs to this one from now on. Completes erasures that were
 * interrupted, and destroys keys of erased subjects that a backup brought back.
 * @throws {EventStoreError} what the store and the key ring throw.
 */
export const openSealedStore = async (stored: EventStore, options: SealingOptions): Promise<SealedStore> => {
  const store = new SealedStore(stored, await knownSubjects(stored, options), options)
  await store.completeErasures()
  return store
}

/** The same for reading alone: nothing is completed or destroyed, and entries whose keys are not here are passed over. */
export const readSealedStore = async (stored: EventStore, options: SealingOptions): Promise<SealedStore> => {
  const subjects = await knownSubjects(stored, options)
  return new SealedStore(stored, subjects, { ...options, passOver: true })
}

const knownSubjects = async (stored: EventStore, { familyOf }: SealingOptions): Promise<Subjects> => {
  const subjects = new Subjects(familyOf ?? ((stream_id) => stream_id))
  await subjects.load(stored)
  return subjects
}

/** Whether anything in a log is sealed, or was. */
export const hasSealed = async (stored: EventStore): Promise<boolean> => {
  const entries = stored.entries(SEALING)[Symbol.asyncIterator]()
  const { done: isEmpty } = await entries.next()
  await entries.return?.()
  return isEmpty !== true
}

export class SealedStore implements EventStore {
  /** The store below, which has what is sealed. */
  readonly stored: EventStore
  readonly #subjects: Subjects
  readonly #keys: KeyRing
  readonly #attributing: Attributing
  readonly #newId: () => string
  readonly #opener: Opener
  readonly #eraser: Eraser
  /** The last append that waits for a key, and how many do. */
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  #closing: Promise<void> | undefined

  constructor(
    stored: EventStore,
    subjects: Subjects,
    options: SealingOptions & { readonly passOver?: boolean },
  ) {
    this.stored = stored
    this.#subjects = subjects
    this.#keys = options.keys
    this.#newId = options.newId ?? createEventIds(Date.now)
    const { keys, onErased = async () => {} } = options
    this.#opener = new Opener(subjects, keys, options.passOver ?? false)
    this.#eraser = new Eraser({ stored, subjects, keys, onErased })
    this.#attributing = {
      subjects,
      subjectOf: options.subjectOf ?? (() => undefined),
      aboutOf: options.aboutOf ?? ownStream,
    }
  }

  async append(
    stream_id: string,
    events: readonly NewEvent[],
    { expectedVersion, ...rest }: AppendOptions = {},
  ): Promise<AppendResult> {
    const append = { stream_id, events, ...(expectedVersion !== undefined && { expectedVersion }) }
    const { versions, ...result } = await this.appendBatch({ ...rest, appends: [append] })
    const [version = 0] = versions.values()
    return { ...result, version }
  }

  appendBatch(batch: AtomicBatch): Promise<BatchResult> {
    try {
      if (this.#closing !== undefined) throw closedError()
      admitBatch(batch)
      if (this.#waiting === 0) {
        const attributed = attribute(batch, this.#attributing)
        if (withoutKey(attributed, this.#subjects).length === 0) return this.#write(attributed)
      }
      return this.#queue(captureBatch(batch) as AtomicBatch)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  importBatch(batch: ImportBatch): Promise<BatchResult> {
    if (this.stored.importBatch === undefined) return Promise.reject(unsupported('importBatch'))
    for (const entry of batch.entries ?? []) this.#subjects.learn(entry)
    return this.stored.importBatch(batch).then((result) => this.#openResult(result))
  }

  readStream(stream_id: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent> {
    return openAll(this.stored.readStream(stream_id, options), this.#opener.event)
  }

  readAll(options?: ReadAllOptions): AsyncIterable<RecordedEvent> {
    return openAll(this.stored.readAll(options), this.#opener.event)
  }

  subscribe(options?: SubscribeOptions): Observable<RecordedEvent> {
    return this.stored.subscribe(options).pipe(map(this.#opener.event))
  }

  follow(options?: SubscribeOptions): AsyncIterable<RecordedEvent> {
    return openAll(this.stored.follow(options), this.#opener.event)
  }

  /** The log as it is stored: sealed. */
  readRecords(options?: ReadAllOptions): AsyncIterable<RecordedEvent | RecordedStub> {
    return this.stored.readRecords?.(options) ?? this.stored.readAll(options)
  }

  /** @throws {EventStoreError} `ES_KEY_MISSING` for an entry whose key is not here. */
  async *entries(
    prefix: string,
    options?: Abortable & { readonly stored?: boolean },
  ): AsyncGenerator<Entry, void, undefined> {
    if (options?.stored === true) {
      yield* this.stored.entries(prefix, options)
      return
    }
    for await (const entry of this.stored.entries(prefix, options)) {
      const opened = entry.key.startsWith(SEALING) ? undefined : this.#opener.entry(entry)
      if (opened !== undefined) yield opened
    }
  }

  async head(stream_id: string): Promise<StreamHead | undefined> {
    return this.stored.head(stream_id)
  }

  heads(prefix?: string, options?: Abortable): AsyncIterable<StreamHead> {
    return this.stored.heads(prefix, options)
  }

  position(): number {
    return this.stored.position()
  }

  async verify(options?: Abortable): Promise<VerifyReport> {
    return this.stored.verify(options)
  }

  quarantined(): readonly { readonly stream_id: string; readonly soundUntil: number }[] {
    return this.stored.quarantined?.() ?? []
  }

  async truncate(stream_id: string, options: TruncateOptions): Promise<AppendResult> {
    if (this.stored.truncate === undefined) throw unsupported('truncate')
    return this.stored.truncate(stream_id, options)
  }

  async compact(): Promise<void> {
    await this.stored.compact?.()
  }

  /** Whose a stream is: the subject that was erased, or can be. */
  subjectOf(stream_id: string): string | undefined {
    return this.#subjects.ownerOf(stream_id)?.subject_id
  }

  isErased(stream_id: string): boolean {
    const owner = this.#subjects.ownerOf(stream_id)
    return owner !== undefined && this.#subjects.isErased(owner.key_id)
  }

  /** A value that is kept beside the log, as it may be kept; `undefined` if its stream's subject was erased. */
  sealBeside(at: Beside, value: JsonValue): JsonValue | undefined {
    return this.#opener.seal(at, value)
  }

  /** What `sealBeside` was given; `undefined` if it cannot be opened. */
  openBeside(at: Beside, value: JsonValue): JsonValue | undefined {
    return this.#opener.open(at, value)
  }

  /**
   * Erases a subject: records who did it and why, then destroys its keys. Resolves when no power cut brings anything of
   * it back; with an empty list if there is nothing of it that could be read.
   * @throws {EventStoreError} what an append throws, and the key ring: then the next opening completes it.
   */
  async eraseSubject(subject_id: string, options: EraseOptions): Promise<readonly RecordedEvent[]> {
    return this.#eraser.erase(subject_id, options)
  }

  /** What was erased and by whom, oldest first: payloads are `Erasure`s. */
  erasures(): AsyncIterable<RecordedEvent> {
    return this.#eraser.recorded()
  }

  /** Takes in what was put into the store below past this one: whose it is, and who was erased. */
  async learnAnew(): Promise<void> {
    await this.#subjects.load(this.stored)
    await this.#eraser.completeAll()
  }

  /** Destroys what is left of subjects that were erased, and keys of theirs that a backup brought back. */
  async completeErasures(): Promise<void> {
    await this.#eraser.completeAll()
  }

  async close(): Promise<void> {
    this.#closing ??= this.#last.then(async () => this.stored.close())
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Behind those that wait for a key. */
  #queue(batch: AtomicBatch): Promise<BatchResult> {
    this.#waiting += 1
    const started = this.#last.then(async () => {
      const attributed = attribute(batch, this.#attributing)
      for (const subject_id of withoutKey(attributed, this.#subjects)) {
        const { key_id } = await this.#keys.create(subject_id)
        this.#subjects.expect(keyEntry({ subject_id, key_id }))
      }
      // Not awaited here: the next in line waits for the call, not for the disk.
      return { written: this.#write(attributed) }
    })
    this.#last = started.then(done, done).then(() => void (this.#waiting -= 1))
    return started.then(({ written }) => written)
  }

  #write(attributed: AttributedBatch): Promise<BatchResult> {
    const subjects = this.#subjects
    for (const entry of attributed.batch.entries ?? []) subjects.learn(entry)
    if (!attributed.isSealed) {
      return this.stored.appendBatch(attributed.batch).then((result) => this.#openResult(result))
    }
    const keyOf = (owner: Owner): Uint8Array => this.#opener.keyOf(owner)
    const { batch, opened, learned } = sealBatch(attributed, { subjects, keyOf, newId: this.#newId })
    return this.stored.appendBatch(batch).then(
      (result) => {
        if (result.duplicate) return this.#openResult(result)
        subjects.confirm(learned)
        return { ...result, events: result.events.map((event, index) => ({ ...event, ...opened[index] })) }
      },
      (error: unknown) => {
        subjects.reject(learned)
        throw error
      },
    )
  }

  #openResult(result: BatchResult): BatchResult {
    return { ...result, events: result.events.map(this.#opener.event) }
  }
}

async function* openAll(
  events: AsyncIterable<RecordedEvent>,
  open: (event: RecordedEvent) => RecordedEvent,
): AsyncGenerator<RecordedEvent, void, undefined> {
  for await (const event of events) yield open(event)
}

const ownStream = (value: unknown): readonly string[] => {
  const { stream_id } = (value ?? {}) as { readonly stream_id?: unknown }
  return typeof stream_id === 'string' ? [stream_id] : []
}

const done = (): void => {}

const unsupported = (what: string): EventStoreError =>
  new EventStoreError('ES_UNSUPPORTED', {
    happened: `The store below does not have ${what}()`,
    expected: 'Expected a store of this package',
    remedy: 'Seal a store that has it',
  })
