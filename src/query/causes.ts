/** What led to an event and what it led to, over all streams. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { CausalLinks, type CausalLink, type Cause } from './causal-links.ts'
import { briefOf, type EventBrief } from './events.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'

export type CausesQuestion = {
  /** The event, by id or by position. */
  readonly event: number | string
  /** How many descendants are told of at most; default 1,000. */
  readonly limit?: number | undefined
}

export type Ancestry = EventBrief & {
  /** How it is known that it led to the one before it in the list. */
  readonly link: CausalLink
}

export type Descendant = EventBrief & {
  readonly link: CausalLink
  /** The event that led to it. */
  readonly cause: string
  /** 1 for what the event itself led to. */
  readonly depth: number
}

export type Causes = {
  readonly event: EventBrief
  /** The nearest first, up to one that nothing in the log led to. */
  readonly ancestors: readonly Ancestry[]
  /** Each after its cause, in depth. */
  readonly descendants: readonly Descendant[]
  readonly descendant_count: number
}

type Linked = { readonly brief: EventBrief; readonly cause: Cause | undefined }

const MOST_DESCENDANTS = 1_000

/** @throws QueryError `QUERY_NOT_FOUND` */
export async function readCauses(
  log: Pick<QueryableLog, 'readAll'>,
  { event: wanted, limit = MOST_DESCENDANTS }: CausesQuestion,
  call: QueryCall = {},
): Promise<Causes> {
  const links = new CausalLinks()
  const events = new Map<string, Linked>()
  const effects = new Map<string, string[]>()
  let found: EventBrief | undefined
  // What came before may be an ancestor, what comes after a descendant; only descendants are kept of the latter.
  const family = new Set<string>()
  for await (const event of log.readAll(reading(call))) {
    const cause = links.take(event)
    if (found !== undefined && (cause === undefined || !family.has(cause.event_id))) continue
    const brief = briefOf(event)
    events.set(event.event_id, { brief, cause })
    if (isWanted(event, wanted)) {
      found = brief
      family.add(event.event_id)
    } else if (found !== undefined && cause !== undefined) {
      family.add(event.event_id)
      const siblings = effects.get(cause.event_id)
      if (siblings === undefined) effects.set(cause.event_id, [event.event_id])
      else siblings.push(event.event_id)
    }
  }
  if (found === undefined) throw noEvent(wanted)
  return {
    event: found,
    ancestors: ancestorsOf(events, found),
    descendants: descendantsOf(events, effects, { of: found, limit }),
    descendant_count: family.size - 1,
  }
}

function isWanted(event: RecordedEvent, wanted: number | string): boolean {
  return typeof wanted === 'number' ? event.position === wanted : event.event_id === wanted
}

function ancestorsOf(events: ReadonlyMap<string, Linked>, of: EventBrief): Ancestry[] {
  const ancestors: Ancestry[] = []
  for (let cause = events.get(of.event_id)?.cause; cause !== undefined;) {
    const above = events.get(cause.event_id)
    if (above === undefined) break
    ancestors.push({ ...above.brief, link: cause.link })
    cause = above.cause
  }
  return ancestors
}

function descendantsOf(
  events: ReadonlyMap<string, Linked>,
  effects: ReadonlyMap<string, readonly string[]>,
  { of, limit }: { readonly of: EventBrief; readonly limit: number },
): Descendant[] {
  const descendants: Descendant[] = []
  const open = (effects.get(of.event_id) ?? []).map((id) => ({ id, depth: 1 })).toReversed()
  for (let next = open.pop(); next !== undefined && descendants.length < limit; next = open.pop()) {
    const { id, depth } = next
    const { brief, cause } = events.get(id) ?? {}
    if (brief === undefined || cause === undefined) continue
    descendants.push({ ...brief, link: cause.link, cause: cause.event_id, depth })
    for (const child of (effects.get(id) ?? []).toReversed()) open.push({ id: child, depth: depth + 1 })
  }
  return descendants
}

function noEvent(wanted: number | string): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `The log has no event ${typeof wanted === 'number' ? `at position ${wanted}` : `"${wanted}"`}.`,
    expected: 'Expected the id of an event, or its position.',
    todo: 'List what is there with `agentctl log`.',
    details: { id: wanted },
  })
}
