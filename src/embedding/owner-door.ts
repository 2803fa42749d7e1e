/** Lets other processes of this user attach to a runtime: to read its log, and to ask it to act. */
import { z } from 'zod'
import { announceSocket } from '../../eventstore/owner.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { AgentService } from '../agents/agent-service.ts'
import type { LiveActor } from '../attach/live-facts.ts'
import { act, type Acts } from '../attach/act.ts'
import { openOwnerServer } from '../attach/owner-server.ts'
import { packageVersion } from './package-version.ts'
import type { Erasing } from './erasing.ts'
import type { ApprovalService } from '../permissions/approval-service.ts'
import type { DeadLetters } from '../runtime/delivery/dead-letter-desk.ts'
import type { SessionService } from '../sessions/session-service.ts'

/** What of a runtime its clients can see and move. */
export type AttachableRuntime = {
  readonly store: EventStore
  readonly sessions: Pick<SessionService, 'descendants' | 'end' | 'get' | 'pause' | 'resume'> & {
    readonly directory: Pick<SessionService['directory'], 'rows'>
  }
  readonly agents: Pick<AgentService, 'cancel' | 'settleCall'>
  readonly approvals: Pick<ApprovalService, 'approve' | 'deny'>
  readonly deadLetters: Pick<DeadLetters, 'retry'>
  readonly eraseSubject: Erasing['eraseSubject']
  readonly parked: readonly object[]
}

/** What it knows of its actors just now, and does not record. */
export type LiveLook = (ids: readonly string[]) => Promise<LiveActor[]>

/**
 * Opens the socket and says in `owner.json` where it is. Resolves with how to close it again.
 *
 * @param options - `logPath`: the folder of the log that this process has open; if it does not, nothing is opened.
 * @throws AttachError `ATTACH_UNAVAILABLE`
 */
export async function openOwnerDoor(
  runtime: AttachableRuntime,
  { logPath, live }: { readonly logPath: string; readonly live: LiveLook },
): Promise<() => Promise<void>> {
  const server = await openOwnerServer({
    store: runtime.store,
    acts: runtimeActs(runtime),
    live: async (ids) => ({ parked: [...runtime.parked], actors: await live(ids) }),
    version: await packageVersion(),
  })
  // A store of the user's own, whose owner file is not ours to write.
  if (!(await announceSocket(logPath, server.address))) await server.close()
  return () => server.close()
}

/** One that an act was about, as it stands now. */
type Moved = { readonly id: string; readonly machine: string; readonly status: string }

const wish = z.object({
  id: z.string().min(1),
  reason: z.string().min(1).optional(),
  /** Whether all that it started is meant as well. */
  cascade: z.boolean().default(true),
})

/** Who decides is part of the record; the rest is for the runtime's own check at its door. */
const decision = z.looseObject({ id: z.string().min(1), by: z.string().min(1) })

function runtimeActs({ sessions, agents, approvals, deadLetters, eraseSubject }: AttachableRuntime): Acts {
  const moved = async (id: string): Promise<readonly Moved[]> => {
    const family = new Set([id, ...(await sessions.descendants(id)).map((row) => row.id)])
    const rows = (await sessions.directory.rows()).filter((row) => family.has(row.id))
    return rows.map(({ id: one, machine, status }) => ({ id: one, machine, status }))
  }
  return {
    pause: act(wish, async ({ id, reason, cascade }) => {
      await sessions.pause(id, { cascade, ...(reason !== undefined && { reason }) })
      return moved(id)
    }),
    resume: act(wish, async ({ id, cascade }) => {
      await sessions.resume(id, { cascade })
      return moved(id)
    }),
    cancel: act(wish, async ({ id, reason = 'cancelled by request' }) => {
      await cancelTree({ sessions, agents }, id, reason)
      return moved(id)
    }),
    approve: act(decision, ({ id, ...rest }) => approvals.approve(id, rest)),
    deny: act(decision, ({ id, ...rest }) => approvals.deny(id, rest)),
    erase: act(
      z.object({ subject_id: z.string().min(1), by: z.string().min(1), reason: z.string().min(1) }),
      ({ subject_id, by, reason }) => eraseSubject(subject_id, { by, reason }),
    ),
    retry: act(decision, ({ id, by }) => deadLetters.retry(id, { by })),
    settle: act(
      z.object({
        call_id: z.string(),
        happened: z.boolean(),
        output: z.unknown().optional(),
        by: z.string().optional(),
      }),
      async ({ call_id, happened, output, by }) => {
        const who = by === undefined ? {} : { by }
        await agents.settleCall(call_id, happened ? { happened, output, ...who } : { happened, ...who })
      },
    ),
  }
}

/** Gives up work for good: its runs are cancelled, its sessions ended; all on the record. */
async function cancelTree(
  { sessions, agents }: Pick<AttachableRuntime, 'agents' | 'sessions'>,
  id: string,
  reason: string,
): Promise<void> {
  await sessions.get(id)
  const below = new Set((await sessions.descendants(id)).map((row) => row.id))
  const rows = (await sessions.directory.rows()).filter((row) => row.id === id || below.has(row.id))
  // Those it started first, so that nothing is started anew by one whose children have just gone.
  for (const row of rows.toReversed()) {
    if (row.machine === 'agent' && row.outcome === null) await agents.cancel(row.id, reason)
    if (row.machine !== 'agent' && row.status !== 'completed' && row.status !== 'archived') {
      await sessions.end(row.id, { reason: 'exit' })
    }
  }
}
