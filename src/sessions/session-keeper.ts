/**
 * Looks after sessions at work: reminds them of checkpoints, and pauses those whose context is nearly full.
 *
 * Owns: at most one alarm per session at work.
 * Never: keeps anything that the log does not say; after a restart it goes on where it was.
 *
 * I1. A session is reminded once for each stretch of work without a handoff.
 * I2. A session whose context is nearly full is paused after its next handoff, or after the grace with one of ours.
 */
import { laterOf } from '../../machines/session-work.ts'
import { setAlarm } from '../runtime/alarm.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { SessionDirectory, SessionRow } from './directory.ts'
import type { SessionService } from './session-service.ts'

export type KeeperTimes = {
  /** Work without a handoff until the reminder, in ms; default 30 minutes. */
  readonly checkpointAfterMs: number
  /** How long a handoff is waited for when a context is nearly full, in ms; default 60,000. */
  readonly contextGraceMs: number
}

export const DEFAULT_KEEPER_TIMES: KeeperTimes = { checkpointAfterMs: 30 * 60_000, contextGraceMs: 60_000 }

/** After a hook has refused a pause, it is asked again after this. */
const ASK_AGAIN_MS = 60_000

type Watch = { readonly dueAt: number; readonly cancel: () => void }

export type SessionKeeper = { close(): Promise<void> }

export function createSessionKeeper(
  services: {
    readonly engine: Engine
    readonly directory: SessionDirectory
    readonly sessions: SessionService
  },
  times: KeeperTimes,
): SessionKeeper {
  const { engine, directory, sessions } = services
  const { clock } = engine
  const watched = new Map<string, Watch>()
  const notBefore = new Map<string, number>()
  const atWork = new Set<Promise<void>>()
  let closed = false

  const contextDue = (row: SessionRow): number | undefined => {
    if (row.context_high_at === null) return undefined
    const wanted = row.context_high_at
    const has = row.last_checkpoint !== null && row.last_checkpoint >= wanted
    const due = has ? Date.parse(row.last_checkpoint ?? wanted) : Date.parse(wanted) + times.contextGraceMs
    return Math.max(due, notBefore.get(row.id) ?? 0)
  }
  const reminderDue = (row: SessionRow): number | undefined => {
    const since = laterOf(row.active_since, row.last_checkpoint)
    if (row.kind !== 'foreground' || row.checkpoint_due || since === null) return undefined
    return Date.parse(since) + times.checkpointAfterMs
  }
  const dueOf = (row: SessionRow): number | undefined =>
    row.status === 'active' ? (contextDue(row) ?? reminderDue(row)) : undefined

  const remind = async (row: SessionRow): Promise<void> => {
    const since = laterOf(row.active_since, row.last_checkpoint)
    await engine.send(row.id, { type: 'session.checkpoint_due', since, at: isoTime(clock) } as never, {
      source: row.id,
    })
  }
  const pauseForContext = async (row: SessionRow): Promise<void> => {
    const session = await sessions.get(row.id)
    if (session.status !== 'active') return
    if (row.last_checkpoint === null || row.last_checkpoint < (row.context_high_at ?? '')) {
      const { completed_steps, next_steps, blockers } = session.progress
      await sessions.handOff(
        { from: row.id, to: row.id },
        {
          type: `${row.role}_continuation`,
          context: {
            work_completed: completed_steps,
            ...(session.phase !== null && { current_phase: session.phase }),
            next_steps,
            blockers,
            written_by: 'context monitor',
          },
        },
      )
    }
    try {
      await sessions.end(row.id, { reason: 'interrupted' })
      // What works for the session pauses with it.
      for (const other of await sessions.descendants(row.id)) {
        if (other.owner_id !== row.id || other.outcome !== null || other.status === 'paused') continue
        await sessions.pause(other.id, { reason: 'the context of its session is nearly full' })
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'SESSION_REFUSED') throw error
      notBefore.set(row.id, clock.now() + ASK_AGAIN_MS)
    }
  }
  const attend = async (id: string): Promise<void> => {
    const row = await directory.row(id)
    if (closed || row === undefined) return
    const due = dueOf(row)
    if (due === undefined || due > clock.now()) return watch(row)
    if (contextDue(row) === undefined) await remind(row)
    else await pauseForContext(row)
    const after = await directory.row(id)
    if (after !== undefined) watch(after)
  }
  const run = (id: string): void => {
    const work = attend(id)
      .catch((error: unknown) => {
        if (!closed) engine.onError(error)
      })
      .finally(() => atWork.delete(work))
    atWork.add(work)
  }
  const watch = (row: SessionRow): void => {
    if (closed) return
    const dueAt = dueOf(row)
    const before = watched.get(row.id)
    if (before?.dueAt === dueAt) return
    before?.cancel()
    watched.delete(row.id)
    if (dueAt === undefined) return void notBefore.delete(row.id)
    const cancel = setAlarm(clock, dueAt, () => {
      watched.delete(row.id)
      run(row.id)
    })
    watched.set(row.id, { dueAt, cancel })
  }

  for (const row of directory.current()) watch(row)
  const unsubscribe = directory.subscribe(watch)
  return {
    async close() {
      closed = true
      unsubscribe()
      for (const { cancel } of watched.values()) cancel()
      watched.clear()
      await Promise.allSettled(atWork)
    },
  }
}
