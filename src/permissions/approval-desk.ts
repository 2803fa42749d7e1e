/** Approvals as a tool call needs them: asked for, waited for, reserved for one call, used up or given back. */
import { approvalMachine, type ApprovalInput } from '../../machines/approval.machine.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import {
  APPROVAL_PREFIX,
  approvalOf,
  approvalsIn,
  findApproval,
  type Approval,
  type ApprovalActor,
} from './approval.ts'

/** How long a request, and then its grant, is open unless told otherwise: a person may be on holiday. */
const DEFAULT_APPROVAL_TTL_MS = 14 * 24 * 60 * 60 * 1000

export type ApprovalWish = Omit<ApprovalInput, 'approval_id' | 'ttl_ms' | 'expires_at' | 'at'>

export type ApprovalDesk = {
  /** Runs that have asked, or may still have something of it open. */
  readonly asking: Set<string>
  /** Whether a person is asked on account of this run. */
  isAsking(runId: string): Promise<boolean>
  newApprovalId(): string
  /** Puts a request on record, once per id. `ttlMs`: how long it is open, unless that is as long as all are. */
  request(id: string, wish: ApprovalWish, ttlMs?: number): Promise<void>
  /** Resolves when somebody has decided, or its time was up; rejects with the signal's reason. */
  decision(id: string, signal: AbortSignal): Promise<Approval>
  /** A grant that nobody uses and that fits, or the one that this call has reserved already. */
  unusedGrant(fingerprint: string, callId: string): Promise<string | undefined>
  /** Takes the grant for one call; true also if that call has it. Nobody else can use it from then on. */
  reserve(id: string, call: { readonly call_id: string; readonly fingerprint: string }): Promise<boolean>
  /** The call did not begin. */
  release(id: string, reason: string): Promise<void>
  /** The call has been carried out, or has failed after it began. */
  consume(id: string): Promise<void>
  /** The call was begun before a crash, and its outcome is not known. */
  doubt(id: string): Promise<void>
  withdraw(id: string, reason: string): Promise<void>
}

export function createApprovalDesk(host: {
  readonly engine: Engine
  readonly newId: NewId
  readonly ttlMs?: number | undefined
}): ApprovalDesk {
  const { engine, newId } = host
  const usualTtlMs = host.ttlMs ?? DEFAULT_APPROVAL_TTL_MS
  const now = (): string => isoTime(engine.clock)
  /** Not accepted means that it is there already, or over; who calls looks at the state that matters to them. */
  const tell = async (id: string, event: Parameters<ApprovalActor['send']>[0]): Promise<boolean> =>
    (await (await existing(engine, id)).send(event)).accepted

  const asking = new Set<string>()
  return {
    asking,
    async isAsking(runId) {
      if (!asking.has(runId)) return false
      const open = await approvalsIn(engine, new Set(['requested']))
      return open.some((actor) => actor.getSnapshot().context.run_id === runId)
    },
    newApprovalId: () => newId(APPROVAL_PREFIX.slice(0, -1)),
    async request(id, wish, ttl_ms = usualTtlMs) {
      const at = engine.clock.now()
      asking.add(wish.run_id)
      await engine.spawn(approvalMachine, {
        id,
        createdAs: 'approval.requested',
        source: wish.run_id,
        correlationId: (await engine.find(wish.run_id))?.correlationId ?? wish.run_id,
        input: {
          ...wish,
          approval_id: id,
          ttl_ms,
          expires_at: new Date(at + ttl_ms).toISOString(),
          at: new Date(at).toISOString(),
        },
      })
    },
    async decision(id, signal) {
      const actor = await existing(engine, id)
      await untilDecided(actor, signal)
      return approvalOf(actor)
    },
    async unusedGrant(fingerprint, callId) {
      const granted = await approvalsIn(engine, new Set(['granted', 'reserved']))
      return granted
        .map(approvalOf)
        .find(
          (approval) =>
            approval.fingerprint === fingerprint &&
            approval.subject === 'tool' &&
            (approval.status === 'granted' || approval.reserved_by === callId),
        )?.approval_id
    },
    async reserve(id, { call_id, fingerprint }) {
      const actor = await existing(engine, id)
      const before = approvalOf(actor)
      if (before.status === 'reserved' && before.reserved_by === call_id) return true
      return (await actor.send({ type: 'approval.reserved', call_id, fingerprint, at: now() })).accepted
    },
    async release(id, reason) {
      await tell(id, { type: 'approval.released', reason, at: now() })
    },
    async consume(id) {
      await tell(id, { type: 'approval.consumed', at: now() })
    },
    async doubt(id) {
      await tell(id, { type: 'approval.doubted', at: now() })
    },
    async withdraw(id, reason) {
      await tell(id, { type: 'approval.withdrawn', reason, at: now() })
    },
  }
}

async function existing(engine: Engine, id: string): Promise<ApprovalActor> {
  const actor = await findApproval(engine, id)
  if (actor === undefined) throw new Error(`approval ${id} is not in the log`)
  return actor
}

async function untilDecided(actor: ApprovalActor, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const isOpen = (): boolean => actor.getSnapshot().value === 'requested'
  if (!isOpen()) return
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (isOpen()) return
      stop()
      resolve()
    }
    const giveUp = (): void => {
      stop()
      reject(signal.reason as Error)
    }
    const subscription = actor.subscribe({ next: look, complete: look })
    const stop = (): void => {
      subscription.unsubscribe()
      signal.removeEventListener('abort', giveUp)
    }
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
