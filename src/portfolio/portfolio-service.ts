/** A project's backlog, features, blockers and notices, with explicit arguments; what is decided is in the project's log. */
import { z } from 'zod'
import {
  projectMachine,
  type BacklogItem,
  type HumanTask,
  type ProjectContext,
} from '../../machines/project.machine.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { Receipt } from '../runtime/cell/cell.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { SessionRow } from '../sessions/directory.ts'
import type { Session } from '../sessions/session.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { backlogItemSchema, featureOf, type ActiveFeature, type Feature } from './backlog.ts'
import { createNotices, type Notices } from './notices.ts'
import type { PortfolioProviders } from './providers.ts'

/** A blocker of one session that nobody has resolved. */
export type OpenBlocker = {
  readonly session_id: string
  readonly session: string
  readonly feature: string | null
  readonly blocker: string
  readonly since: string
}

export type BlockedFeature = {
  /** The session's name, or its id if it has none. */
  readonly session: string
  readonly session_id: string
  readonly feature: string | null
  readonly blockers: readonly string[]
}

export type FeatureProgress = {
  readonly features: readonly ActiveFeature[]
  readonly blocked: readonly BlockedFeature[]
}

export interface PortfolioService extends Notices {
  /** Adds an item, or replaces the one of its slug. */
  addToBacklog(item: z.input<typeof backlogItemSchema>, project?: string): Promise<BacklogItem>
  removeFromBacklog(slug: string, input?: { reason?: string; project?: string }): Promise<void>
  getBacklog(project?: string): Promise<readonly Feature[]>
  /** Features that an open session works on: it has the tag `feature:<slug>`. */
  getActiveFeatures(project?: string): Promise<ActiveFeature[]>
  /** What open sessions named as blockers in the last handoff they wrote, and nobody resolved since. */
  getProjectBlockers(project?: string): Promise<OpenBlocker[]>
  resolveBlocker(input: { session_id: string; blocker: string; resolution?: string }): Promise<void>
  monitorFeatureProgress(project?: string): Promise<FeatureProgress>
  /** Records each escalation and tells people; the same one is told once. */
  escalateBlockers(blocked: readonly BlockedFeature[], project?: string): Promise<void>
  /** Opens a task for a person, and tells people; resolves with its id. */
  escalateToHuman(message: string, project?: string): Promise<string>
  completeTask(task_id: string, input?: { answer?: string; project?: string }): Promise<void>
  humanTasks(project?: string): Promise<readonly HumanTask[]>
}

export type PortfolioOptions = {
  readonly engine: Engine
  readonly sessions: SessionService
  readonly newId: NewId
  readonly defaultProject: string
  readonly providers: PortfolioProviders
}

const PREFIX = 'project:'

