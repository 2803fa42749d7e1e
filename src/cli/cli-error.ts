/** The error for what is wrong with a command line or with what it asks for: told in three parts, told apart by code. */
import type { ErrorStory } from '../runtime/runtime-error.ts'

/**
 * - `CLI_USAGE`: the command line cannot be understood; nothing was done.
 * - `CLI_NOT_FOUND`: there is nothing of that id, name or path.
 * - `CLI_LOCKED`: the log belongs to a live process, which this command cannot attach to.
 * - `CLI_NO_OWNER`: what was asked for is done by the process that has the log open, and none has.
 * - `CLI_OUTPUT`: stdout takes no more: the disk that it leads to is full.
 * - `CLI_INTERRUPTED`: the person at the keyboard ended it.
 */
export type CliErrorCode =
  | 'CLI_INTERRUPTED'
  | 'CLI_LOCKED'
  | 'CLI_NOT_FOUND'
  | 'CLI_NO_OWNER'
  | 'CLI_OUTPUT'
  | 'CLI_USAGE'

/** Tell these apart by `code`; `exitCodeOf` turns it into the process's exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: CliErrorCode, story: ErrorStory) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.details = story.details ?? {}
  }
}
