/** Opens engines over one store, one after the other, as restarted processes would; time stands still until it is moved. */
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import {
  createMemoryEventStore,
  createMemorySnapshots,
  type EventStore,
  type RecordedEvent,
  type Snapshots,
} from '../../eventstore/index.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { createEngine, type Engine } from '../../src/runtime/engine.ts'
import type { MachineWithPolicies } from '../../src/runtime/policies.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'

export type Opened = Engine & {
  /** What nobody awaited. */
  readonly errors: unknown[]
  readonly warnings: string[]
  readonly logged: unknown[][]
}

const opened: Engine[] = []

/** What snapshots there are beside a store, which outlive an engine as the store does. */
const snapshots = new WeakMap<EventStore, Snapshots>()

function snapshotsOf(store: EventStore): Snapshots {
  const known = snapshots.get(store) ?? createMemorySnapshots()
  snapshots.set(store, known)
  return known
}

afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close()
})

/** An engine that has recovered, and that is closed after the test. */
export async function openEngine(options: {
  readonly machines: readonly (AnyStateMachine | MachineWithPolicies)[]
  readonly store?: EventStore
  readonly clock?: Clock
  readonly random?: () => number
  readonly graceMs?: number
  readonly mailboxLimit?: number
}): Promise<Opened> {
  const clock = options.clock ?? createTestClock()
  const store = options.store ?? createMemoryEventStore({ clock: () => clock.now() })
  const errors: unknown[] = []
  const warnings: string[] = []
  const logged: unknown[][] = []
  const engine = await createEngine({
    store,
    clock,
    machines: options.machines,
    // Often, so that whatever is tested here is tested on actors that were woken from snapshots as well.
    openSnapshots: async () => snapshotsOf(store),
    snapshotEvery: 2,
    maxResident: 2,
    random: options.random ?? (() => 0),
    graceMs: options.graceMs ?? 0,
    ...(options.mailboxLimit !== undefined && { mailboxLimit: options.mailboxLimit }),
    onError: (error) => errors.push(error),
    onWarning: (warning) => warnings.push(warning),
    log: (...values) => logged.push(values),
  })
  opened.push(engine)
  await engine.recover()
  return Object.assign(engine, { errors, warnings, logged })
}

/** Closes an engine and opens the next one over its store. */
export async function reopen(
  engine: Engine,
  machines: readonly (AnyStateMachine | MachineWithPolicies)[],
): Promise<Opened> {
  await engine.close()
  return openEngine({ machines, store: engine.store, clock: engine.clock })
}

export async function eventsOf(store: EventStore, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  if ((await store.head(id)) === undefined) return events
  for await (const event of store.readStream(id)) events.push(event)
  return events
}

/** Waits until a condition holds, and says which one if it does not within five seconds. */
export async function until(condition: () => unknown, what: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await turn()
  }
}

/** Lets everything that is under way in memory come to rest. */
export async function rest(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await turn()
}
