/** A tool call that a person has to allow: asked for once, waited for without a place at work, reserved before it begins. */
import type { toolCallMachine } from '../../machines/tool-call.machine.ts'
import type { Verdict } from '../../machines/testimony.ts'
import type { Approval } from '../permissions/approval.ts'
import type { ApprovalDesk } from '../permissions/approval-desk.ts'
import { callFingerprint } from '../permissions/fingerprint.ts'
import { isoTime } from '../runtime/clock.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'
import type { Engine } from '../runtime/engine.ts'
import { interrupted } from './journal-errors.ts'
import type { WaitForPerson } from './person-wait.ts'

export type ApprovalHost = {
  readonly engine: Engine
  readonly approvals: ApprovalDesk
  readonly waitForPerson: WaitForPerson
}

type Call = {
  readonly host: ApprovalHost
  readonly callId: string
  readonly actor: DurableActor<typeof toolCallMachine>
  readonly caller: { readonly run_id: string; readonly signal: AbortSignal }
}

/** Where this call's permission will come from, if the hooks leave it to a person: a grant that fits, or a new request. */
export async function approvalFor(call: Call, verdict: Verdict): Promise<string | undefined> {
  if (verdict.requires_approval !== true) return undefined
  const { approvals } = call.host
  const grant = await approvals.unusedGrant(fingerprintOf(call), call.callId)
  // Of two calls that want the same grant, one gets it; the other asks anew.
  const isOurs = grant !== undefined && (await approvals.reserve(grant, keyOf(call)))
  return isOurs ? grant : approvals.newApprovalId()
}

/** Waits for the person, and says on the call's record what was decided. */
export async function awaitApproval(call: Call): Promise<void> {
  const { host, actor, caller } = call
  const { approvals, engine } = host
  const { approval_id: id } = actor.getSnapshot().context
  if (id === null) throw new Error(`tool call ${call.callId} waits for no approval`)
  await requested(call, id)
  let decision: Approval
  try {
    const { run_id, signal } = caller
    decision = await host.waitForPerson({ run_id, approval_id: id, signal }, () =>
      approvals.decision(id, signal),
    )
  } catch (error) {
    if (caller.signal.aborted) throw interrupted(caller.run_id)
    throw error
  }
  const at = isoTime(engine.clock)
  // Reserved first: whatever happens next, no other call can use it.
  if (await approvals.reserve(id, keyOf(call))) {
    await actor.send({ type: 'tool.approved', approval_id: id, by: decision.decided_by ?? '', at })
    return
  }
  const by = `approval:${id}`
  await actor.send({
    type: 'tool.denied',
    by,
    reason: refusal(decision),
    alternatives: decision.alternatives,
    at,
  })
}

/** Once per call: after a crash in between it is there already. */
async function requested(call: Call, id: string): Promise<void> {
  const { context } = call.actor.getSnapshot()
  await call.host.approvals.request(id, {
    subject: 'tool',
    fingerprint: fingerprintOf(call),
    tool: context.tool,
    capabilities: context.capabilities,
    parameters: context.parameters,
    call_id: call.callId,
    run_id: context.run_id,
    session_id: context.session_id,
    agent_role: context.agent_role,
    project: context.project,
    estimated_cost: context.estimated_cost,
    asked_by: context.verdict?.by ?? '',
    reason: context.verdict?.reason ?? '',
    alternatives: context.verdict?.alternatives ?? [],
  })
}

function refusal({ status, decided_by, note, end_reason }: Approval): string {
  if (status === 'denied') return `denied by ${decided_by ?? 'a person'}: ${note ?? 'no reason given'}`
  if (end_reason !== null) return `the approval is ${status}: ${end_reason}`
  return `the approval is ${status}, for another call`
}

/** Right before the call begins. False if the grant is not there for it any more. */
export async function isCovered(call: Call): Promise<boolean> {
  const { approval_id: id } = call.actor.getSnapshot().context
  return id === null || call.host.approvals.reserve(id, keyOf(call))
}

/** The call will not begin now. */
export async function giveBack(call: Call, reason: string): Promise<void> {
  const { approval_id: id, attempts } = call.actor.getSnapshot().context
  if (id !== null && attempts === 0) await call.host.approvals.release(id, reason)
}

/** The call is settled: its grant is used up, unless it was refused before it began. */
export async function useUp(call: Call): Promise<void> {
  const { approval_id: id, attempts } = call.actor.getSnapshot().context
  if (id !== null && attempts > 0) await call.host.approvals.consume(id)
}

/** It was begun before a crash, and nobody knows whether it happened. */
export async function doubtApproval(call: Call): Promise<void> {
  const { approval_id: id } = call.actor.getSnapshot().context
  if (id !== null) await call.host.approvals.doubt(id)
}

function fingerprintOf({ actor }: Call): string {
  const { tool, parameters, session_id } = actor.getSnapshot().context
  return callFingerprint({ tool, parameters, session_id })
}

function keyOf(call: Call): { call_id: string; fingerprint: string } {
  return { call_id: call.callId, fingerprint: fingerprintOf(call) }
}
