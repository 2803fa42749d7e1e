/** The article's functions for a project's backlog, features and blockers, over the ambient scope. */
import type { ActiveFeature, Feature } from '../portfolio/backlog.ts'
import { prioritized } from '../portfolio/backlog.ts'
import { mergeByFile, type Change, type MergedChanges } from '../portfolio/code-changes.ts'
import { decomposeByRule, type Task } from '../portfolio/decompose.ts'
import type { BlockedFeature, FeatureProgress, OpenBlocker } from '../portfolio/portfolio-service.ts'
import { missingProvider, type TestReport } from '../portfolio/providers.ts'
import { inProject, scopeIfAny } from './reading.ts'

/** The project's backlog: of its provider, or what was added with `runtime.portfolio.addToBacklog`. */
export function getBacklog(): Promise<readonly Feature[]> {
  return inProject('getBacklog', ({ portfolio }, project) => portfolio.getBacklog(project))
}

/** Features that an open session works on: it has the tag `feature:<slug>`. */
export function getActiveFeatures(): Promise<ActiveFeature[]> {
  return inProject('getActiveFeatures', ({ portfolio }, project) => portfolio.getActiveFeatures(project))
}

export function getProjectBlockers(): Promise<OpenBlocker[]> {
  return inProject('getProjectBlockers', ({ portfolio }, project) => portfolio.getProjectBlockers(project))
}

export function monitorFeatureProgress(): Promise<FeatureProgress> {
  return inProject('monitorFeatureProgress', ({ portfolio }, project) =>
    portfolio.monitorFeatureProgress(project),
  )
}

/** Records the escalation of each blocked feature, and tells people; the same one once. */
export function escalateBlockers(blocked: readonly BlockedFeature[]): Promise<void> {
  return inProject('escalateBlockers', ({ portfolio }, project) =>
    portfolio.escalateBlockers(blocked, project),
  )
}

export function notifyTeamOfBlocker(session_name: string | null, blockers: readonly string[]): Promise<void> {
  return inProject('notifyTeamOfBlocker', ({ portfolio }, project) =>
    portfolio.notifyTeamOfBlocker(session_name ?? 'a session without a name', blockers, project),
  )
}

/** Opens a task for a person, and tells people; resolves with its id. */
export function escalateToHuman(message: string): Promise<string> {
  return inProject('escalateToHuman', ({ portfolio }, project) => portfolio.escalateToHuman(message, project))
}

type SlackMessage = {
  readonly channel?: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Tells people through the runtime's senders; takes a text, a channel and a text, or both with details. */
export function notifySlack(message: string | SlackMessage): Promise<void>
export function notifySlack(channel: string, message: string): Promise<void>
export function notifySlack(first: string | SlackMessage, second?: string): Promise<void> {
  const input =
    typeof first !== 'string'
      ? first
      : second === undefined
        ? { message: first }
        : { channel: first, message: second }
  return inProject('notifySlack', ({ portfolio }, project) =>
    portfolio.notify({ ...input, ...(input.details && { details: { ...input.details } }) }, project),
  )
}

type PlanningState = {
  readonly backlog: readonly Feature[]
  readonly activeFeatures?: readonly ActiveFeature[]
  readonly compliance?: unknown
  readonly blockers?: unknown
  readonly businessGoals?: readonly string[]
}

/** What to work on next: nothing that somebody works on already. By rule, unless there is a provider. */
export function analyzeAndPrioritize(state: PlanningState): {
  readonly high_priority: readonly Feature[]
  readonly rest: readonly Feature[]
} {
  const all = orderOf(state)
  const isHigh = ({ priority }: Feature): boolean => priority === 'critical' || priority === 'high'
  return { high_priority: all.filter(isHigh), rest: all.filter((feature) => !isHigh(feature)) }
}

/** The same order as one list. */
export function orchestrateWork(state: PlanningState): { readonly prioritized_features: readonly Feature[] } {
  return { prioritized_features: orderOf(state) }
}

function orderOf({
  backlog,
  activeFeatures: active = [],
  businessGoals: goals = [],
}: PlanningState): readonly Feature[] {
  const prioritize = scopeIfAny()?.runtime.providers.prioritize
  return prioritize?.({ backlog, active, goals }) ?? prioritized(backlog, { active, goals })
}

/** Cuts a feature into tasks: one for each requirement, unless there is a provider. */
export function decompose(
  objective: string,
  requirements?: unknown,
  files_to_modify: readonly string[] = [],
): readonly Task[] {
  const provided = scopeIfAny()?.runtime.providers.decompose
  return (
    provided?.(objective, requirements, files_to_modify) ??
    decomposeByRule(objective, requirements, files_to_modify)
  )
}

/** The same under the name of the article's complete template. */
export function decomposeFeature(
  objective: string,
  requirements: unknown,
  files_to_modify: readonly string[],
): readonly Task[] {
  return decompose(objective, requirements, files_to_modify)
}

/** Brings together the `code_changes` of several results: by file, unless there is a provider. */
export async function mergeCodeChanges(
  changes: readonly (readonly Change[] | undefined)[],
): Promise<MergedChanges> {
  return (await scopeIfAny()?.runtime.providers.mergeCodeChanges?.(changes)) ?? mergeByFile(changes)
}

/** Runs the provider's tests. @throws RuntimeError `PROVIDER_MISSING` without one: nothing here knows how to test */
export async function runIntegrationTests(merged: MergedChanges): Promise<TestReport> {
  const run = scopeIfAny()?.runtime.providers.runIntegrationTests
  if (run === undefined) throw missingProvider('runIntegrationTests')
  return run(merged)
}

/** What an operation costs, in USD. @throws RuntimeError `PROVIDER_MISSING` without a provider */
export function estimateOperationCost(
  tool_name: string,
  parameters: Readonly<Record<string, unknown>>,
): number {
  const estimate = scopeIfAny()?.runtime.providers.estimateOperationCost
  if (estimate === undefined) throw missingProvider('estimateOperationCost')
  return estimate(tool_name, parameters)
}

type WorkResult = {
  readonly agent_id: string
  readonly status: string
  readonly output: { readonly errors?: readonly string[]; readonly code_changes?: readonly Change[] }
}

/** Merges what work agents changed and tests it; every failure and conflict is an error. */
export async function integrateWorkAgentResults(results: readonly WorkResult[]): Promise<{
  readonly success: boolean
  readonly errors: readonly string[]
  readonly merged?: MergedChanges
}> {
  const failed = results.filter(({ status }) => status !== 'completed')
  if (failed.length > 0) {
    return {
      success: false,
      errors: failed.map(({ agent_id, status, output }) =>
        [`${agent_id}: ${status}`, ...(output.errors ?? [])].join(': '),
      ),
    }
  }
  const merged = await mergeCodeChanges(results.map(({ output }) => output.code_changes))
  if (merged.conflicts.length > 0) {
    return {
      success: false,
      errors: merged.conflicts.map((file) => `${file}: changed in different ways`),
      merged,
    }
  }
  const { passed, passed_count, total_count } = await runIntegrationTests(merged)
  return passed
    ? { success: true, errors: [], merged }
    : { success: false, errors: [`${total_count - passed_count} of ${total_count} tests failed`], merged }
}
