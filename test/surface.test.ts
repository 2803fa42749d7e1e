/** Pins what the package exports: a name that comes, goes or changes its kind is a decision, not an accident. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, sourceFile } from './architecture/source-file.ts'

/** The names that an entry point exports, types marked as such, in the order of the alphabet. */
function exportsOf(path: string): string[] {
  const { code } = sourceFile(path, readFileSync(join(root, path), 'utf8'))
  expect(code).not.toMatch(/export\s+(?:type\s+)?\*/)
  const names = Array.from(code.matchAll(/export\s+(type\s+)?\{([^}]*)\}/g), ([, type, list = '']) =>
    list
      .split(',')
      .map((name) => name.trim().replace(/^.*\sas\s+/, ''))
      .filter((name) => name !== '')
      .map((name) => (type === undefined ? name : `type ${name}`)),
  ).flat()
  return names.sort()
}

test('the main entry point exports these names', () => {
  expect(exportsOf('src/index.ts')).toMatchInlineSnapshot(`
    [
      "BillingError",
      "DEFAULT_HOURLY_RATES",
      "PermissionDeniedError",
      "PermissionError",
      "PermissionHookRegistry",
      "QueryError",
      "RecordedError",
      "RuntimeError",
      "agentMachine",
      "approvalMachine",
      "costControlHook",
      "createPriceBook",
      "createRateCard",
      "createRuntime",
      "currentSessionId",
      "dataProtectionHook",
      "defineAgent",
      "defineJob",
      "defineRole",
      "defineTool",
      "destructiveOperationHook",
      "effectOf",
      "endSession",
      "explainPermission",
      "generateHandoff",
      "getBackgroundAgentResult",
      "getRoleLimit",
      "listBackgroundAgents",
      "listNamedSessions",
      "loadHandoff",
      "nameSession",
      "onBackgroundAgent",
      "pauseSession",
      "projectMachine",
      "resumeNamedSession",
      "securityAuditHook",
      "sessionMachine",
      "startBackgroundAgent",
      "startSession",
      "toolCallMachine",
      "type ActorPolicy",
      "type AgentDefinition",
      "type AgentRun",
      "type AgentService",
      "type AnyAgentDefinition",
      "type Approval",
      "type ApprovalService",
      "type ApprovalStatus",
      "type Artifact",
      "type BackgroundAgentResult",
      "type BacklogItem",
      "type Clock",
      "type CommandOutput",
      "type CommandSpec",
      "type DeadLetters",
      "type Decision",
      "type DurableActor",
      "type EffectAnswer",
      "type EffectArgs",
      "type EffectPolicy",
      "type EffectRun",
      "type EffectSettlement",
      "type Fork",
      "type ForkOptions",
      "type HandlerContext",
      "type Handoff",
      "type HookAnswer",
      "type HookContext",
      "type HookOpinion",
      "type InDoubtPolicy",
      "type Job",
      "type JobEnd",
      "type JobPlan",
      "type KeeperTimes",
      "type ListedEffect",
      "type LoadedHandoff",
      "type MachinePolicies",
      "type MachineWithPolicies",
      "type ModelPrice",
      "type NamedHook",
      "type NewId",
      "type Parked",
      "type PermissionExplanation",
      "type PermissionHook",
      "type PermissionQuestion",
      "type PriceBook",
      "type QueryErrorCode",
      "type RateCard",
      "type Receipt",
      "type RecordedDeadLetter",
      "type ReplayOptions",
      "type ReplayStep",
      "type ReplayTarget",
      "type ReplayedState",
      "type RetryPolicy",
      "type Role",
      "type RoleDefinition",
      "type RunState",
      "type Runtime",
      "type RuntimeErrorCode",
      "type RuntimeLogger",
      "type RuntimeOptions",
      "type SendOptions",
      "type Session",
      "type SessionEntry",
      "type SessionLike",
      "type SessionProgress",
      "type SessionService",
      "type SessionStatus",
      "type SpawnLimits",
      "type SpawnOptions",
      "type Testimony",
      "type TokenUsage",
      "type Tool",
      "type ToolContext",
      "type Verdict",
      "type VerifyLogReport",
      "type VerifyOptions",
      "type VerifyProblem",
      "type VerifyProgress",
      "waitForBackgroundAgent",
      "withPolicies",
    ]
  `)
})

test('the entry point for the event store exports these names', () => {
  expect(exportsOf('eventstore/index.ts')).toMatchInlineSnapshot(`
    [
      "EventStoreError",
      "STREAM_ARCHIVED",
      "archiveStreams",
      "createMemoryEventStore",
      "createMemoryIndexes",
      "createMemorySnapshots",
      "exportLog",
      "fromCloudEvent",
      "importLog",
      "isEventStoreError",
      "openLevelEventStore",
      "openLevelIndexes",
      "openLevelSnapshots",
      "readStoreOwner",
      "salvage",
      "subscribeDurably",
      "toCloudEvent",
      "type AppendOptions",
      "type AppendResult",
      "type ArchiveOptions",
      "type ArchivedStream",
      "type AtomicBatch",
      "type BatchResult",
      "type CloudEvent",
      "type DamagePolicy",
      "type Durability",
      "type DurableSubscriptionOptions",
      "type Entry",
      "type EventIndexes",
      "type EventStore",
      "type EventStoreErrorCode",
      "type ExpectedVersion",
      "type ExportOptions",
      "type ExportProgress",
      "type ImportBatch",
      "type ImportOptions",
      "type ImportProgress",
      "type ImportReport",
      "type IndexQuery",
      "type IntegrityProblem",
      "type JsonValue",
      "type LevelEventStoreOptions",
      "type MemoryEventStoreOptions",
      "type NewEvent",
      "type ReadAllOptions",
      "type ReadStreamOptions",
      "type RecordedEvent",
      "type RecordedStub",
      "type SalvageOptions",
      "type SalvageReport",
      "type Snapshot",
      "type SnapshotOptions",
      "type Snapshots",
      "type StoreOwner",
      "type StoreOwnership",
      "type StreamAppend",
      "type StreamHead",
      "type SubscribeOptions",
      "type TimeQuery",
      "type TruncateOptions",
      "type Upcaster",
      "type VerifyReport",
      "verifyExport",
      "withUpcasters",
    ]
  `)
})

test('the entry point for tests exports these names', () => {
  expect(exportsOf('src/testing/index.ts')).toMatchInlineSnapshot(`
    [
      "createTestClock",
      "createTestRuntime",
      "eventStoreConformance",
      "type ConformanceRunner",
      "type ConformanceTarget",
      "type TestClock",
      "type TestRuntime",
      "type TestRuntimeOptions",
    ]
  `)
})

test('at run time the entry points export what their sources say, and nothing else', async () => {
  const entries = {
    'src/index.ts': await import('../src/index.ts'),
    'eventstore/index.ts': await import('../eventstore/index.ts'),
    'src/testing/index.ts': await import('../src/testing/index.ts'),
  }
  for (const [path, module] of Object.entries(entries)) {
    const values = exportsOf(path).filter((name) => !name.startsWith('type '))
    expect({ path, values: Object.keys(module).sort() }).toEqual({ path, values })
  }
})

test('package.json opens these entry points and no others', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string>
  }
  expect(Object.keys(exports)).toEqual(['.', './eventstore', './testing', './package.json'])
})
