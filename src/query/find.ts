/** Finds what a person means by an id or a name, and says what it may have been meant to be when there is nothing. */
import { isRecordableName } from '../runtime/fold/canonical.ts'
import { nearest } from './nearest.ts'
import type { QueryableLog, QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'
import { readSurroundings, type Surroundings } from './surroundings.ts'
import { findTarget, targetNames, type Target } from './target.ts'

export type Found = {
  readonly stream_id: string
  /** Of the event that was named; `null` where a stream was. */
  readonly event_id: string | null
  readonly version: number | null
  readonly position: number | null
}

/**
 * The stream of an id or a name: a session's, an agent's (its latest run); or an event, by id or position (`57`, `#57`).
 *
 * @throws QueryError `QUERY_NOT_FOUND`, with what comes near in `details.did_you_mean`
 */
export async function findInLog(log: QueryableLog, text: string, call: QueryCall = {}): Promise<Found> {
  // An exact id needs no reading of the whole log.
  if (isRecordableName(text) && (await log.head(text)) !== undefined) return streamFound(text)
  const at = await eventAt(log, text)
  if (at !== undefined) return at
  const around = await readSurroundings(log, text, call)
  const target = targetIn(around, text)
  if (target.kind === 'stream') return streamFound(target.stream_id)
  const { stream_id, event_id, version, position } = target.event
  return { stream_id, event_id, version, position }
}

/** What `text` means; the error says what comes near. @throws QueryError `QUERY_NOT_FOUND` */
export function targetIn(around: Surroundings, text: string): Target {
  try {
    return findTarget(around, text)
  } catch (cause) {
    if (!(cause instanceof QueryError)) throw cause
    const near = nearest(text, targetNames(around))
    throw new QueryError('QUERY_NOT_FOUND', {
      happened: `The log has nothing called "${text}".`,
      expected:
        'Expected the id of an event, a stream, a run or a tool call, the position of an event, or the name of a session or agent.',
      todo: near.length > 0 ? `Did you mean ${near.join(', or ')}?` : 'List what is there: agentctl log.',
      details: { id: text, did_you_mean: near },
      cause,
    })
  }
}

function streamFound(stream_id: string): Found {
  return { stream_id, event_id: null, version: null, position: null }
}

/** An event by its position is found without reading what comes before it. */
async function eventAt(log: QueryableLog, text: string): Promise<Found | undefined> {
  const wanted = Number(/^#?(\d+)$/.exec(text)?.[1] ?? Number.NaN)
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > log.position()) return undefined
  for await (const event of log.readAll({ fromPosition: wanted - 1 })) {
    if (event.position !== wanted) return undefined
    const { stream_id, event_id, version, position } = event
    return { stream_id, event_id, version, position }
  }
  return undefined
}
