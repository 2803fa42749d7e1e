/** A runtime for tests: everything in memory, time that stands still, ids that are the same in each run, no logs. */
import { createRuntime, type Runtime, type RuntimeOptions } from '../create-runtime.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { createMemoryEventStore } from '../../eventstore/memory-event-store.ts'
import { createMemoryKeyRing, type KeyRing } from '../../eventstore/sealing/key-ring.ts'
import type { Clock, NewId } from '../runtime/clock.ts'
import { silentLogger } from '../embedding/log-level.ts'
import { seededSource, type SeededSource } from './seeded-source.ts'
import { createTestClock, type TestClock } from './test-clock.ts'

export type TestRuntimeOptions = Omit<
  RuntimeOptions,
  'path' | 'store' | 'clock' | 'newId' | 'newEventId' | 'logLevel'
> & {
  /** One of `createTestClock`, e.g. one that two runtimes share; default one of this runtime's own. */
  readonly clock?: Clock
  /** What time it is at first on a clock of its own: ms since the epoch, or ISO 8601. Default 2030-01-01T00:00:00Z. */
  readonly startAt?: number | string
  /**
   * What ids are made of: a seed, a whole number from 0 to 4,294,967,295, for ids that count up and differ from those
   * of every other seed; or a function. Default the seed 0. The draws of `random` follow the seed as well.
   */
  readonly ids?: number | NewId
}

/** What can change over a restart: the code, not the world. */
export type TestRestart = Omit<TestRuntimeOptions, 'startAt' | 'clock' | 'ids'>

/** A runtime whose clock the test moves, and which can be restarted. */
export interface TestRuntime extends Runtime {
  readonly clock: TestClock
  /** What went wrong while nobody was waiting for it, unless `onError` was given; over restarts as well. */
  readonly troubles: readonly unknown[]
  /**
   * Closes this runtime and opens another over the same log, as a restarted process would; with other options (new
   * code, other hooks), those take the place of the old ones. Use the runtime that it returns.
   */
  restart(changes?: TestRestart): Promise<TestRuntime>
}

/**
 * A runtime in memory. Its ids count up from 1 (`sess_00000000-0000-7000-8000-000000000001`), over restarts as well.
 * It logs nothing, unless it is given a `logger`.
 *
 * @throws RangeError for a seed that is none, a start that is no time, a start for a clock that was given, or a clock
 * that tests cannot move; what `createRuntime` throws
 */
export async function createTestRuntime(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const { startAt, clock: given, ids = 0, ...rest } = options
  if (given !== undefined && startAt !== undefined)
    throw new RangeError(
      'startAt belongs to a clock of its own, and a clock was given: leave one of them out.',
    )
  const clock = given === undefined ? createTestClock(startAt) : asTestClock(given)
  const source = seededSource(typeof ids === 'number' ? ids : 0)
  const store = createMemoryEventStore({ clock: () => clock.now(), newId: source.newEventId })
  return open(
    {
      clock,
      store,
      source,
      newId: typeof ids === 'number' ? source.newId : ids,
      troubles: [],
      keys: createMemoryKeyRing(),
    },
    rest,
  )
}

/** Options for a runtime and for a test's are often the same object: hence not by type. */
function asTestClock(clock: Clock): TestClock {
  if ('advance' in clock && 'pending' in clock) return clock as TestClock
  throw new RangeError('A test runtime has a clock that the test moves: make it with createTestClock.')
}

type Kept = {
  readonly clock: TestClock
  readonly store: EventStore
  readonly source: SeededSource
  readonly newId: NewId
  readonly troubles: unknown[]
  readonly keys: KeyRing
}

async function open(kept: Kept, options: TestRestart): Promise<TestRuntime> {
  const { clock, newId, source, troubles } = kept
  // Closing a runtime closes its store, and a store in memory would be gone with it.
  let restarting = false
  const store: EventStore = lending(kept.store, () => restarting)
  const runtime = await createRuntime({
    logger: silentLogger,
    onError: (error) => troubles.push(error),
    random: source.random,
    ...options,
    // As in a folder, keys are there again after a restart.
    ...(options.sealing && { sealing: { keys: kept.keys, ...options.sealing } }),
    clock,
    newId,
    newEventId: source.newEventId,
    store,
  })
  const restart: TestRuntime['restart'] = async (changes = {}) => {
    restarting = true
    await runtime.close()
    return open(kept, { ...options, ...changes })
  }
  return Object.assign(runtime, { clock, troubles, restart })
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
