/** A runtime for tests: everything in memory, time that stands still, ids that are the same in each run. */
import { createRuntime, type Runtime, type RuntimeOptions } from '../create-runtime.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { createMemoryEventStore } from '../../eventstore/memory-event-store.ts'
import type { NewId } from '../runtime/clock.ts'
import { createTestClock, type TestClock } from './test-clock.ts'

export type TestRuntimeOptions = Omit<RuntimeOptions, 'path' | 'store' | 'clock' | 'newId'> & {
  /** What time it is at first: ms since the epoch, or ISO 8601. Default 2030-01-01T00:00:00Z. */
  readonly startAt?: number | string
}

/** A runtime whose clock the test moves, and which can be restarted. */
export interface TestRuntime extends Runtime {
  readonly clock: TestClock
  /**
   * Closes this runtime and opens another over the same log, as a restarted process would; with other options (new
   * code, other hooks), those take the place of the old ones. Use the runtime that it returns.
   */
  restart(changes?: Omit<TestRuntimeOptions, 'startAt'>): Promise<TestRuntime>
}

/**
 * A runtime in memory. Its ids count up from 1 (`sess_00000000-0000-7000-8000-000000000001`), over restarts as well.
 *
 * @throws what `createRuntime` throws
 */
export async function createTestRuntime(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const { startAt, ...rest } = options
  const clock = createTestClock(startAt)
  const store = createMemoryEventStore({ clock: () => clock.now() })
  return open({ clock, store, newId: countingIds() }, rest)
}

type Kept = { readonly clock: TestClock; readonly store: EventStore; readonly newId: NewId }

async function open(kept: Kept, options: Omit<TestRuntimeOptions, 'startAt'>): Promise<TestRuntime> {
  const { clock, newId } = kept
  // Closing a runtime closes its store, and a store in memory would be gone with it.
  let restarting = false
  const store: EventStore = lending(kept.store, () => restarting)
  const runtime = await createRuntime({ ...options, clock, newId, store })
  const restart: TestRuntime['restart'] = async (changes = {}) => {
    restarting = true
    await runtime.close()
    return open(kept, { ...options, ...changes })
  }
  return Object.assign(runtime, { clock, restart })
}

/** The same store, but for `close`, which does nothing while it is only lent. */
function lending(store: EventStore, lent: () => boolean): EventStore {
  const close = async (): Promise<void> => (lent() ? undefined : store.close())
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close' || name === Symbol.asyncDispose) return close
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function countingIds(): NewId {
  let count = 0
  return (prefix) => {
    count += 1
    return `${prefix}_00000000-0000-7000-8000-${count.toString(16).padStart(12, '0')}`
  }
}
