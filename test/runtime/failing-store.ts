/** A store that can be told to fail its appends, as a disk would, and to answer late. */
import { createMemoryEventStore, type AtomicBatch, type EventStore } from '../../eventstore/index.ts'

export type FailingStore = {
  readonly store: EventStore
  /** From now on appends to these streams fail, all if none is named, before or after they were written. */
  failWhen(condition: (batch: AtomicBatch) => boolean, options?: { readonly written?: boolean }): void
  heal(): void
  /** Holds back the answers until they are let go, the last first. */
  hold(): { letGo(): Promise<void> }
}

export function createFailingStore(clock: { now(): number }): FailingStore {
  const real = createMemoryEventStore({ clock: () => clock.now() })
  let fails: (batch: AtomicBatch) => boolean = () => false
  let written = false
  let held: (() => void)[] | undefined
  const appendBatch: EventStore['appendBatch'] = async (batch) => {
    if (fails(batch)) {
      if (written) await real.appendBatch(batch)
      throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    }
    const result = await real.appendBatch(batch)
    if (held !== undefined) {
      const { promise, resolve } = deferred()
      held.push(resolve)
      await promise
    }
    return result
  }
  const store = new Proxy(real, {
    get(target, name) {
      if (name === 'appendBatch') return appendBatch
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return {
    store,
    failWhen(condition, options = {}) {
      fails = condition
      written = options.written ?? false
    },
    heal() {
      fails = () => false
    },
    hold() {
      const own: (() => void)[] = []
      held = own
      return {
        async letGo() {
          held = undefined
          for (const resolve of own.toReversed()) {
            resolve()
            await new Promise((next) => setImmediate(next))
          }
        },
      }
    },
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
