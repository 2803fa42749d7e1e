/** Asks hooks one after the other and writes down what each said, in a form that can be recorded. */
import { z } from 'zod'
import type { Testimony } from '../../machines/testimony.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { PermissionError } from './permission-error.ts'
import type { HookContext, NamedHook } from './permission-hook.ts'
import { describeThrown } from './thrown-value.ts'
import { checkedTimeout, DEFAULT_TIMEOUT_MS, type Ending, withinTimeLimit } from './time-limit.ts'

export type TestifyOptions = {
  /** Milliseconds that each hook has; default 10,000. */
  readonly timeoutMs?: number | undefined
  /** Ask every hook, even after a denial; default false. */
  readonly evaluateAll?: boolean | undefined
  /** A hook's trouble does not end the asking, as it will be passed over; its "no" does. Default false. */
  readonly stopping?: boolean | undefined
  readonly clock?: Clock | undefined
}

const answerSchema = z.object({
  allowed: z.boolean(),
  reason: z.string().optional(),
  alternatives: z.array(z.string()).optional(),
  requires_approval: z.boolean().optional(),
})

/**
 * The testimony of `hooks` in order, up to and including the first denial. A hook that throws, takes too long or
 * answers nonsense has denied, with `trouble` and the reason `hook_error:<name>: <detail>`.
 * `context.signal` gives up: rejects with `PM_ABORTED`, and nothing is decided. Rejects with `PM_INVALID_OPTION`
 * for a bad time limit. What is returned is JSON-safe.
 */
export async function testify(
  hooks: readonly NamedHook[],
  context: HookContext,
  options: TestifyOptions = {},
): Promise<Testimony[]> {
  const { evaluateAll = false, stopping = false, clock = systemClock } = options
  const timeoutMs = checkedTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const testimony: Testimony[] = []
  if (context.signal.aborted) throw aborted(context.signal)
  for (const hook of hooks) {
    const since = clock.now()
    const ending = await withinTimeLimit(
      // The context of each hook is its own, because its signal is.
      (signal) => hook.validate(Object.freeze({ ...context, signal })),
      { timeoutMs, signal: context.signal, clock },
    )
    if (ending.kind === 'aborted') throw aborted(context.signal)
    const word = wordOf(hook.name, ending, timeoutMs)
    testimony.push({ ...word, duration_ms: elapsed(since, clock.now()) })
    const passedOver = stopping && word.trouble !== undefined
    // A later hook may deny what this one would leave to a person.
    const isDenial = !word.allowed && !passedOver && word.requires_approval !== true
    if (isDenial && !evaluateAll) break
  }
  return testimony
}

type Word = Omit<Testimony, 'duration_ms'>

function wordOf(
  hook: string,
  ending: Exclude<Ending<unknown>, { kind: 'aborted' }>,
  timeoutMs: number,
): Word {
  if (ending.kind === 'timed_out') return troubled(hook, 'timed_out', `no answer within ${timeoutMs} ms`)
  if (ending.kind === 'threw') return troubled(hook, 'threw', describeThrown(ending.error))
  const answer = readAnswer(ending.value)
  if (typeof answer === 'string') return troubled(hook, 'malformed', answer)
  return {
    hook,
    allowed: answer.allowed,
    // An empty reason says nothing: without it, the verdict says who denied.
    ...(answer.reason !== undefined && answer.reason.trim() !== '' && { reason: answer.reason }),
    ...(answer.alternatives !== undefined && { alternatives: [...answer.alternatives] }),
    ...(!answer.allowed && answer.requires_approval === true && { requires_approval: true as const }),
  }
}

/** The answer, or what is wrong with it. */
function readAnswer(value: unknown): z.infer<typeof answerSchema> | string {
  try {
    const parsed = answerSchema.safeParse(value)
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    const where = ['answer', ...(issue?.path ?? [])].join('.')
    return `${where}: ${issue?.message ?? 'not { allowed, reason?, alternatives? }'}`
  } catch (error) {
    // A getter of the answer may throw.
    return `answer: ${describeThrown(error)}`
  }
}

function troubled(hook: string, trouble: NonNullable<Testimony['trouble']>, detail: string): Word {
  return {
    hook,
    allowed: false,
    reason: `hook_error:${hook}: ${detail}`,
    alternatives: [`Try again; if it happens again, have the hook "${hook}" repaired`],
    trouble,
  }
}

/** Whole milliseconds; a clock that was set back, or gives nonsense, yields 0. */
function elapsed(since: number, until: number): number {
  const ms = Math.round(until - since)
  return Number.isFinite(ms) && ms > 0 ? ms : 0
}

function aborted(signal: AbortSignal): PermissionError {
  return new PermissionError('PM_ABORTED', {
    happened: 'The caller gave up before all hooks had testified.',
    expected: 'Expected every triggered hook to be heard.',
    todo: 'Nothing was decided and nothing was executed; ask again if the operation is still wanted.',
    path: 'signal',
    cause: signal.reason,
  })
}
