/** An approval as callers see it, read from its machine. */
import { approvalMachine, type ApprovalContext } from '../../machines/approval.machine.ts'
import { unlessErased } from '../runtime/cell/cell-errors.ts'
import type { Engine } from '../runtime/engine.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'

export type ApprovalStatus =
  | 'requested'
  | 'granted'
  | 'reserved'
  | 'in_doubt'
  | 'consumed'
  | 'denied'
  | 'expired'
  | 'withdrawn'

/** A decision that a person is asked for, or has made. */
export type Approval = Omit<ApprovalContext, 'ttl_ms'> & { readonly status: ApprovalStatus }

export type ApprovalActor = DurableActor<typeof approvalMachine>

/** Begins the id of every approval. */
export const APPROVAL_PREFIX = 'appr_'

export function approvalOf(actor: ApprovalActor): Approval {
  const { context, value } = actor.getSnapshot()
  const { ttl_ms: _ttl, ...rest } = context
  return { ...rest, status: value }
}

/** The approval with this id, awake; `undefined` if there is none. */
export async function findApproval(engine: Engine, id: string): Promise<ApprovalActor | undefined> {
  if (!id.startsWith(APPROVAL_PREFIX)) return undefined
  const found = await engine.find(id)
  return found?.machine === approvalMachine.id ? found.actor : undefined
}

/** Every approval in one of these states, oldest first: ids grow with time. */
export async function approvalsIn(
  engine: Engine,
  statuses?: ReadonlySet<ApprovalStatus>,
): Promise<ApprovalActor[]> {
  const actors: ApprovalActor[] = []
  for await (const { stream_id, machine, state } of engine.store.heads(APPROVAL_PREFIX)) {
    if (machine.slice(0, machine.lastIndexOf('@')) !== approvalMachine.id) continue
    if (statuses !== undefined && !statuses.has(state as ApprovalStatus)) continue
    const actor = await unlessErased(findApproval(engine, stream_id))
    if (actor !== undefined) actors.push(actor)
  }
  return actors
}
