/** Compliance and health with explicit arguments: the score and its trend, what is stale, who is an orphan. */
import { z } from 'zod'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { Engine } from '../runtime/engine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { followTrends } from './followed-trends.ts'
import { foldFacts, noFacts, ofProject } from './facts.ts'
import { followLog } from './followed-log.ts'
import type { RuleContext } from './rules.ts'
import { complianceReport, type ComplianceReport, type ComplianceTrends } from './score.ts'
import { countSessions, type SessionMetrics } from './session-metrics.ts'
import { STALE_AFTER_MS, staleProjects, type StaleProject } from './stale-projects.ts'
import { runWatchdogOnce, type WatchdogOptions, type WatchdogReport } from './watchdog.ts'

export interface ComplianceService {
  /** From the log: the score, each broken rule with the events that show it, and what to do. Reads what is new since the last time. */
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

export function createCompliance(options: ComplianceOptions): {
  readonly service: ComplianceService
  /** Folds the log anew when it is asked next: something in it was erased. */
  forget(this: void): void
} {
  const { engine, sessions, registry } = options
  const { clock, store } = engine
  const contextAt = (now: number): RuleContext => ({
    now,
    hookTriggers: new Map(registry.list().map(({ name, triggers }) => [name, triggers])),
    staleAfterMs: STALE_AFTER_MS,
    checkpointAfterMs: options.checkpointAfterMs,
  })
  const begin = () => {
    const facts = noFacts()
    const log = followLog(store, (event) => foldFacts(facts, event))
    const trends = followTrends({ store, now: () => clock.now(), contextAt })
    return { facts, log, trends }
  }
  let known = begin()
  const service: ComplianceService = {
    checkProtocolCompliance(project) {
      const { facts, log } = known
      return log.read(() => complianceReport(ofProject(facts, project), contextAt(clock.now())))
    },
    async getComplianceTrends(raw = {}) {
      const { days, project } = checkedInput(trendSchema, raw, 'getComplianceTrends')
      return known.trends.of(project, days)
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
  return {
    service,
    forget() {
      known = begin()
    },
  }
}