export function createPortfolio(options: PortfolioOptions): PortfolioService {
  const { engine, sessions, newId, defaultProject, providers } = options
  const { clock } = engine

  const contextOf = async (project: string): Promise<ProjectContext | undefined> => {
    const actor = await engine.get(projectMachine, `${PREFIX}${project}`)
    return actor?.getSnapshot().context
  }
  const say = async (project: string, fact: { type: string }): Promise<Receipt> => {
    const id = `${PREFIX}${project}`
    const at = isoTime(clock)
    await engine.spawn(projectMachine, { id, createdAs: 'project.created', input: { project, at } })
    return engine.send(id, { ...fact, at } as { type: string }, { source: id })
  }
  const notices = createNotices({ ...options, contextOf, say })
  const openRows = async (project: string): Promise<SessionRow[]> =>
    (await sessions.directory.rows()).filter(
      (row) =>
        row.project === project &&
        row.machine === 'session' &&
        ['created', 'active', 'paused'].includes(row.status),
    )
  const blockersOf = (session: Session, closed: ProjectContext['resolved']): string[] => {
    const since = session.handoff?.at ?? ''
    // Named again after it was resolved, it is open again.
    const isResolved = (blocker: string): boolean =>
      closed.some((one) => one.session_id === session.id && one.blocker === blocker && one.at >= since)
    return session.handoff?.from === session.id ? session.blockers.filter((one) => !isResolved(one)) : []
  }
  const openSessions = async (project: string) => {
    const closed = (await contextOf(project))?.resolved ?? []
    return Promise.all(
      (await openRows(project)).map(async (row) => {
        const session = await sessions.get(row.id)
        return { session, feature: featureTag(row), blockers: blockersOf(session, closed) }
      }),
    )
  }

  const service: PortfolioService = {
    ...notices,
    async addToBacklog(raw, project = defaultProject) {
      const item = checkedInput(backlogItemSchema, raw, 'addToBacklog')
      await say(project, { type: 'backlog.added', item } as never)
      return item
    },
    async removeFromBacklog(slug, { reason = 'done', project = defaultProject } = {}) {
      const { accepted } = await say(project, { type: 'backlog.removed', slug, reason } as never)
      if (!accepted) throw unknown('backlog item', slug)
    },
    async getBacklog(project = defaultProject) {
      const items = providers.backlog
        ? await providers.backlog(project)
        : ((await contextOf(project))?.backlog ?? [])
      return items.map(featureOf)
    },
    async getActiveFeatures(project = defaultProject) {
      return (await openSessions(project)).flatMap(({ session, feature, blockers }) =>
        feature === null
          ? []
          : [
              {
                slug: feature,
                session_id: session.id,
                session_name: session.name,
                status: session.status,
                phase: session.phase,
                percent: session.percent,
                blockers,
              },
            ],
      )
    },
    async getProjectBlockers(project = defaultProject) {
      return (await openSessions(project)).flatMap(({ session, feature, blockers }) =>
        blockers.map((blocker) => ({
          session_id: session.id,
          session: session.name ?? session.id,
          feature,
          blocker,
          since: session.handoff?.at ?? session.last_activity,
        })),
      )
    },
    async resolveBlocker({ session_id, blocker, resolution = '' }) {
      const { project } = await sessions.get(session_id)
      await say(project, { type: 'blocker.resolved', session_id, blocker, resolution } as never)
    },
    async monitorFeatureProgress(project = defaultProject) {
      const features = await service.getActiveFeatures(project)
      const blocked = features.filter(({ blockers }) => blockers.length > 0)
      return {
        features,
        blocked: blocked.map(({ session_name, session_id, slug, blockers }) => ({
          session: session_name ?? session_id,
          session_id,
          feature: slug,
          blockers,
        })),
      }
    },
    async escalateBlockers(blocked, project = defaultProject) {
      for (const { session, session_id, feature, blockers } of blocked) {
        const known = (await contextOf(project))?.escalations ?? []
        const isKnown = known.some(
          (one) => one.session_id === session_id && one.blockers.join('\n') === blockers.join('\n'),
        )
        if (!isKnown) {
          await say(project, {
            type: 'blocker.escalated',
            session_id,
            feature: feature ?? session,
            blockers,
          } as never)
        }
        await notices.notifyTeamOfBlocker(session, blockers, project)
      }
    },
    async escalateToHuman(message, project = defaultProject) {
      const text = checkedInput(z.string().min(1).max(10_000), message, 'escalateToHuman')
      const task_id = newId('task')
      await say(project, { type: 'task.opened', task_id, message: text } as never)
      await notices.notify({ channel: '#humans', message: text, details: { task_id } }, project)
      return task_id
    },
    async completeTask(task_id, { answer = '', project = defaultProject } = {}) {
      const { accepted } = await say(project, { type: 'task.done', task_id, answer } as never)
      if (!accepted) throw unknown('open task', task_id)
    },
    async humanTasks(project = defaultProject) {
      return (await contextOf(project))?.tasks ?? []
    },
  }
  return service
}

function featureTag(row: SessionRow): string | null {
  return row.tags.find((tag) => tag.startsWith('feature:'))?.slice('feature:'.length) ?? null
}

function unknown(what: string, id: string): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `There is no ${what} "${id}".`,
    expected: 'One that is there.',
    todo: 'Look with getBacklog() or humanTasks().',
    details: { what, path: id },
  })
}
