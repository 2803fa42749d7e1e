/** The door for people: what waits for a decision, and the decision itself, once, on the record. */
import { z } from 'zod'
import { checkedInput } from '../runtime/checked-input.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import {
  approvalOf,
  approvalsIn,
  findApproval,
  type Approval,
  type ApprovalActor,
  type ApprovalStatus,
} from './approval.ts'
import { notOpen, otherCall, unknownApproval } from './approval-errors.ts'
import { refusalBy, type LifecycleGate } from './lifecycle-gate.ts'
import { PermissionDeniedError } from './permission-denied-error.ts'

const STATUSES = [
  'requested',
  'granted',
  'reserved',
  'in_doubt',
  'consumed',
  'denied',
  'expired',
  'withdrawn',
] as const satisfies readonly ApprovalStatus[]

const personSchema = z.string().trim().min(1).max(200)
const approveSchema = z.object({
  /** Who decides. */
  by: personSchema,
  note: z.string().max(10_000).optional(),
  /** Which call the person was shown; another one's id or fingerprint is refused. */
  call_id: z.string().optional(),
  fingerprint: z.string().optional(),
  /** For a budget: the amount that is added, USD and tokens. Default: what the request names. */
  usd: z.number().positive().max(1e9).optional(),
  tokens: z.number().int().positive().optional(),
})
const denySchema = z.object({
  by: personSchema,
  reason: z.string().max(10_000).optional(),
  call_id: z.string().optional(),
  fingerprint: z.string().optional(),
})
const listSchema = z.object({
  /** Default `requested`: what waits for a decision. */
  status: z.enum([...STATUSES, 'all']).default('requested'),
  session_id: z.string().optional(),
  run_id: z.string().optional(),
  project: z.string().optional(),
})
export type Approve = z.input<typeof approveSchema>
export type Deny = z.input<typeof denySchema>
export type ListApprovals = z.input<typeof listSchema>

export interface ApprovalService {
  /** What waits for a decision, or stands in another state; oldest first. */
  list(filter?: ListApprovals): Promise<Approval[]>
  /** @throws RuntimeError `APPROVAL_UNKNOWN` */
  get(id: string): Promise<Approval>
  /**
   * Allows it, once: the call that waits goes on. The hooks of `approval:grant` are asked about it first.
   *
   * @throws RuntimeError `APPROVAL_UNKNOWN`, `APPROVAL_DECIDED`, `APPROVAL_EXPIRED`, `APPROVAL_MISMATCH`,
   * `INPUT_INVALID`; PermissionDeniedError when a hook says that this person may not
   */
  approve(id: string, decision: Approve): Promise<Approval>
  /** Refuses it for good. No hook is asked: stopping is never blocked. @throws like `approve` */
  deny(id: string, decision: Deny): Promise<Approval>
}

export function createApprovalService(host: {
  readonly engine: Engine
  readonly gate: LifecycleGate
}): ApprovalService {
  const { engine, gate } = host

  const open = async (
    id: string,
    shown: { readonly call_id?: string | undefined; readonly fingerprint?: string | undefined },
  ): Promise<ApprovalActor> => {
    const actor = await findApproval(engine, id)
    if (actor === undefined) throw unknownApproval(id)
    const approval = approvalOf(actor)
    const { call_id = approval.call_id, fingerprint = approval.fingerprint } = shown
    if (call_id !== approval.call_id) throw otherCall(approval, call_id)
    if (fingerprint !== approval.fingerprint) throw otherCall(approval, fingerprint)
    if (approval.status !== 'requested') throw notOpen(approval)
    return actor
  }

  return {
    async list(raw = {}) {
      const { status, ...filter } = checkedInput(listSchema, raw, 'approvals.list')
      const all = await approvalsIn(engine, status === 'all' ? undefined : new Set([status]))
      const wanted = Object.entries(filter) as [keyof typeof filter, string | undefined][]
      return all
        .map(approvalOf)
        .filter(
          (approval) =>
            (status === 'all' || approval.status === status) &&
            wanted.every(([field, value]) => value === undefined || approval[field] === value),
        )
    },
    async get(id) {
      const actor = await findApproval(engine, id)
      if (actor === undefined) throw unknownApproval(id)
      return approvalOf(actor)
    },
    async approve(id, raw) {
      const decision = checkedInput(approveSchema, raw, 'approvals.approve')
      const { by, note, usd, tokens } = decision
      const actor = await open(id, decision)
      const approval = approvalOf(actor)
      const { testimony, verdict } = await gate({
        name: 'approval:grant',
        parameters: { approval_id: id, by, tool: approval.tool, call_id: approval.call_id },
        role: approval.agent_role,
        project: approval.project,
        session_id: approval.session_id,
        run_id: approval.run_id,
      })
      const refusal = refusalBy(verdict)
      const { accepted } = await actor.send(
        {
          type: 'approval.granted',
          by,
          ...(note !== undefined && { note }),
          ...((usd ?? tokens) !== undefined && { terms: { usd: usd ?? null, tokens: tokens ?? null } }),
          testimony,
          at: isoTime(engine.clock),
        },
        { source: by, ...(refusal && { ifRefused: refusal }) },
      )
      if (accepted) return approvalOf(actor)
      if (!verdict.allowed && approvalOf(actor).status === 'requested') {
        throw new PermissionDeniedError(verdict.reason, verdict.alternatives, {
          hook: verdict.by,
          tool_name: 'approval:grant',
        })
      }
      // Somebody else was quicker, or its time was up.
      throw notOpen(approvalOf(actor))
    },
    async deny(id, raw) {
      const decision = checkedInput(denySchema, raw, 'approvals.deny')
      const { by, reason = 'denied by a person' } = decision
      const actor = await open(id, decision)
      const fact = { type: 'approval.denied', by, reason, at: isoTime(engine.clock) } as const
      const { accepted } = await actor.send(fact, { source: by })
      if (!accepted) throw notOpen(approvalOf(actor))
      return approvalOf(actor)
    },
  }
}
