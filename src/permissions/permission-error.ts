/** The typed error for a permission hook, trigger or request that cannot be used as given. */
import type { ErrorStory } from '../runtime/runtime-error.ts'

/**
 * - `PM_INVALID_TRIGGER`: a trigger of a hook is not a colon-separated name.
 * - `PM_INVALID_HOOK`: a hook, or its name, has not the shape of a hook.
 * - `PM_INVALID_CAPABILITY`: a tool name or capability to be judged is not a concrete colon-separated name.
 * - `PM_INVALID_PARAMETERS`: parameters to be judged hold something that JSON cannot carry.
 * - `PM_INVALID_OPTION`: an option (time limit, threshold, mode …) is out of its range.
 * - `PM_ABORTED`: the caller gave up before all hooks had testified; nothing was decided.
 */
export type PermissionErrorCode =
  | 'PM_ABORTED'
  | 'PM_INVALID_CAPABILITY'
  | 'PM_INVALID_HOOK'
  | 'PM_INVALID_OPTION'
  | 'PM_INVALID_PARAMETERS'
  | 'PM_INVALID_TRIGGER'

/** Tell these apart by `code`; a hook's "no" is a `PermissionDeniedError` instead. */
export class PermissionError extends Error {
  override readonly name: string = 'PermissionError'
  readonly code: PermissionErrorCode
  /** Where the offending value stands, like `hooks.cost-control.triggers[1]`. */
  readonly path: string

  constructor(code: PermissionErrorCode, story: Omit<ErrorStory, 'details'> & { readonly path: string }) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.path = story.path
  }
}
