/** The error for an inspector that cannot be shown. */

/** `INSPECTOR_UNAVAILABLE`: its port cannot be had. */
export type InspectorErrorCode = 'INSPECTOR_UNAVAILABLE'

/** Tell it by its `code`. */
export class InspectorError extends Error {
  override readonly name = 'InspectorError'
  readonly code: InspectorErrorCode = 'INSPECTOR_UNAVAILABLE'
}

export function inspectorError(port: number, cause: Error): InspectorError {
  const where = port === 0 ? 'a free port' : `port ${port}`
  return new InspectorError(
    `The inspector cannot listen on ${where} of 127.0.0.1 (${cause.message}). Expected a port that no other process has. Choose another one, or leave it out.`,
    { cause },
  )
}
