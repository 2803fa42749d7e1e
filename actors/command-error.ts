/** The error of a command that could not be run or ended as asked: a code, a cause, and what to do. */

/**
 * - `CMD_INVALID_OPTION`: an option has a value that cannot work; nothing was started.
 * - `CMD_NOT_FOUND`: there is no such program; nothing was started.
 * - `CMD_CWD_MISSING`: the working directory is not there or is no directory; nothing was started.
 * - `CMD_SPAWN_FAILED`: the system refused to start it (not executable, too many processes, …); it did not run.
 * - `CMD_STILL_RUNNING`: it outlived SIGKILL, or may not be signalled by this user; it may still act.
 */
export type CommandErrorCode =
  | 'CMD_INVALID_OPTION'
  | 'CMD_NOT_FOUND'
  | 'CMD_CWD_MISSING'
  | 'CMD_SPAWN_FAILED'
  | 'CMD_STILL_RUNNING'

/** What happened, what was expected, what to do now. */
export type CommandErrorStory = {
  readonly happened: string
  readonly expected: string
  readonly todo: string
  readonly cause?: unknown
}

/** Tell these apart by `code`, not by `instanceof`. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  readonly code: CommandErrorCode

  constructor(code: CommandErrorCode, story: CommandErrorStory) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
  }
}

/** The system's own code of an error (`ENOENT`, `EACCES`, …), if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
