/** The error for trouble between a process that owns a log and one that attaches to it. */
import type { ErrorStory } from '../runtime/runtime-error.ts'

/**
 * - `ATTACH_FAILED`: no connection: the socket is gone, or is not one that an owner of ours would make.
 * - `ATTACH_REFUSED`: the owner does not take this client: its token is not the one in `owner.json`.
 * - `ATTACH_PROTOCOL`: the two sides have no version of the protocol in common, or one does not speak it at all.
 * - `ATTACH_TOO_LARGE`: a message is larger than the other side takes.
 * - `ATTACH_BUSY`: the owner has as many clients, or the client as many requests, as it takes.
 * - `ATTACH_LOST`: the owner went away before it had answered.
 * - `ATTACH_TIMEOUT`: the owner lives, and says nothing.
 * - `ATTACH_ACT_UNKNOWN`: the owner's runtime cannot do what it is asked for.
 * - `ATTACH_UNAVAILABLE`: a runtime cannot open a socket; it runs on without one.
 */
export type AttachErrorCode =
  | 'ATTACH_ACT_UNKNOWN'
  | 'ATTACH_BUSY'
  | 'ATTACH_FAILED'
  | 'ATTACH_LOST'
  | 'ATTACH_PROTOCOL'
  | 'ATTACH_REFUSED'
  | 'ATTACH_TIMEOUT'
  | 'ATTACH_TOO_LARGE'
  | 'ATTACH_UNAVAILABLE'

/** Tell these apart by `code`. */
export class AttachError extends Error {
  override readonly name = 'AttachError'
  readonly code: AttachErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: AttachErrorCode, story: ErrorStory) {
    super(
      `${story.happened} ${story.expected} ${story.todo}`,
      story.cause === undefined ? undefined : { cause: story.cause },
    )
    this.code = code
    this.details = story.details ?? {}
  }
}
