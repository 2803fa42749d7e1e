/** The one interface behind which every store stands: facts appended, read, followed. */
import type { Observable } from 'rxjs'
import type { NewEvent, RecordedEvent } from './event.ts'

/** What must be true of a stream for an append to happen: an exact version, or a symbolic one. */
export type ExpectedVersion = number | 'no_stream' | 'stream_exists' | 'any'

/** `fsync`: on the platter before anyone is told. `os`: handed to the operating system. */
export type Durability = 'fsync' | 'os'

/**
 * What an append does when more waits to be written than the store wants to hold: be taken all the same, wait
 * for its turn (its expected version is checked then), or be refused. What comes from outside should not be
 * taken without bound.
 */
export type WhenFull = 'accept' | 'wait' | 'refuse'

export type AppendOptions = {
  /** Default `'any'`. */
  readonly expectedVersion?: ExpectedVersion
  /** Default `'fsync'`. */
  readonly durability?: Durability
  /** A retry with the same id finds the first result instead of appending again. */
  readonly commandId?: string
  /** An outcome of work that already happened: values JSON cannot carry are normalised and flagged, not refused. */
  readonly outcome?: boolean
  /** Default `'accept'`. */
  readonly whenFull?: WhenFull
}

export type AppendResult = {
  /** Version of the stream's last event after the append. */
  readonly version: number
  /** Position in the log of the last event appended. */
  readonly position: number
  readonly events: readonly RecordedEvent[]
  readonly durability: Durability
  /** True if `commandId` was seen before and nothing was written now. */
  readonly duplicate: boolean
}

/** One stream's part of an atomic batch. */
export type StreamAppend = {
  readonly stream_id: string
  readonly events: readonly NewEvent[]
  readonly expectedVersion?: ExpectedVersion
}

/** A small mutable fact written in the same batch as events: owed work, a timer, a cached snapshot. `value: undefined` deletes. */
export type Entry = { readonly key: string; readonly value: unknown }

/** Several streams and entries that are written together or not at all. */
export type AtomicBatch = {
  readonly appends: readonly StreamAppend[]
  readonly entries?: readonly Entry[]
  readonly durability?: Durability
  readonly commandId?: string
  readonly outcome?: boolean
  readonly whenFull?: WhenFull
}

export type BatchResult = {
  /** Position of the last event in the log after the batch. */
  readonly position: number
  /** In the order of `appends`. */
  readonly events: readonly RecordedEvent[]
  /** Version after the batch, per stream of `appends`. */
  readonly versions: ReadonlyMap<string, number>
  readonly durability: Durability
  readonly duplicate: boolean
}

export type StreamHead = {
  readonly stream_id: string
  readonly version: number
  readonly position: number
  readonly hash: string
  readonly machine: string
  readonly state: RecordedEvent['state']
}

export type ReadStreamOptions = {
  /** First version to read; default 1 (backwards: the last). */
  readonly fromVersion?: number
  /** Last version to read, inclusive. */
  readonly toVersion?: number
  readonly direction?: 'forwards' | 'backwards'
  readonly signal?: AbortSignal
}

export type ReadAllOptions = {
  /** Events after this position; default 0, the whole log. */
  readonly fromPosition?: number
  readonly signal?: AbortSignal
}

export type SubscribeOptions = {
  /** Events after this position; default 0. `'now'` skips what is there already. */
  readonly fromPosition?: number | 'now'
  readonly signal?: AbortSignal
}

/** What `verify` found wrong, and where. */
export type IntegrityProblem = {
  readonly kind: string
  readonly position: number
  readonly stream_id: string
  readonly version: number
  readonly detail: string
}

export type VerifyReport = {
  readonly ok: boolean
  readonly events: number
  readonly streams: number
  readonly problems: readonly IntegrityProblem[]
}

/** What is left of an event whose stream was archived: its place, and the hash that the chains need. */
export type RecordedStub = {
  readonly stub: true
  readonly stream_id: string
  readonly version: number
  readonly position: number
  readonly hash: string
}

/** Events that were recorded elsewhere, and what is left of archived ones among them: their hashes. */
export type ImportBatch = Omit<AtomicBatch, 'appends'> & {
  readonly appends: readonly (Omit<StreamAppend, 'events'> & {
    readonly events: readonly (NewEvent | { readonly stub: string })[]
  })[]
}

export type TruncateOptions = {
  /** Says in the stream what became of its events; its last event from then on. */
  readonly tombstone: NewEvent
  /** The stream's version now; all events up to it go. */
  readonly expectedVersion: number
}

export interface EventStore {
  /** Appends events to one stream. Resolves when they are as durable as asked. */
  append(stream_id: string, events: readonly NewEvent[], options?: AppendOptions): Promise<AppendResult>
  /** Appends to several streams and writes entries, all or nothing. */
  appendBatch(batch: AtomicBatch): Promise<BatchResult>
  readStream(stream_id: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>
  readAll(options?: ReadAllOptions): AsyncIterable<RecordedEvent>
  /** The stream's last version, or `undefined` if there is no such stream. */
  head(stream_id: string): Promise<StreamHead | undefined>
  /** Every stream's head whose id starts with `prefix`, in the order of ids. */
  heads(prefix?: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<StreamHead>
  /**
   * Entries whose key starts with `prefix`, in the order of keys. `stored`: as they are stored, for a copy of the log; what
   * is sealed stays sealed.
   */
  entries(
    prefix: string,
    options?: { readonly signal?: AbortSignal; readonly stored?: boolean },
  ): AsyncIterable<Entry>
  /** Position of the last event on disk; 0 if the log is empty. */
  position(): number
  /** Catches up, then follows: no gap, no duplicate. */
  subscribe(options?: SubscribeOptions): Observable<RecordedEvent>
  /** The same as `subscribe`, as an async iterable; ends on abort or close. */
  follow(options?: SubscribeOptions): AsyncIterable<RecordedEvent>
  /** Reads everything and reports each record that does not hold. */
  verify(options?: { readonly signal?: AbortSignal }): Promise<VerifyReport>
  /** The log with what is left of archived events, which every other read passes over. */
  readRecords?(options?: ReadAllOptions): AsyncIterable<RecordedEvent | RecordedStub>
  /** Streams that are closed because they are damaged, each with its last version before that. */
  quarantined?(): readonly { readonly stream_id: string; readonly soundUntil: number }[]
  /** Removes a stream's events but for their hashes, and appends its tombstone, in one batch. */
  truncate?(stream_id: string, options: TruncateOptions): Promise<AppendResult>
  /** What an import appends with. */
  importBatch?(batch: ImportBatch): Promise<BatchResult>
  /** Gives back to the disk what was deleted and replaced. May take long; reads and appends go on. */
  compact?(): Promise<void>
  /** Finishes what is being written, refuses the rest, closes. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
