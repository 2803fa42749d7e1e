/** The one error class of the event store, and the closed list of its codes. */

/** What a caller tells errors apart by; `docs/errors.md` says when each happens and what to do. */
export type EventStoreErrorCode =
  | 'ES_BUSY'
  | 'ES_CLOSED'
  | 'ES_COMMAND_REUSED'
  | 'ES_CORRUPT'
  | 'ES_DATABASE_MISSING'
  | 'ES_DISK_FULL'
  | 'ES_FORMAT'
  | 'ES_IMPORT_REFUSED'
  | 'ES_INDEX_DAMAGED'
  | 'ES_INVALID_EVENT'
  | 'ES_INVALID_OPTION'
  | 'ES_KEY_MISSING'
  | 'ES_KEY_UNREADABLE'
  | 'ES_LOCKED'
  | 'ES_NOT_A_STORE'
  | 'ES_NOT_FOUND'
  | 'ES_NOT_SERIALISABLE'
  | 'ES_NOT_WRITTEN'
  | 'ES_OPEN_FAILED'
  | 'ES_POISONED'
  | 'ES_POSITION_AHEAD'
  | 'ES_QUARANTINED'
  | 'ES_READ_FAILED'
  | 'ES_READ_ONLY'
  | 'ES_STREAM_EXISTS'
  | 'ES_SUBJECT_ERASED'
  | 'ES_SUBSCRIPTION_ACTIVE'
  | 'ES_UNSUPPORTED'
  | 'ES_UPCAST_FAILED'
  | 'ES_VERSION_CONFLICT'
  | 'ES_WRITE_UNKNOWN'

/** Facts about one error that a program may want; which are there depends on the code. */
export type EventStoreErrorDetails = {
  readonly stream_id?: string
  readonly version?: number
  readonly position?: number
  /** What kind of damage, with `ES_CORRUPT`. */
  readonly kind?: string
  /** Where in the caller's value, with `ES_INVALID_EVENT` and `ES_NOT_SERIALISABLE`. */
  readonly path?: string
  /** What the append asked for, with `ES_VERSION_CONFLICT`. */
  readonly expected?: number | string
  /** The stream's version, with `ES_VERSION_CONFLICT`; 0 if there is no such stream. */
  readonly actual?: number
  /** The owner's process id, with `ES_LOCKED`, if it is known. */
  readonly pid?: number
}

export type EventStoreErrorParts = {
  readonly happened: string
  readonly expected: string
  readonly remedy: string
  readonly cause?: unknown
  readonly details?: EventStoreErrorDetails
}

/**
 * Every error the store raises. Tell them apart by `code`, not by class: two copies of a package
 * have two classes. The message has three parts: what happened, what was expected, what to do.
 */
export class EventStoreError extends Error {
  override readonly name = 'EventStoreError'
  readonly code: EventStoreErrorCode
  declare readonly stream_id?: string
  declare readonly version?: number
  declare readonly position?: number
  declare readonly kind?: string
  declare readonly path?: string
  declare readonly expected?: number | string
  declare readonly actual?: number
  declare readonly pid?: number

  constructor(code: EventStoreErrorCode, parts: EventStoreErrorParts) {
    const message = `${parts.happened}. ${parts.expected}. ${parts.remedy}.`
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.code = code
    Object.assign(this, parts.details)
  }
}

/** Whether `error` is one of the store's, with this code if one is given. */
export const isEventStoreError = (error: unknown, code?: EventStoreErrorCode): error is EventStoreError =>
  error instanceof Error &&
  error.name === 'EventStoreError' &&
  'code' in error &&
  (code === undefined || error.code === code)
