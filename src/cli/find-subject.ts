/** Finds what a person typed after a command, and says what it may have been meant to be when there is nothing. */
import { QueryError } from '../query/query-error.ts'
import { readSurroundings, type Surroundings } from '../query/surroundings.ts'
import { findTarget, targetNames } from '../query/target.ts'
import { CliError } from './cli-error.ts'
import { nearest } from './did-you-mean.ts'
import type { ReadableLog } from './open-log.ts'

export type Subject = {
  readonly stream_id: string
  /** The version of the event that was typed; `undefined` for a stream. */
  readonly version: number | undefined
}

/** The stream of an id, a name, or an event's id or position. @throws CliError `CLI_NOT_FOUND` */
export async function findSubject(log: ReadableLog, typed: string): Promise<Subject> {
  // An exact id needs no reading of the whole log.
  if ((await log.head(typed)) !== undefined) return { stream_id: typed, version: undefined }
  const around = await readSurroundings(log, typed)
  return suggesting(typed, around, async () => {
    const target = findTarget(around, typed)
    return target.kind === 'event'
      ? { stream_id: target.event.stream_id, version: target.event.version }
      : { stream_id: target.stream_id, version: undefined }
  })
}

/** Runs a query; if it finds nothing of that name, its error says what comes near. */
export async function suggesting<T>(
  typed: string,
  around: Surroundings,
  query: () => Promise<T>,
): Promise<T> {
  try {
    return await query()
  } catch (error) {
    if (!(error instanceof QueryError) || error.code !== 'QUERY_NOT_FOUND') throw error
    const near = nearest(typed, targetNames(around))
    throw new CliError('CLI_NOT_FOUND', {
      happened: `The log has nothing called "${typed}".`,
      expected:
        'Expected the id of an event, a stream, a run or a tool call, the position of an event, or the name of a session or agent.',
      todo: near.length > 0 ? `Did you mean ${near.join(', or ')}?` : 'List what is there: agentctl log.',
      details: { id: typed, did_you_mean: near },
      cause: error,
    })
  }
}
