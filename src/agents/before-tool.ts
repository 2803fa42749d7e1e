/** The article's `beforeToolExecute` event: a listener that is awaited before any tool runs, and whose throw blocks it. */
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { HookContext } from '../permissions/permission-hook.ts'

export type BeforeToolListener = (context: HookContext) => Promise<void> | void

const NAME = 'beforeToolExecute'

/**
 * Listens before each tool call; returns how to stop. The listener is a hook like the others: what it said is
 * recorded, and a replay does not call it again. A `PermissionDeniedError` denies with its reason and alternatives;
 * any other throw denies as an error of the hook.
 */
export function listenBeforeTools(
  registry: PermissionHookRegistry,
  listener: BeforeToolListener,
): () => void {
  const taken = new Set(registry.names())
  let name = NAME
  for (let n = 2; taken.has(name); n += 1) name = `${NAME}-${n}`
  registry.register(name, {
    triggers: ['*'],
    validate: async (context) => {
      // The hooks of a lifecycle wish are asked without a call; this event is about tools alone.
      if (context.call_id === undefined && !(context.dry_run && isToolName(context.tool_name)))
        return { allowed: true }
      try {
        await listener(context)
        return { allowed: true }
      } catch (error) {
        const denial = error as { code?: unknown; reason?: string; alternatives?: string[] }
        if (denial.code !== 'PM_DENIED') throw error
        return {
          allowed: false,
          ...(denial.reason !== undefined && { reason: denial.reason }),
          ...(denial.alternatives !== undefined && { alternatives: denial.alternatives }),
        }
      }
    },
  })
  return () => void registry.unregister(name)
}

function isToolName(name: string): boolean {
  return !/^(?:session|agent|approval):/.test(name)
}
