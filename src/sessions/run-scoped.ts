/** Runs code in a scope of its own: the article's functions work in it, and its session ends when the code settles. */
import { emptyScope, runInScope } from './scope.ts'
import type { SessionService } from './session-service.ts'

/** Runs `fn` in a fresh scope; when it settles, the scope's own session ends, completed or interrupted. */
export async function runScoped<T>(
  runtime: { readonly sessions: SessionService },
  fn: () => Promise<T> | T,
): Promise<T> {
  const scope = emptyScope(runtime)
  const end = async (reason: 'completed' | 'interrupted'): Promise<void> => {
    if (scope.owner === null) return
    const { status } = await runtime.sessions.get(scope.owner.id)
    if (status === 'active') await runtime.sessions.end(scope.owner.id, { reason })
  }
  let result: T
  try {
    result = await runInScope(scope, async () => fn())
  } catch (error) {
    // What went wrong in the first place is what the caller must hear; a refused pause is on the record.
    await end('interrupted').catch(() => {})
    throw error
  }
  await end('completed')
  return result
}
