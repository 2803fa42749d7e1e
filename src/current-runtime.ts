/** The runtime of the scope that the caller is in: how handlers and requests come by it without being handed it. */
import type { Runtime } from './create-runtime.ts'
import { requireScope } from './sessions/scope.ts'

/**
 * The runtime whose scope this is: that of `runtime.run(fn)`, or that which runs this handler. Handlers that go on after
 * a restart run before `createRuntime` has returned, so they ask here.
 *
 * @throws RuntimeError `NO_AMBIENT_SESSION` outside of a scope
 */
export function currentRuntime(): Runtime {
  return requireScope<Runtime>('currentRuntime').runtime
}
