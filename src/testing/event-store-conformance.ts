/**
 * What every event store must do, as a suite that runs on any of them: ours, and one somebody else writes.
 *
 * It needs `describe` and `test` of a test runner and nothing else; it asserts with Node's own `assert`.
 */
import { closing, crashing, reads, reopening, subscriptions } from './event-store-conformance-reads.ts'
import type { Body, ConformanceRunner, ConformanceTarget, Suite } from './event-store-conformance-suite.ts'
import { appends, batches, commands, expectedVersions, refusals } from './event-store-conformance-writes.ts'

export type { ConformanceRunner, ConformanceTarget } from './event-store-conformance-suite.ts'

/**
 * Registers the suite with the runner.
 * @example
 * eventStoreConformance({ describe, test }, {
 *   name: 'memory',
 *   open: async () => createMemoryEventStore(),
 *   destroy: store => store.close(),
 * })
 */
export const eventStoreConformance = (runner: ConformanceRunner, target: ConformanceTarget): void => {
  const given = (name: string, body: Body): void => {
    runner.test(name, async () => {
      const store = await target.open()
      try {
        await body(store)
      } finally {
        await target.destroy(store)
      }
    })
  }
  const suite: Suite = { ...runner, target, given }
  runner.describe(`event store conformance: ${target.name}`, () => {
    runner.describe('append', () => appends(suite))
    runner.describe('expected versions', () => expectedVersions(suite))
    runner.describe('commands', () => commands(suite))
    runner.describe('what cannot be kept', () => refusals(suite))
    runner.describe('atomic batches', () => batches(suite))
    runner.describe('read', () => reads(suite))
    runner.describe('subscribe and follow', () => subscriptions(suite))
    runner.describe('close', () => closing(suite))
    if (target.reopen !== undefined) runner.describe('reopen', () => reopening(suite))
    if (target.crash !== undefined) runner.describe('crash', () => crashing(suite))
  })
}
