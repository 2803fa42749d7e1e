/** Answers "may this be done, and why not?" without doing it: every hook is asked for a dry run, nothing is recorded. */
import { verdictOf, type Testimony } from '../../machines/testimony.ts'
import type { PermissionRequest } from './hook-context.ts'
import type { PermissionHookRegistry } from './hook-registry.ts'
import { judge, type JudgeOptions } from './judge.ts'

/** What one hook says of it. */
export type HookOpinion = Testimony & {
  /** What the hook watches. */
  readonly triggers: readonly string[]
}

export type PermissionExplanation = {
  readonly decision: 'allowed' | 'denied' | 'needs_approval'
  readonly allowed: boolean
  /** The hook that decides; absent if it is allowed. */
  readonly by?: string
  readonly reason?: string
  readonly alternatives: readonly string[]
  /** Every hook that is asked, in order, also those after the first denial. */
  readonly hooks: readonly HookOpinion[]
  /** The same in sentences. */
  readonly reasons: readonly string[]
}

/**
 * Asks every triggered hook, with `dry_run`. Executes and records nothing; `onSuccess` and `onFailure` are not called.
 *
 * @throws PermissionError `PM_INVALID_CAPABILITY`, `PM_INVALID_PARAMETERS`, `PM_ABORTED`
 */
export async function explainPermission(
  registry: PermissionHookRegistry,
  request: PermissionRequest,
  options: Omit<JudgeOptions, 'evaluateAll'> = {},
): Promise<PermissionExplanation> {
  const { testimony, hooks } = await judge(
    registry,
    { ...request, dry_run: true },
    { ...options, evaluateAll: true },
  )
  const { allowed, by, reason, alternatives, requires_approval } = verdictOf(testimony, { stopping: false })
  return {
    decision: allowed ? 'allowed' : requires_approval === true ? 'needs_approval' : 'denied',
    allowed,
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
    alternatives,
    hooks: testimony.map((word, index) => ({ ...word, triggers: hooks[index]?.triggers ?? [] })),
    reasons: sentences(request.tool_name, testimony),
  }
}

function sentences(tool: string, testimony: readonly Testimony[]): string[] {
  if (testimony.length === 0) return [`No hook watches "${tool}", so it is allowed.`]
  return testimony.map((word) => {
    if (word.allowed) return `"${word.hook}" allows it.`
    const said = `: ${word.reason ?? 'no reason given'}.`
    if (word.trouble !== undefined) return `"${word.hook}" gave no proper answer, which denies it${said}`
    if (word.requires_approval === true) return `"${word.hook}" leaves it to a person${said}`
    return `"${word.hook}" denies it${said}`
  })
}
