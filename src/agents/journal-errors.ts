/** What goes wrong between a handler and its journal: stopped, diverged, or one call made inside of another. */
import { RuntimeError } from '../runtime/runtime-error.ts'
import { RecordedError } from './recorded-error.ts'
import type { Stall } from './replay-order.ts'

/** True for the errors that mean "stopped from outside": they are never recorded as an outcome. */
export function isInterruption(error: unknown): boolean {
  return (error as { code?: unknown } | null | undefined)?.code === 'WORK_INTERRUPTED'
}

export function interrupted(runId: string, what = 'its work'): RuntimeError {
  return new RuntimeError('WORK_INTERRUPTED', {
    happened: `Run "${runId}" was stopped before ${what} could go on.`,
    expected: 'A run that is active.',
    todo: 'Let the error pass: the run goes on from its recorded steps when it is resumed.',
    details: { run_id: runId },
  })
}

export function diverged(runId: string, { expected, got }: Stall): RuntimeError {
  const what = got === undefined ? 'ended' : `made the call "${got}"`
  return new RuntimeError('HANDLER_DIVERGED', {
    happened: `The handler of run "${runId}" ${what} where the log has "${expected}".`,
    expected: 'A restarted handler makes its durable calls in the recorded order.',
    todo: 'Resume the run with the code that began it, or guard what has changed with `await ctx.patch("some-id")`.',
    details: { run_id: runId, recorded: expected, called: got ?? null },
  })
}

type Kind = { readonly kind: string; readonly name: string }

/** Nothing of it could be found again after a restart, because the outer call is then not run again. */
export function nested(outer: Kind, inner: Kind): RecordedError {
  return new RecordedError({
    name: 'RuntimeError',
    code: 'CALL_NESTED',
    message: `${inner.kind} "${inner.name}" was called inside of ${outer.kind} "${outer.name}". Expected each durable call beside the others, as a call that has been recorded is not run again. Move it out of the function of "${outer.name}", and pass on what that returns.`,
    details: { inside: `${outer.kind}:${outer.name}`, call: `${inner.kind}:${inner.name}` },
  })
}
