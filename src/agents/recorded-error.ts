/** Errors on their way into the log and back: what a restarted handler catches equals what the first one caught. */
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import { PermissionDeniedError } from '../permissions/permission-denied-error.ts'

/** An error that a recorded call ended with; `code` and `details` are those of the original. */
export class RecordedError extends Error {
  override readonly name: string
  readonly code: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(record: ErrorRecord, cause?: unknown) {
    super(record.message, cause === undefined ? undefined : { cause })
    this.name = record.name
    this.code = record.code
    this.details = record.details ?? {}
  }
}

/** What of an error is recorded: no stack, as it names paths of a machine. */
export function errorRecord(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { code, details } = error as { code?: unknown; details?: unknown }
  const record: ErrorRecord = {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    ...(typeof details === 'object' && details !== null && { details: details as Record<string, unknown> }),
  }
  if (!isDenial(error)) return record
  return {
    ...record,
    details: {
      reason: error.reason,
      alternatives: error.alternatives,
      hook: error.hook,
      tool_name: error.tool_name,
    },
  }
}

/** The error that a record stands for; a denial is a `PermissionDeniedError` again. */
export function errorFrom(record: ErrorRecord, cause?: unknown): Error {
  if (record.code !== 'PM_DENIED') return new RecordedError(record, cause)
  const details = record.details as {
    reason?: string
    alternatives?: string[]
    hook?: string
    tool_name?: string
  }
  return new PermissionDeniedError(details.reason ?? record.message, details.alternatives ?? [], {
    hook: details.hook,
    tool_name: details.tool_name,
    cause,
  })
}

function isDenial(error: Error): error is PermissionDeniedError {
  return (error as { code?: unknown }).code === 'PM_DENIED'
}
