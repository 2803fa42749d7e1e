/**
 * A named subscription that goes on where it ended, also after a restart: each event at least once, in order.
 *
 * Owns its cursor, an entry in the log under `cursor/`. Never moves it past an event that was not handled.
 *
 * I1  The cursor that is stored is at or before the last event that was handled.
 * I2  One name is used by one subscriber at a time.
 */
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { EventStore } from './event-store.ts'

export type DurableSubscriptionOptions = {
  /** What the cursor is kept under. */
  readonly name: string
  /** Where to begin the first time: after this position, or `'now'`; default 0. */
  readonly fromPosition?: number | 'now'
  readonly signal?: AbortSignal
  /** The cursor is stored at the latest after this many events; default 100. After a crash, as many may come again. */
  readonly saveEvery?: number
}

const CURSORS = 'cursor/'
/** A cursor that waits for more events is stored after this long. */
const SAVE_AFTER_MS = 200

const active = new WeakMap<EventStore, Set<string>>()

/**
 * The events after the subscription's cursor, then those to come. Asking for the next event says that the one
 * before was handled. Ends on abort and on close; the cursor is stored before it does.
 * @throws {EventStoreError} `ES_SUBSCRIPTION_ACTIVE`, `ES_POSITION_AHEAD`, `ES_CORRUPT`.
 * @example
 * for await (const event of subscribeDurably(store, { name: 'mailer' })) await send(event)
 */
export const subscribeDurably = (
  store: EventStore,
  options: DurableSubscriptionOptions,
): AsyncGenerator<RecordedEvent, void, undefined> => {
  const { fromPosition = 0 } = options
  return run(store, options, fromPosition === 'now' ? store.position() : fromPosition)
}

async function* run(
  store: EventStore,
  options: DurableSubscriptionOptions,
  first: number,
): AsyncGenerator<RecordedEvent, void, undefined> {
  const release = claim(store, options.name)
  const cursor = new Cursor(store, options)
  try {
    const fromPosition = (await cursor.read()) ?? first
    const { signal } = options
    for await (const event of store.follow({ fromPosition, ...(signal === undefined ? {} : { signal }) })) {
      yield event
      await cursor.handled(event)
    }
  } finally {
    await cursor.close()
    release()
  }
}

const claim = (store: EventStore, name: string): (() => void) => {
  const names = active.get(store) ?? new Set<string>()
  active.set(store, names)
  if (names.has(name)) {
    throw new EventStoreError('ES_SUBSCRIPTION_ACTIVE', {
      happened: `The subscription '${name}' has a subscriber already`,
      expected: 'Expected one subscriber per name: two would move one cursor',
      remedy: 'End the other one first, or use another name',
    })
  }
  names.add(name)
  return () => void names.delete(name)
}

class Cursor {
  readonly #store: EventStore
  readonly #key: string
  readonly #saveEvery: number
  #handled = 0
  #saved = 0
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(store: EventStore, { name, saveEvery = 100 }: DurableSubscriptionOptions) {
    this.#store = store
    this.#key = CURSORS + name
    this.#saveEvery = saveEvery
  }

  async read(): Promise<number | undefined> {
    for await (const { key, value } of this.#store.entries(this.#key)) {
      if (key !== this.#key) continue
      const { position } = value as { position: number }
      this.#handled = position
      this.#saved = position
      return position
    }
    return undefined
  }

  async handled(event: RecordedEvent): Promise<void> {
    this.#handled = event.position
    if (this.#handled - this.#saved >= this.#saveEvery) await this.#save()
    else this.#timer ??= setTimeout(() => void this.#save().catch(() => undefined), SAVE_AFTER_MS).unref()
  }

  /** Stores the cursor, unless the store is closed already: then some events come again. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#save().catch(() => undefined)
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#saving = this.#saving
      .catch(() => undefined)
      .then(async () => {
        const position = this.#handled
        if (position === this.#saved) return
        // Not synced: what a power cut takes back is handled again, which is what is promised.
        await this.#store.appendBatch({
          appends: [],
          entries: [{ key: this.#key, value: { position } }],
          durability: 'os',
        })
        this.#saved = position
      })
    await this.#saving
  }
}
