/** Joins what looks after a project beside its sessions: billing, its files, compliance, the backlog; one door each. */
import { join } from 'node:path'
import type { EventStore } from '../eventstore/event-store.ts'
import type { RecordedEvent } from '../eventstore/event.ts'
import type { SealedStore } from '../eventstore/sealing/sealed-store.ts'
import { createBillingService, type BillingService } from './billing/billing-service.ts'
import { createLedger } from './billing/ledger.ts'
import { createRateCard, type RateCard } from './billing/rate-card.ts'
import { sessionEndEvent, type SessionEndEvent } from './billing/tracking-line.ts'
import { createCompliance, type ComplianceService } from './compliance/compliance-service.ts'
import type { PermissionHookRegistry } from './permissions/hook-registry.ts'
import { createPortfolio, type PortfolioService } from './portfolio/portfolio-service.ts'
import type { PortfolioProviders } from './portfolio/providers.ts'
import type { Clock, NewId } from './runtime/clock.ts'
import type { Engine } from './runtime/engine.ts'
import { RuntimeError } from './runtime/runtime-error.ts'
import type { SessionDirectory } from './sessions/directory.ts'
import { createSessionKeeper, DEFAULT_KEEPER_TIMES, type KeeperTimes } from './sessions/session-keeper.ts'
import type { SessionService } from './sessions/session-service.ts'
import { forgetArchived, openArchive } from './upkeep/archive.ts'
import { takeLease } from './upkeep/lease.ts'
import { createTrackingFiles } from './upkeep/tracking-files.ts'

export type ProjectDoors = {
  readonly billing: BillingService
  readonly compliance: ComplianceService
  readonly portfolio: PortfolioService
  readonly providers: PortfolioProviders
  /** Archives a session that has ended, without waiting for its time; its file is in `.project/archive/`. */
  archive(session_id: string): Promise<void>
  /** Resolves when the files in the project's folder hold what is on disk in the log. */
  filesSettled(): Promise<void>
}

/** How long after its end a session is archived by itself. */
const ARCHIVE_AFTER_MS = 60_000

export type ProjectOptions = {
  readonly store: EventStore
  /** The store, if it seals. */
  readonly sealing: SealedStore | undefined
  readonly clock: Clock
  readonly path: string | null
  readonly rates?: RateCard | undefined
  readonly archiveAfterMs?: number | undefined
  readonly keeper?: Partial<KeeperTimes> | undefined
  readonly providers?: PortfolioProviders | undefined
  readonly onSessionEnd?: ((event: SessionEndEvent) => Promise<void> | void) | undefined
  readonly onError: (error: unknown) => void
}

export type ProjectHost = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly sessions: SessionService
  readonly registry: PermissionHookRegistry
  readonly newId: NewId
  readonly defaultProject: string
  /** Gives up the attempts of runs whose handler is silent for too long; which they were. */
  giveUpSilent(): Promise<string[]>
}

/** The projections, from the first event on; `join` makes the doors once the services are there. */
export function projectServices(options: ProjectOptions) {
  const { store, clock, path, onError } = options
  const files = path === null ? undefined : createTrackingFiles(join(path, 'billing'), onError)
  let live = false
  let lastEventAt = 0
  let forgetFacts = (): void => {}
  const ledger = createLedger({
    onEnd(end) {
      files?.add(end)
      if (live) Promise.resolve(options.onSessionEnd?.(sessionEndEvent(end))).catch(onError)
    },
  })
  const fold = (event: RecordedEvent): void => {
    ledger.fold(event)
    // Asked for when this process begins. Registering a machine is the first thing that a new one does.
    if (!live && event.event_type !== 'machine.registered')
      lastEventAt = Math.max(lastEventAt, Date.parse(event.timestamp))
  }

  return {
    fold,
    /** Leaves these sessions and runs out of all reports, and their files: their subject was erased. */
    async forget(ids: readonly string[]) {
      ledger.forget(new Set(ids))
      forgetFacts()
      await files?.forget(new Set(ids))
      if (path !== null) await forgetArchived(join(path, 'archive'), ids)
    },
    /** To be called before anything of this process is recorded. */
    async join(host: ProjectHost) {
      const { engine, directory, sessions, defaultProject } = host
      const times = { ...DEFAULT_KEEPER_TIMES, ...options.keeper }
      const lease = await takeLease({ store, clock, directory, lastEventAt, renew: path !== null, onError })
      await directory.rows()
      live = true
      const caughtUp = (): Promise<unknown> => directory.rows()
      const rates = options.rates ?? createRateCard()
      const billing = createBillingService({ ledger, clock, rates, caughtUp })
      const providers = options.providers ?? {}
      const portfolio = createPortfolio({ ...host, providers })
      const { service: compliance, forget } = createCompliance({
        ...host,
        leasePosition: store.position(),
        checkpointAfterMs: times.checkpointAfterMs,
      })
      forgetFacts = forget
      const archive = await openArchive({
        engine,
        sealing: options.sealing,
        directory,
        folder: path === null ? null : join(path, 'archive'),
        afterMs: options.archiveAfterMs ?? ARCHIVE_AFTER_MS,
        summaryOf: async (id) => {
          const session = await sessions.get(id)
          const { issues } = await compliance.checkProtocolCompliance(session.project)
          const { status: _status, ...record } = session.toJSON()
          return {
            session: record,
            billing: await billing.sessionEnds(id),
            compliance: issues
              .filter(({ subject }) => subject === id)
              .map(({ rule, message }) => ({ rule, message })),
          }
        },
      })
      files?.open()
      let keeper: ReturnType<typeof createSessionKeeper> | undefined
      const doors: ProjectDoors = {
        billing,
        compliance,
        portfolio,
        providers,
        async archive(session_id) {
          const { status } = await sessions.get(session_id)
          if (status === 'archived') return
          if (status !== 'completed') throw notEnded(session_id, status)
          await archive.archive(session_id)
        },
        async filesSettled() {
          await caughtUp()
          await files?.settled()
        },
      }
      return {
        doors,
        /** To be called when what was under way is awake again. */
        async open() {
          keeper = createSessionKeeper({ engine, directory, sessions }, times)
          await portfolio.sendPending()
        },
        /** While actors can still be told. */
        async stop() {
          await keeper?.close()
          await archive.close()
        },
        /** After the last event. */
        async close() {
          await files?.settled()
          await lease.release()
        },
        defaultProject,
      }
    },
  }
}

/** Removes what lies in a project's folder of these sessions and runs, while no runtime has it open. */
export async function forgetFiles(path: string, ids: readonly string[]): Promise<void> {
  const fail = (error: unknown): never => {
    throw error
  }
  await createTrackingFiles(join(path, 'billing'), fail).forget(new Set(ids))
  await forgetArchived(join(path, 'archive'), ids)
}

function notEnded(id: string, status: string): RuntimeError {
  return new RuntimeError('SESSION_REFUSED', {
    happened: `Session "${id}" cannot be archived: it is ${status}.`,
    expected: 'A session that has ended.',
    todo: 'End it with runtime.sessions.end first.',
    details: { session_id: id, status },
  })
}
