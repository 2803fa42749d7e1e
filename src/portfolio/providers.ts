/** What a user may put in place of the defaults: where the backlog comes from, how work is cut, checked and brought together. */
import type { BacklogItem } from '../../machines/project.machine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { ActiveFeature, Feature } from './backlog.ts'
import type { Change, MergedChanges } from './code-changes.ts'
import type { Task } from './decompose.ts'
import type { NoticeSender } from './senders.ts'

export type TestReport = {
  readonly passed: boolean
  readonly passed_count: number
  readonly total_count: number
}

export type PortfolioProviders = {
  /** Default: what was added with `addToBacklog`. */
  readonly backlog?: (project: string) => Promise<readonly BacklogItem[]> | readonly BacklogItem[]
  /** Default: by priority, then by goals, then in the order of adding. */
  readonly prioritize?: (state: {
    readonly backlog: readonly BacklogItem[]
    readonly active: readonly ActiveFeature[]
    readonly goals: readonly string[]
  }) => readonly Feature[]
  /** Default: one task for each requirement. */
  readonly decompose?: (objective: string, requirements: unknown, files: readonly string[]) => readonly Task[]
  /** Default: by file; a file that two agents changed differently is a conflict. */
  readonly mergeCodeChanges?: (
    changes: readonly (readonly Change[] | undefined)[],
  ) => Promise<MergedChanges> | MergedChanges
  /** There is no default: nothing here knows how a project is tested. */
  readonly runIntegrationTests?: (merged: MergedChanges) => Promise<TestReport> | TestReport
  /** USD; default: an unknown cost, which the cost hook denies. */
  readonly estimateOperationCost?: (
    tool_name: string,
    parameters: Readonly<Record<string, unknown>>,
  ) => number
  /** Default: the console. */
  readonly senders?: readonly NoticeSender[]
}

export function missingProvider(name: keyof PortfolioProviders): RuntimeError {
  return new RuntimeError('PROVIDER_MISSING', {
    happened: `There is no provider "${name}".`,
    expected: 'A function of yours: nothing here can know it.',
    todo: `Give it to the runtime: createRuntime({ providers: { ${name}: … } }).`,
    details: { provider: name },
  })
}
