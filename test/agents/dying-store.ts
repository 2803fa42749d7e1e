/** A store whose process dies at a chosen event: what is on disk by then stays, and nobody hears of anything after it. */
import type { EventStore } from '../../eventstore/event-store.ts'

export type DyingStore = {
  readonly store: EventStore
  /** Resolves when the last event that counts is on disk. */
  readonly dead: Promise<void>
  /** How many events were appended through it. */
  readonly events: () => number
}

/** Lets `events` events through, one batch at a time; the batch that reaches the number is written and never acknowledged. */
export function dieAfter(store: EventStore, events: number): DyingStore {
  let count = 0
  let die: () => void
  const dead = new Promise<void>((resolve) => (die = resolve))
  let line: Promise<unknown> = Promise.resolve()
  const never = new Promise<never>(() => {})

  const guarded = <T>(size: number, write: () => Promise<T>): Promise<T> => {
    const written = line.then(async () => {
      if (count >= events) return never
      const result = await write()
      count += size
      if (count < events) return result
      die()
      return never
    })
    line = written.catch(() => {})
    return written
  }
  const dying = new Proxy(store, {
    get(target, name) {
      if (name === 'append') {
        return (...args: Parameters<EventStore['append']>) =>
          guarded(args[1].length, () => target.append(...args))
      }
      if (name === 'appendBatch') {
        return (...args: Parameters<EventStore['appendBatch']>) => {
          const size = args[0].appends.reduce((sum, append) => sum + append.events.length, 0)
          return guarded(size, () => target.appendBatch(...args))
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: dying, dead, events: () => count }
}
