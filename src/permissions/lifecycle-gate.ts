/** The gate that lifecycle wishes pass: hooks testify about `session:pause` and the like before the machine is asked. */
import type { Clock } from '../runtime/clock.ts'
import type { Testimony, Verdict } from '../../machines/testimony.ts'
import type { PermissionHookRegistry } from './hook-registry.ts'
import { judge } from './judge.ts'

/** Wishes that end or halt something: never blocked by a hook's error or silence. */
const STOPPING = new Set(['session:pause', 'session:complete', 'agent:cancel', 'agent:pause'])

/** Who wants to stop does not wait long for a hook that hangs. */
const STOPPING_TIMEOUT_MS = 2_000

export type LifecycleWish = {
  /** `session:pause`, `session:complete`, `session:activate`, `agent:start`, … */
  readonly name: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly role: string
  readonly project: string
  readonly session_id: string
  readonly agent_id?: string
  readonly run_id?: string
}

export type LifecycleGate = (
  wish: LifecycleWish,
) => Promise<{ readonly testimony: readonly Testimony[]; readonly verdict: Verdict }>

/** A gate over a registry. No triggered hook means no testimony, which allows. */
export function createLifecycleGate(
  registry: PermissionHookRegistry,
  options: { readonly clock: Clock; readonly hookTimeoutMs?: number | undefined },
): LifecycleGate {
  return async (wish) => {
    const stopping = STOPPING.has(wish.name)
    const timeoutMs = stopping
      ? Math.min(options.hookTimeoutMs ?? STOPPING_TIMEOUT_MS, STOPPING_TIMEOUT_MS)
      : options.hookTimeoutMs
    const { testimony, verdict } = await judge(
      registry,
      {
        tool_name: wish.name,
        parameters: wish.parameters,
        agent_role: wish.role,
        project: wish.project,
        session_id: wish.session_id,
        agent_id: wish.agent_id,
        run_id: wish.run_id,
        stopping,
      },
      { clock: options.clock, timeoutMs },
    )
    return { testimony, verdict }
  }
}

/** How a refusal by the hooks is told, if the machine refuses for this reason. */
export function refusalBy(
  verdict: Verdict,
): { by: string; reason: string; alternatives: readonly string[] } | undefined {
  if (verdict.allowed) return undefined
  return {
    by: `hook:${verdict.by ?? ''}`,
    reason: verdict.reason ?? 'denied without a reason',
    alternatives: verdict.alternatives,
  }
}
