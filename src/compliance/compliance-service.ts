/** Compliance and health with explicit arguments: the score and its trend, what is stale, who is an orphan. */
import { z } from 'zod'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { Engine } from '../runtime/engine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { dailyScores } from './daily-scores.ts'
import { foldFacts, noFacts, ofProject } from './facts.ts'
import type { RuleContext } from './rules.ts'
import { complianceReport, type ComplianceReport, type ComplianceTrends } from './score.ts'
import { countSessions, type SessionMetrics } from './session-metrics.ts'
import { STALE_AFTER_MS, staleProjects, type StaleProject } from './stale-projects.ts'
import { runWatchdogOnce, type WatchdogOptions, type WatchdogReport } from './watchdog.ts'

export interface ComplianceService {
  /** Reads the log: the score, each broken rule with the events that show it, and what to do. */
  checkProtocolCompliance(project?: string): Promise<ComplianceReport>
  /** The score at the end of each of the last days (30 unless told otherwise), from the log as it was then. */
  getComplianceTrends(input?: { days?: number; project?: string }): Promise<ComplianceTrends>
  /** Projects with open sessions in which nothing has happened for more than seven days. */
  checkStaleProjects(): Promise<StaleProject[]>
  /** Interrupts sessions that were at work in a process that is gone; never one of this process. */
  runWatchdog(): Promise<WatchdogReport>
  sessionMetrics(input?: { project?: string; utc?: boolean }): Promise<SessionMetrics>
}

export type ComplianceOptions = Omit<WatchdogOptions, 'sessions'> & {
  readonly engine: Engine
  readonly sessions: SessionService
  readonly registry: PermissionHookRegistry
  readonly checkpointAfterMs: number
}

const trendSchema = z.object({
  days: z.number().int().min(1).max(3660).default(30),
  project: z.string().optional(),
})

export function createCompliance(options: ComplianceOptions): ComplianceService {
  const { engine, sessions, registry } = options
  const { clock, store } = engine
  const contextAt = (now: number): RuleContext => ({
    now,
    hookTriggers: new Map(registry.list().map(({ name, triggers }) => [name, triggers])),
    staleAfterMs: STALE_AFTER_MS,
    checkpointAfterMs: options.checkpointAfterMs,
  })
  return {
    async checkProtocolCompliance(project) {
      const facts = noFacts()
      for await (const event of store.readAll()) foldFacts(facts, event)
      return complianceReport(ofProject(facts, project), contextAt(clock.now()))
    },
    async getComplianceTrends(raw = {}) {
      const { days, project } = checkedInput(trendSchema, raw, 'getComplianceTrends')
      const facts = noFacts()
      const daily = dailyScores({
        days,
        now: clock.now(),
        scoreAt: (at) =>
          facts.subjects.size === 0
            ? undefined
            : complianceReport(ofProject(facts, project), contextAt(at)).score,
      })
      for await (const event of store.readAll()) {
        daily.before(Date.parse(event.timestamp))
        foldFacts(facts, event)
      }
      return daily.trends()
    },
    async checkStaleProjects() {
      const rows = await sessions.directory.rows()
      return staleProjects(
        rows.filter(({ machine }) => machine === 'session'),
        clock.now(),
      )
    },
    runWatchdog: () => runWatchdogOnce(options),
    async sessionMetrics({ project, utc = false } = {}) {
      const rows = await sessions.directory.rows()
      return countSessions(
        rows.filter((row) => project === undefined || row.project === project),
        { now: clock.now(), utc },
      )
    },
  }
}
