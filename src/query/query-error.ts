/** The error for a question that the log cannot answer as asked. */
import type { ErrorStory } from '../runtime/runtime-error.ts'

/**
 * - `QUERY_NOT_FOUND`: the log has no such stream, version, event, call, session or run.
 * - `QUERY_REPLAY_DIVERGED`: a recorded event does not replay as it was recorded.
 * - `QUERY_ERASED`: what an event said was erased with its subject.
 * - `QUERY_LOCKED`: what an event says is sealed, and its key is not here.
 * - `QUERY_MACHINE_INVALID`: a machine that was given cannot be folded, or two have one name.
 * - `QUERY_INVALID`: the question itself cannot be understood.
 */
export type QueryErrorCode =
  | 'QUERY_ERASED'
  | 'QUERY_INVALID'
  | 'QUERY_LOCKED'
  | 'QUERY_MACHINE_INVALID'
  | 'QUERY_NOT_FOUND'
  | 'QUERY_REPLAY_DIVERGED'

/** Tell these apart by `code`. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly code: QueryErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: QueryErrorCode, story: ErrorStory) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.details = story.details ?? {}
  }
}
