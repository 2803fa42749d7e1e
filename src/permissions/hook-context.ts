/** Turns a request for permission into the frozen context that hooks are given. */
import { frozenCopy } from './frozen-copy.ts'
import { PermissionError } from './permission-error.ts'
import type { HookContext } from './permission-hook.ts'
import { assertCapability } from './trigger.ts'

/** A wish to be judged: which tool, with what, for whom. */
export type PermissionRequest = {
  readonly tool_name: string
  readonly capabilities?: readonly string[] | undefined
  readonly parameters: Readonly<Record<string, unknown>>
  readonly agent_role: string
  readonly project: string
  readonly session_id?: string | undefined
  readonly agent_id?: string | undefined
  readonly run_id?: string | undefined
  readonly call_id?: string | undefined
  /** In USD; NaN, Infinity and negative numbers count as no estimate. */
  readonly estimated_cost?: number | undefined
  /** Somebody only wants to know. */
  readonly dry_run?: boolean | undefined
}

/**
 * The context for a request; `signal` is the caller's way to give up.
 * Throws `PM_INVALID_CAPABILITY` or `PM_INVALID_PARAMETERS`.
 */
export function createHookContext(
  request: PermissionRequest,
  signal: AbortSignal = new AbortController().signal,
): HookContext {
  const capabilities = request.capabilities ?? []
  assertCapability(request.tool_name, 'tool_name')
  for (const [index, capability] of capabilities.entries()) {
    assertCapability(capability, `capabilities[${index}]`)
  }
  const parameters = frozenCopy(request.parameters, 'parameters')
  if (parameters === null || typeof parameters !== 'object' || Array.isArray(parameters)) {
    throw new PermissionError('PM_INVALID_PARAMETERS', {
      happened: 'The parameters are not an object.',
      expected: 'Expected an object with one property per parameter.',
      todo: 'Wrap a bare value: { value: … }; no hook was asked, nothing was executed.',
      path: 'parameters',
    })
  }
  return Object.freeze({
    agent_role: request.agent_role,
    tool_name: request.tool_name,
    parameters: parameters as Readonly<Record<string, unknown>>,
    project: request.project,
    session_id: request.session_id,
    agent_id: request.agent_id,
    run_id: request.run_id,
    call_id: request.call_id,
    capabilities: Object.freeze([...capabilities]),
    estimated_cost: isCost(request.estimated_cost) ? request.estimated_cost : undefined,
    dry_run: request.dry_run ?? false,
    signal,
  })
}

function isCost(cost: number | undefined): boolean {
  return Number.isFinite(cost) && (cost ?? -1) >= 0
}
