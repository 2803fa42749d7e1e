/** Approvals whose run has ended: a request nobody needs any more is withdrawn, a grant that was not used is there again. */
import type { ToolCallContext } from '../../machines/tool-call.machine.ts'
import { toolCallMachine } from '../../machines/tool-call.machine.ts'
import type { Engine } from '../runtime/engine.ts'
import { approvalOf, approvalsIn, type Approval } from './approval.ts'
import type { ApprovalDesk } from './approval-desk.ts'

const ENDED = 'its run has ended'

/**
 * Settles the approvals of runs that have ended; of all of them, or of one. What a call that began has reserved is
 * consumed if the call has an outcome, and in doubt if not.
 */
export async function settleLeftovers(
  host: {
    readonly engine: Engine
    readonly desk: ApprovalDesk
    readonly hasEnded: (runId: string) => Promise<boolean>
  },
  runId?: string,
): Promise<void> {
  const { engine, desk } = host
  for (const actor of await approvalsIn(engine, new Set(['requested', 'reserved', 'in_doubt']))) {
    const approval = approvalOf(actor)
    desk.asking.add(approval.run_id)
    if (runId !== undefined && approval.run_id !== runId) continue
    if (!(await host.hasEnded(approval.run_id))) continue
    await settleOne({ engine, desk }, approval)
    if (runId !== undefined) desk.asking.delete(runId)
  }
}

async function settleOne(
  { engine, desk }: { readonly engine: Engine; readonly desk: ApprovalDesk },
  { approval_id, status, reserved_by }: Approval,
): Promise<void> {
  if (status === 'requested') return desk.withdraw(approval_id, ENDED)
  const found = reserved_by === null ? undefined : await engine.find(reserved_by)
  if (found?.machine !== toolCallMachine.id) return desk.release(approval_id, ENDED)
  const call = found.actor.getSnapshot() as unknown as { value: string; context: ToolCallContext }
  if (call.context.attempts === 0) return desk.release(approval_id, ENDED)
  // After a doubt, somebody has found out.
  if (call.value === 'settled') return desk.consume(approval_id)
  return desk.doubt(approval_id)
}
