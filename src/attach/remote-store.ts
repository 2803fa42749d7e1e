/** The log of another process, read through its socket as if it were open here; nothing can be written to it. */
import { Observable } from 'rxjs'
import { EventStoreError } from '../../eventstore/errors.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type {
  Entry,
  EventStore,
  RecordedStub,
  StreamHead,
  SubscribeOptions,
  VerifyReport,
} from '../../eventstore/event-store.ts'
import type { OwnerLink } from './owner-link.ts'

/** `position()` is the last one that the owner has told of; what comes with it can be read. */
export function remoteStore(link: OwnerLink): EventStore {
  let isClosed = false
  const assertOpen = (): void => {
    if (isClosed) throw closed()
  }
  const refuse = async (): Promise<never> => {
    assertOpen()
    throw readOnly(link.welcome.pid)
  }
  /** One by one, each only if the reader still wants it. */
  async function* items<T>(
    method: string,
    params: object,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T, void, undefined> {
    assertOpen()
    for await (const page of link.pages(method, params, { signal })) {
      for (const item of page) {
        signal?.throwIfAborted()
        yield item as T
      }
    }
  }
  async function* following(
    fromPosition: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    const isOver = (): boolean => isClosed || signal?.aborted === true
    if (isOver()) return
    try {
      for await (const event of items<RecordedEvent>('follow', { fromPosition }, signal)) {
        yield event
        if (isClosed) return
      }
    } catch (error) {
      // Cut off by its reader or by `close`: an end, not a failure.
      if (!isOver()) throw error
    }
  }
  // What this client has not seen counts as to come.
  const follow = ({ fromPosition = 0, signal }: SubscribeOptions = {}): AsyncIterable<RecordedEvent> =>
    following(fromPosition === 'now' ? link.position() : fromPosition, signal)
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    link.close(closed())
  }

  return {
    append: refuse,
    appendBatch: refuse,
    readStream: (stream_id, { signal, ...options } = {}) =>
      items('readStream', { stream_id, ...options }, signal),
    readAll: ({ signal, ...options } = {}) => items<RecordedEvent>('readAll', options, signal),
    readRecords: ({ signal, ...options } = {}) =>
      items<RecordedEvent | RecordedStub>('readRecords', options, signal),
    async head(stream_id) {
      assertOpen()
      return (await link.ask('head', { stream_id })) as StreamHead | undefined
    },
    heads: (prefix = '', { signal } = {}) => items<StreamHead>('heads', { prefix }, signal),
    entries: (prefix, { signal, ...options } = {}) => items<Entry>('entries', { prefix, ...options }, signal),
    position: () => link.position(),
    follow,
    subscribe: (options = {}) =>
      new Observable((subscriber) => {
        const stopped = new AbortController()
        const { signal } = options
        const signals = signal === undefined ? [stopped.signal] : [stopped.signal, signal]
        const run = async (): Promise<void> => {
          for await (const event of follow({ ...options, signal: AbortSignal.any(signals) })) {
            if (subscriber.closed) return
            subscriber.next(event)
          }
          subscriber.complete()
        }
        run().catch((error: unknown) => subscriber.error(error))
        return () => stopped.abort()
      }),
    async verify({ signal } = {}) {
      assertOpen()
      return (await link.ask('verify', {}, { signal })) as VerifyReport
    },
    quarantined: () => link.welcome.quarantined,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function readOnly(pid: number): EventStoreError {
  return new EventStoreError('ES_READ_ONLY', {
    happened: `The log belongs to process ${pid}, and is only read here`,
    expected: 'Expected nothing to be written to it from another process',
    remedy: 'Ask its runtime to act instead, as agentctl pause, resume and cancel do',
  })
}

function closed(): EventStoreError {
  return new EventStoreError('ES_CLOSED', {
    happened: 'The connection to the process that owns the log is closed',
    expected: 'Expected it to be open',
    remedy: 'Attach again',
  })
}
