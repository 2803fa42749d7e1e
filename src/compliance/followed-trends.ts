/**
 * The trends of the projects that were asked about, kept between questions: days that are over are reckoned once.
 *
 * Owns: per project the facts as far as they are folded, and the scores of its days.
 * Never: keeps more than a few projects.
 *
 * I1. What is kept goes by the hooks that are registered; with other ones, and for more days, it is reckoned anew.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import { dailyScores, firstDay } from './daily-scores.ts'
import { foldFacts, noFacts, ofProject } from './facts.ts'
import { followLog } from './followed-log.ts'
import type { RuleContext } from './rules.ts'
import { complianceReport, type ComplianceTrends } from './score.ts'

/** The projects that were asked about last. */
const MOST_KEPT = 8

export type TrendsHost = {
  readonly store: Pick<EventStore, 'position' | 'readAll'>
  /** ms since the epoch. */
  readonly now: () => number
  readonly contextAt: (now: number) => RuleContext
}

type Kept = {
  readonly firstDay: number
  readonly hooks: string
  trends(days: number): Promise<ComplianceTrends>
}

export function followTrends(host: TrendsHost): {
  /** Of one project, or of all. */
  of(project: string | undefined, days: number): Promise<ComplianceTrends>
} {
  const kept = new Map<string | undefined, Kept>()
  const hooksNow = (): string => JSON.stringify([...host.contextAt(host.now()).hookTriggers])
  return {
    of(project, days) {
      const before = kept.get(project)
      const isGood =
        before !== undefined && before.firstDay <= firstDay(host.now(), days) && before.hooks === hooksNow()
      const trend = isGood ? before : begin(host, { project, days, hooks: hooksNow() })
      // The one that was asked about last is the last of them.
      kept.delete(project)
      kept.set(project, trend)
      const [oldest] = kept.keys()
      if (kept.size > MOST_KEPT) kept.delete(oldest)
      return trend.trends(days)
    },
  }
}

function begin(
  { store, now, contextAt }: TrendsHost,
  {
    project,
    days,
    hooks,
  }: { readonly project: string | undefined; readonly days: number; readonly hooks: string },
): Kept {
  const facts = noFacts()
  const daily = dailyScores({
    days,
    now,
    scoreAt: (at) =>
      facts.subjects.size === 0
        ? undefined
        : complianceReport(ofProject(facts, project), contextAt(at)).score,
  })
  const log = followLog(store, (event) => {
    daily.before(Date.parse(event.timestamp))
    foldFacts(facts, event)
  })
  return { firstDay: firstDay(now(), days), hooks, trends: (last) => log.read(() => daily.trends(last)) }
}
