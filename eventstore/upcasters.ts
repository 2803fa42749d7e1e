/**
 * Reads old versions of events as new ones, through a chain of small steps; the log is never rewritten.
 *
 * An event keeps its id, place and hash: those are of what is stored. Its payload, schema version and, if a
 * step renames it, its type are those that the code of today knows.
 */
import type { Observable } from 'rxjs'
import { map } from 'rxjs'
import { EventStoreError } from './errors.ts'
import type { JsonValue, NewEvent, RecordedEvent } from './event.ts'
import type {
  AppendOptions,
  AppendResult,
  AtomicBatch,
  BatchResult,
  Entry,
  EventStore,
  ReadAllOptions,
  ReadStreamOptions,
  StreamHead,
  SubscribeOptions,
  VerifyReport,
} from './event-store.ts'
import { copyAsJson } from './payload.ts'

/** One step: from one version of one type of event to the next. */
export type Upcaster = {
  readonly event_type: string
  /** `schema_version` that it reads. */
  readonly from: number
  /** `schema_version` that it gives; default `from + 1`. */
  readonly to?: number
  /** The type's name from then on, if it changes. */
  readonly rename?: string
  /** The new payload. Pure: no clock, no randomness, no I/O; the old one is not to be changed. */
  readonly upcast: (payload: JsonValue, event: RecordedEvent) => unknown
}

type Chain = (event: RecordedEvent) => RecordedEvent

/**
 * The store, with every event that is read brought up to date by these steps.
 * @throws {EventStoreError} `ES_INVALID_OPTION` if two steps read the same version or one goes back. Reads
 *   throw `ES_UPCAST_FAILED` with the event's place where a step throws.
 */
export const withUpcasters = (store: EventStore, upcasters: readonly Upcaster[]): EventStore =>
  new UpcastingStore(store, chainOf(upcasters))

const chainOf = (upcasters: readonly Upcaster[]): Chain => {
  const steps = new Map<string, Upcaster>()
  for (const step of upcasters) {
    const name = stepName(step.event_type, step.from)
    if (toVersion(step) <= step.from) throw invalidStep(step, 'it does not lead to a later version')
    if (steps.has(name)) throw invalidStep(step, 'another step reads the same version')
    steps.set(name, step)
  }
  return (event) => {
    let now = event
    for (;;) {
      const step = steps.get(stepName(now.event_type, now.schema_version))
      if (step === undefined) return now
      now = apply(step, now)
    }
  }
}

const stepName = (event_type: string, version: number): string => `${version} ${event_type}`
const toVersion = (step: Upcaster): number => step.to ?? step.from + 1

const apply = (step: Upcaster, event: RecordedEvent): RecordedEvent => {
  try {
    const made = step.upcast(event.payload, event)
    const { value } = copyAsJson(made, { root: () => 'payload', outcome: false })
    return {
      ...event,
      event_type: step.rename ?? event.event_type,
      schema_version: toVersion(step),
      payload: value,
    }
  } catch (cause) {
    throw new EventStoreError('ES_UPCAST_FAILED', {
      happened: `The step from version ${step.from} of '${step.event_type}' failed for the event at position ${event.position}`,
      expected: 'Expected a step that can read every event of that version',
      remedy: 'Correct the step and read again; the log is not changed by it',
      cause,
      details: { position: event.position, stream_id: event.stream_id, version: event.version },
    })
  }
}

const invalidStep = (step: Upcaster, what: string): EventStoreError =>
  new EventStoreError('ES_INVALID_OPTION', {
    happened: `The step from version ${step.from} of '${step.event_type}' cannot be used: ${what}`,
    expected: 'Expected one step for each old version of a type, each to a later version',
    remedy: 'Correct the list of upcasters',
    details: { path: 'upcasters' },
  })

async function* upcastAll(events: AsyncIterable<RecordedEvent>, chain: Chain): AsyncGenerator<RecordedEvent> {
  for await (const event of events) yield chain(event)
}

type Abortable = { readonly signal?: AbortSignal }

class UpcastingStore implements EventStore {
  readonly #store: EventStore
  readonly #chain: Chain

  constructor(store: EventStore, chain: Chain) {
    this.#store = store
    this.#chain = chain
  }

  async append(
    stream_id: string,
    events: readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<AppendResult> {
    const result = await this.#store.append(stream_id, events, options)
    return { ...result, events: result.events.map(this.#chain) }
  }

  async appendBatch(batch: AtomicBatch): Promise<BatchResult> {
    const result = await this.#store.appendBatch(batch)
    return { ...result, events: result.events.map(this.#chain) }
  }

  readStream(stream_id: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent> {
    return upcastAll(this.#store.readStream(stream_id, options), this.#chain)
  }

  readAll(options?: ReadAllOptions): AsyncIterable<RecordedEvent> {
    return upcastAll(this.#store.readAll(options), this.#chain)
  }

  subscribe(options?: SubscribeOptions): Observable<RecordedEvent> {
    return this.#store.subscribe(options).pipe(map(this.#chain))
  }

  follow(options?: SubscribeOptions): AsyncIterable<RecordedEvent> {
    return upcastAll(this.#store.follow(options), this.#chain)
  }

  async head(stream_id: string): Promise<StreamHead | undefined> {
    return this.#store.head(stream_id)
  }

  heads(prefix?: string, options?: Abortable): AsyncIterable<StreamHead> {
    return this.#store.heads(prefix, options)
  }

  entries(prefix: string, options?: Abortable): AsyncIterable<Entry> {
    return this.#store.entries(prefix, options)
  }

  position(): number {
    return this.#store.position()
  }

  async verify(options?: Abortable): Promise<VerifyReport> {
    return this.#store.verify(options)
  }

  async close(): Promise<void> {
    await this.#store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
