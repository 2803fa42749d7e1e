/** Finds the version of a stream that a version, a position of the log or a moment in time means. */
import type { StreamHead } from '../../eventstore/event-store.ts'
import { isRecordableName } from '../runtime/fold/canonical.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'
import { noStream, noVersion } from './state-at.ts'

/** One of these at most; without any, the last version is meant. */
export type At = {
  readonly version?: number | undefined
  /** The last version at or before this position of the log. */
  readonly position?: number | undefined
  /** ISO 8601: the last version that was recorded at or before this moment. */
  readonly time?: string | undefined
}

/** Milliseconds since 1970. @throws QueryError `QUERY_INVALID` */
export function checkedMoment(text: string, what: string): number {
  const at = Date.parse(text)
  if (!Number.isNaN(at)) return at
  throw new QueryError('QUERY_INVALID', {
    happened: `"${text}" is no moment.`,
    expected: 'Expected ISO 8601, such as 2026-11-20T14:00:00Z.',
    todo: `Correct \`${what}\`.`,
    details: { path: what },
  })
}

/** @throws QueryError `QUERY_NOT_FOUND`, `QUERY_INVALID` */
export async function headOf(log: Pick<QueryableLog, 'head'>, streamId: string): Promise<StreamHead> {
  // What no stream can be called is no stream.
  const head = isRecordableName(streamId) ? await log.head(streamId) : undefined
  if (head === undefined) throw noStream(streamId)
  return head
}

/** @throws QueryError `QUERY_NOT_FOUND` for what is not there, `QUERY_INVALID` */
export async function versionAt(
  log: Pick<QueryableLog, 'readStream'>,
  head: StreamHead,
  { version, position, time, signal }: At & QueryCall,
): Promise<number> {
  if (version !== undefined) {
    const isThere = Number.isSafeInteger(version) && version >= 1 && version <= head.version
    if (isThere) return version
    throw noVersion(head.stream_id, version, head.version)
  }
  if (position === undefined && time === undefined) return head.version
  const until = time === undefined ? Number.POSITIVE_INFINITY : checkedMoment(time, 'time')
  let reached = 0
  for await (const event of log.readStream(head.stream_id, reading({ signal }))) {
    if (event.position > (position ?? event.position) || Date.parse(event.timestamp) > until) break
    reached = event.version
  }
  if (reached > 0) return reached
  throw new QueryError('QUERY_NOT_FOUND', {
    happened: `"${head.stream_id}" did not exist yet at that point.`,
    expected: 'Expected a position or a moment at or after its first event.',
    todo: `Look when it began: agentctl log ${head.stream_id}.`,
    details: { id: head.stream_id },
  })
}
