/** The error that carries a hook's "no" to whoever asked: the reason, and what can be done instead. */

export type PermissionDeniedDetails = {
  /** Name of the hook that said no. */
  readonly hook?: string | undefined
  /** The tool or capability that was asked for. */
  readonly tool_name?: string | undefined
  readonly cause?: unknown
}

/**
 * Thrown when a permission hook denies. It is an answer, not a crash: hand `reason` and `alternatives` to the
 * agent as the tool's result, so that it can choose another way.
 */
export class PermissionDeniedError extends Error {
  override readonly name: string = 'PermissionDeniedError'
  readonly code = 'PM_DENIED'
  readonly reason: string
  readonly alternatives: readonly string[]
  readonly hook: string | undefined
  readonly tool_name: string | undefined

  constructor(reason?: string, alternatives?: readonly string[], details: PermissionDeniedDetails = {}) {
    const said = reason ?? 'denied without a reason'
    const ways = alternatives ?? []
    const what = details.tool_name === undefined ? 'The operation' : `"${details.tool_name}"`
    const who = details.hook === undefined ? 'a permission hook' : `the permission hook "${details.hook}"`
    super(
      [
        `${what} was denied by ${who}: ${endSentence(said)}`,
        'Expected: every hook that it triggers to allow it.',
        ways.length > 0
          ? `What to do instead: ${endSentence(ways.join('; '))}`
          : 'What to do: ask a person who may allow it, or go on without it.',
      ].join(' '),
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.reason = said
    this.alternatives = [...ways]
    this.hook = details.hook
    this.tool_name = details.tool_name
  }
}

function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
