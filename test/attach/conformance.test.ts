/** A log that is read over its owner's socket passes the suite that any store must pass; what writes goes to the owner. */
import { Observable, tap } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { attach } from '../../src/attach/attach.ts'
import { openOwnerServer } from '../../src/attach/owner-server.ts'
import { eventStoreConformance } from '../../src/testing/event-store-conformance.ts'

eventStoreConformance(
  { describe, test },
  {
    name: 'attached',
    open: async () => attachedStore(),
    destroy: async (store) => store.close(),
  },
)

/** Everything that reads goes over the socket. A write tells this end of the log's new end before it resolves. */
async function attachedStore(): Promise<EventStore> {
  const owner = createMemoryEventStore()
  const server = await openOwnerServer({
    store: owner,
    acts: {},
    live: async () => ({ parked: [], actors: [] }),
    version: 'test',
  })
  const attached = await attach({ ...server.address, client: 'test' })
  /** Of each subscription that is open, the position it was given last. */
  const given = new Set<{ position: number }>()
  const told = async <T>(written: Promise<T>): Promise<T> => {
    const result = await written
    await attached.refresh().catch(() => {})
    // The suite asks what a subscriber was told as soon as a write resolves; over a socket it takes a moment.
    const isBehind = (): boolean => [...given].some(({ position }) => position < owner.position())
    await expect.poll(isBehind, { timeout: 5_000, interval: 1 }).toBe(false)
    return result
  }
  const subscribe: EventStore['subscribe'] = (options) =>
    new Observable((subscriber) => {
      const one = { position: 0 }
      given.add(one)
      subscriber.add(() => given.delete(one))
      return attached.store
        .subscribe(options)
        .pipe(tap((event) => (one.position = event.position)))
        .subscribe(subscriber)
    })
  const close = async (): Promise<void> => {
    // As a process that ends: the owner first, then what hangs on it.
    await owner.close()
    await attached.store.close()
    await server.close()
  }
  return {
    ...attached.store,
    subscribe,
    append: (...args) => told(owner.append(...args)),
    appendBatch: (batch) => told(owner.appendBatch(batch)),
    close,
    [Symbol.asyncDispose]: close,
  }
}
