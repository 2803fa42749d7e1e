/** Takes care of sessions whose process is gone, by lease, and of runs that are silent, by heartbeat; never of one that lives. */
import type { SessionRow } from '../sessions/directory.ts'
import type { SessionService } from '../sessions/session-service.ts'

export type WatchdogReport = {
  /** Orphaned sessions that were interrupted: paused, and ready to be resumed. */
  readonly recovered: readonly string[]
  /** Orphans that could not be interrupted, and why. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[]
  /** Runs that go on by themselves in this process. */
  readonly requeued: readonly string[]
  /** Runs whose handler gave no sign of life in time: the attempt is given up, and another follows by the agent's policy. */
  readonly silent: readonly string[]
  /** Runs that wait for a person. */
  readonly parked: readonly string[]
}

export type WatchdogOptions = {
  readonly sessions: SessionService
  /** The last event of the log before this process took it over. */
  readonly leasePosition: number
  /** Gives up the attempts of runs whose handler is silent for too long; which they were. */
  giveUpSilent(): Promise<string[]>
}

/** Two at once do no harm: what one has interrupted is no orphan to the other. */
export async function runWatchdogOnce(options: WatchdogOptions): Promise<WatchdogReport> {
  const { sessions } = options
  const rows = await sessions.directory.rows()
  const hands = new Set(
    rows.filter((row) => row.machine === 'agent' && row.outcome === null).map((row) => row.owner_id),
  )
  /** Nothing has happened in it since this process began, and no run works for it. */
  const isOrphan = (row: SessionRow): boolean =>
    row.machine === 'session' &&
    row.status === 'active' &&
    row.last_position <= options.leasePosition &&
    !hands.has(row.id)

  const silent = await options.giveUpSilent()
  const recovered: string[] = []
  const failed: { id: string; reason: string }[] = []
  for (const row of rows.filter(isOrphan)) {
    try {
      await sessions.end(row.id, { reason: 'interrupted' })
      recovered.push(row.id)
    } catch (error) {
      const { status } = await sessions.get(row.id)
      if (status === 'active') failed.push({ id: row.id, reason: (error as Error).message })
    }
  }
  const open = rows.filter((row) => row.machine === 'agent' && row.outcome === null)
  return {
    recovered,
    failed,
    silent,
    requeued: open.filter((row) => !row.parked && row.status !== 'paused').map(({ id }) => id),
    parked: open.filter((row) => row.parked).map(({ id }) => id),
  }
}
