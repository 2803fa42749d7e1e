/** The error that every part of the runtime throws: a code to tell it by, a cause, and a message that says what to do. */

/** The runtime's error codes; `docs/errors.md` says when each is thrown and what to do. */
export type RuntimeErrorCode =
  | 'ACTION_FAILED'
  | 'ACTOR_DIVERGED'
  | 'ACTOR_ERASED'
  | 'ACTOR_EXISTS'
  | 'ACTOR_FAILED'
  | 'ACTOR_LOCKED'
  | 'ACTOR_MACHINE_MISMATCH'
  | 'ACTOR_NOT_FOUND'
  | 'AGENT_BUSY'
  | 'AGENT_EXISTS'
  | 'AGENT_UNKNOWN'
  | 'APPROVAL_DECIDED'
  | 'APPROVAL_EXPIRED'
  | 'APPROVAL_MISMATCH'
  | 'APPROVAL_UNKNOWN'
  | 'ASK_REFUSED'
  | 'ASK_TIMED_OUT'
  | 'ASK_UNANSWERED'
  | 'BUDGET_ASKING'
  | 'BUDGET_UNKNOWN'
  | 'DEAD_LETTER_UNKNOWN'
  | 'EFFECT_BUSY'
  | 'EFFECT_FAILED'
  | 'EFFECT_TIMED_OUT'
  | 'EFFECT_UNKNOWN'
  | 'EVENT_INVALID'
  | 'EVENT_RESERVED'
  | 'FORK_REFUSED'
  | 'FORK_UNKNOWN'
  | 'HANDLER_DIVERGED'
  | 'HANDOFF_AMBIGUOUS'
  | 'HEARTBEAT_LOST'
  | 'HANDOFF_NOT_FOUND'
  | 'HANDOFF_UNROUTABLE'
  | 'INPUT_INVALID'
  | 'LOG_SEALED'
  | 'MACHINE_DUPLICATE'
  | 'MACHINE_NOT_DURABLE'
  | 'MACHINE_UNKNOWN'
  | 'MAILBOX_FULL'
  | 'MESSAGE_UNKNOWN'
  | 'NO_AMBIENT_SESSION'
  | 'MIGRATION_INVALID'
  | 'MIGRATION_MISSING'
  | 'PROVIDER_MISSING'
  | 'HOST_UNSUPPORTED'
  | 'PROJECT_FOLDER_TAKEN'
  | 'PROJECT_FORMAT'
  | 'RUNTIME_CLOSED'
  | 'RUNTIME_IN_CLUSTER'
  | 'RUNTIME_IN_THREAD'
  | 'STORE_STOPPED'
  | 'RUN_AMBIGUOUS'
  | 'RUN_UNKNOWN'
  | 'SESSION_AMBIGUOUS'
  | 'SESSION_NAME_CONFLICT'
  | 'SESSION_REFUSED'
  | 'SESSION_UNKNOWN'
  | 'SPAWN_REFUSED'
  | 'SUBJECT_UNKNOWN'
  | 'TOOL_IN_DOUBT'
  | 'TOOL_UNKNOWN'
  | 'WEBHOOK_UNKNOWN'
  | 'WORK_INTERRUPTED'

/** What happened, what was expected, what to do now. */
export type ErrorStory = {
  readonly happened: string
  readonly expected: string
  readonly todo: string
  readonly cause?: unknown
  /** Machine-readable facts that belong to the error. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Tell these apart by `code`, not by `instanceof`. */
export class RuntimeError extends Error {
  override readonly name: string = 'RuntimeError'
  readonly code: RuntimeErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: RuntimeErrorCode, story: ErrorStory) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.details = story.details ?? {}
  }
}

/** What was thrown, in a few words. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
