/** The one door for callers: which hooks does this wish trigger, what do they say, what does it amount to. */
import { type Testimony, type Verdict, verdictOf } from '../../machines/testimony.ts'
import { createHookContext, type PermissionRequest } from './hook-context.ts'
import type { PermissionHookRegistry } from './hook-registry.ts'
import type { HookContext, NamedHook } from './permission-hook.ts'
import { testify, type TestifyOptions } from './testify.ts'

export type JudgeRequest = PermissionRequest & {
  /** Pause, cancel, end: a hook's trouble is passed over and noted, its explicit "no" still counts. */
  readonly stopping?: boolean | undefined
}

export type JudgeOptions = Omit<TestifyOptions, 'stopping'> & {
  /** Gives up: rejects with `PM_ABORTED`. */
  readonly signal?: AbortSignal | undefined
}

export type Judgement = {
  /** To be recorded in the event that the machine decides on. */
  readonly testimony: readonly Testimony[]
  /** What a guard reading that testimony will decide. */
  readonly verdict: Verdict
  /** The triggered hooks, for `runAftermath`; some of them may not have been asked. */
  readonly hooks: readonly NamedHook[]
  /** What the hooks were given, for `runAftermath`. */
  readonly context: HookContext
}

/**
 * Asks the hooks that a request triggers. No triggered hook means allowed. Executes and records nothing.
 * Rejects with `PM_INVALID_CAPABILITY`, `PM_INVALID_PARAMETERS`, `PM_INVALID_OPTION` or `PM_ABORTED`.
 */
export async function judge(
  registry: PermissionHookRegistry,
  request: JudgeRequest,
  options: JudgeOptions = {},
): Promise<Judgement> {
  const stopping = request.stopping ?? false
  const context = createHookContext(request, options.signal)
  const hooks = registry.getTriggeredHooks(context.tool_name, context.capabilities)
  const testimony = await testify(hooks, context, { ...options, stopping })
  return { testimony, verdict: verdictOf(testimony, { stopping }), hooks, context }
}
