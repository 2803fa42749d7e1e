/** How the protocol was kept, from the log alone: the score, what breaks it and where that shows, its trend, what is stale. */
import { dailyScores } from '../compliance/daily-scores.ts'
import { foldFacts, noFacts, ofProject, type EventRef, type Facts } from '../compliance/facts.ts'
import type { Issue, RuleContext } from '../compliance/rules.ts'
import { complianceReport, type ComplianceTrends } from '../compliance/score.ts'
import { STALE_AFTER_MS, staleProjects, type StaleProject } from '../compliance/stale-projects.ts'
import { checkedMoment } from './moment.ts'
import { nearest } from './nearest.ts'
import { QueryError } from './query-error.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'

export type ComplianceQuestion = {
  /** Only this project; default all of them. */
  readonly project?: string | undefined
  /** The score at the end of each of so many last days as well, in UTC. */
  readonly days?: number | undefined
  /** The moment that ages are held against; ISO 8601. Default: now. */
  readonly now?: string | undefined
}

/** What to do about a rule that is broken. */
export type Advice = {
  readonly rule: string
  readonly text: string
  /** How many break it. */
  readonly count: number
  /** The events that show it. */
  readonly events: readonly EventRef[]
}

export type Compliance = {
  readonly project: string | null
  /** 0 to 100; the same as the runtime's, but for the rules that are not checked. */
  readonly score: number
  readonly issues: readonly Issue[]
  /** The most costly first. */
  readonly recommendations: readonly Advice[]
  /** Of all projects, or the one that was asked about. */
  readonly stale_projects: readonly StaleProject[]
  /** `null` unless days were asked for. */
  readonly trends: ComplianceTrends | null
  /** Rules that no log can tell of. */
  readonly not_checked: readonly { readonly rule: string; readonly because: string }[]
}

/** As a runtime has it that was not told otherwise. */
const CHECKPOINT_AFTER_MS = 30 * 60_000
const MOST_DAYS = 3660

const NOT_CHECKED: Compliance['not_checked'] = [
  {
    rule: 'permissive_hook',
    because:
      'what a hook is registered for is code; runtime.compliance.checkProtocolCompliance() looks at it as well',
  },
]

/** @throws QueryError `QUERY_NOT_FOUND` for a project that the log does not know, `QUERY_INVALID` */
export async function readCompliance(
  log: Pick<QueryableLog, 'readAll'>,
  { project, days, now: asOf }: ComplianceQuestion = {},
  call: QueryCall = {},
): Promise<Compliance> {
  const now = asOf === undefined ? Date.now() : checkedMoment(asOf, 'now')
  if (days !== undefined) assertDays(days)
  const all = noFacts()
  const report = (at: number) => complianceReport(ofProject(all, project), contextAt(at))
  const daily =
    days === undefined
      ? undefined
      : dailyScores({
          days,
          now: () => now,
          scoreAt: (at) => (all.subjects.size === 0 ? undefined : report(at).score),
        })
  for await (const event of log.readAll(reading(call))) {
    daily?.before(Date.parse(event.timestamp))
    foldFacts(all, event)
  }
  if (project !== undefined) assertKnown(project, all)
  const { score, issues, recommendations } = report(now)
  return {
    project: project ?? null,
    score,
    issues,
    recommendations: recommendations.map((text) => adviceOn(text, issues)),
    stale_projects: staleProjects(sessionsIn(ofProject(all, project)), now),
    trends: daily?.trends(days ?? 0) ?? null,
    not_checked: NOT_CHECKED,
  }
}

function contextAt(now: number): RuleContext {
  return {
    now,
    hookTriggers: new Map(),
    staleAfterMs: STALE_AFTER_MS,
    checkpointAfterMs: CHECKPOINT_AFTER_MS,
  }
}

function adviceOn(text: string, issues: readonly Issue[]): Advice {
  const own = issues.filter(({ fix }) => fix === text)
  return { rule: own[0]?.rule ?? '', text, count: own.length, events: own.flatMap(({ events }) => events) }
}

function sessionsIn({ subjects }: Facts) {
  return [...subjects.values()]
    .filter(({ machine }) => machine === 'session')
    .map(({ last_activity, ...session }) => ({
      ...session,
      last_activity: new Date(last_activity).toISOString(),
    }))
}

function assertKnown(project: string, { subjects }: Facts): void {
  const known = new Set(Array.from(subjects.values(), (one) => one.project))
  if (known.has(project)) return
  const near = nearest(project, [...known])
  throw new QueryError('QUERY_NOT_FOUND', {
    happened: `The log has no project called "${project}".`,
    expected: `Expected one of: ${[...known].join(', ')}.`,
    todo: near.length > 0 ? `Did you mean ${near.join(', or ')}?` : 'Leave it out to ask about all of them.',
    details: { project, did_you_mean: near },
  })
}

function assertDays(days: number): void {
  if (Number.isInteger(days) && days >= 1 && days <= MOST_DAYS) return
  throw new QueryError('QUERY_INVALID', {
    happened: `A trend cannot be told over ${days} days.`,
    expected: `Expected a whole number from 1 to ${MOST_DAYS}.`,
    todo: 'Correct `days`.',
    details: { path: 'days' },
  })
}
