/** Finds what a person typed after a command: a stream, or an event in one. */
import { queryOver, type LogQuery } from '../query/log-query.ts'
import type { ReadableLog } from './open-log.ts'

export type Subject = {
  readonly stream_id: string
  /** The version of the event that was typed; `undefined` for a stream. */
  readonly version: number | undefined
  /** Its position in the log. */
  readonly position: number | undefined
}

/** The stream of an id, a name, or an event's id or position. @throws QueryError `QUERY_NOT_FOUND` */
export async function findSubject(log: ReadableLog, typed: string): Promise<Subject> {
  return subjectOf(
    queryOver(log, () => new Map()),
    typed,
  )
}

/** The same through the door of queries. @throws QueryError `QUERY_NOT_FOUND` */
export async function subjectOf(query: LogQuery, typed: string): Promise<Subject> {
  const { stream_id, version, position } = await query.find({ text: typed })
  return { stream_id, version: version ?? undefined, position: position ?? undefined }
}

/** The stream that was typed, if any was. @throws QueryError `QUERY_NOT_FOUND` */
export async function streamOf(query: LogQuery, typed: string | undefined): Promise<string | undefined> {
  return typed === undefined ? undefined : (await subjectOf(query, typed)).stream_id
}
