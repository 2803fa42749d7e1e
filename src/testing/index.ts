/** What users test with: a runtime in memory with time that stands still, and the suite that any store must pass. */
export { eventStoreConformance } from './event-store-conformance.ts'
export type { ConformanceRunner, ConformanceTarget } from './event-store-conformance.ts'
export { createTestClock } from './test-clock.ts'
export type { TestClock } from './test-clock.ts'
export { createTestRuntime } from './test-runtime.ts'
export type { TestRuntime, TestRuntimeOptions } from './test-runtime.ts'
