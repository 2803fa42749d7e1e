/** Compliance and health with explicit arguments: the score and its trend, what is stale, who is an orphan. */
import { z } from 'zod'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { Engine } from '../runtime/engine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { SessionRow } from '../sessions/directory.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { foldFacts, noFacts, type Facts } from './facts.ts'
import type { RuleContext } from './rules.ts'
import { complianceReport, trendsOf, type ComplianceReport, type ComplianceTrends } from './score.ts'
import { runWatchdogOnce, type WatchdogOptions, type WatchdogReport } from './watchdog.ts'

const DAY_MS = 24 * 60 * 60_000
const STALE_AFTER_MS = 7 * DAY_MS

export type StaleProject = {
  readonly project: string
  /** Its sessions that have not ended. */
  readonly sessions: readonly {
    readonly id: string
    readonly name: string | null
    readonly last_activity: string
  }[]
  readonly last_activity: string
}

export type SessionMetrics = {
  readonly active_foreground: number
  readonly active_background: number
  readonly paused: number
  readonly completed_today: number
}

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
      const samples: { date: string; score: number }[] = []
      const now = clock.now()
      const first = dayOf(now) - days + 1
      /** The days that are over before this moment. */
      let next = first
      const sampleUntil = (day: number): void => {
        for (; next < day; next += 1) sample(next, (next + 1) * DAY_MS - 1)
      }
      const sample = (day: number, at: number): void => {
        if (facts.subjects.size === 0) return
        const { score } = complianceReport(ofProject(facts, project), contextAt(at))
        samples.push({ date: new Date(day * DAY_MS).toISOString().slice(0, 10), score })
      }
      for await (const event of store.readAll()) {
        sampleUntil(dayOf(Date.parse(event.timestamp)))
        foldFacts(facts, event)
      }
      sampleUntil(dayOf(now))
      sample(dayOf(now), now)
      return trendsOf(samples)
    },
    async checkStaleProjects() {
      const open = (await sessions.directory.rows()).filter((row) => row.machine === 'session' && isOpen(row))
      const projects = new Map<string, SessionRow[]>()
      for (const row of open) projects.set(row.project, [...(projects.get(row.project) ?? []), row])
      return [...projects].flatMap(([project, rows]) => {
        const last_activity =
          rows
            .map((row) => row.last_activity)
            .toSorted()
            .at(-1) ?? ''
        if (clock.now() - Date.parse(last_activity) <= STALE_AFTER_MS) return []
        const list = rows.map(({ id, name, last_activity: last }) => ({ id, name, last_activity: last }))
        return [{ project, sessions: list, last_activity }]
      })
    },
    runWatchdog: () => runWatchdogOnce(options),
    async sessionMetrics({ project, utc = false } = {}) {
      const rows = (await sessions.directory.rows()).filter(
        (row) => project === undefined || row.project === project,
      )
      const foreground = rows.filter(({ kind }) => kind === 'foreground')
      const count = (some: readonly SessionRow[], status: string): number =>
        some.filter((row) => row.status === status).length
      return {
        active_foreground: count(foreground, 'active'),
        active_background: rows.filter((row) => row.kind === 'background' && row.status === 'active').length,
        paused: count(foreground, 'paused'),
        completed_today: foreground.filter(
          ({ completion_time: at }) => at !== null && isToday(new Date(at), { now: clock.now(), utc }),
        ).length,
      }
    },
  }
}

/** Whether a moment is on the same day as now: of this process's time zone, or of UTC. */
export function isToday(
  date: Date,
  options: { readonly now?: number; readonly utc?: boolean } = {},
): boolean {
  const now = new Date(options.now ?? Date.now())
  if (Number.isNaN(date.getTime())) return false
  return options.utc === true
    ? date.toISOString().slice(0, 10) === now.toISOString().slice(0, 10)
    : date.toDateString() === now.toDateString()
}

function ofProject(facts: Facts, project: string | undefined): Facts {
  if (project === undefined) return facts
  return { ...facts, subjects: new Map([...facts.subjects].filter(([, one]) => one.project === project)) }
}

function isOpen(row: SessionRow): boolean {
  return row.status !== 'completed' && row.status !== 'archived'
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}
