/** What goes wrong when a person decides: the id is unknown, decided already, out of time, or another call's. */
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { Approval } from './approval.ts'

export function unknownApproval(id: string): RuntimeError {
  return new RuntimeError('APPROVAL_UNKNOWN', {
    happened: `There is no approval "${id}".`,
    expected: 'The id of an approval that was requested in this project folder.',
    todo: 'List what waits with runtime.approvals.list(); nothing was decided.',
    details: { approval_id: id },
  })
}

/** Why it can no longer be decided. */
export function notOpen(approval: Approval): RuntimeError {
  const { approval_id, status, decided_by, decided_at, end_reason } = approval
  const details = { approval_id, status, decided_by, decided_at, end_reason }
  if (status === 'expired' || status === 'withdrawn') {
    return new RuntimeError('APPROVAL_EXPIRED', {
      happened: `Approval "${approval_id}" is ${status}: ${end_reason ?? 'it is over'}.`,
      expected: 'A request that is still open.',
      todo: 'Let the agent ask again; nothing was decided now.',
      details,
    })
  }
  return new RuntimeError('APPROVAL_DECIDED', {
    happened: `Approval "${approval_id}" was decided already: ${status === 'denied' ? 'denied' : 'granted'} by ${decided_by ?? 'somebody'}${decided_at === null ? '' : ` at ${decided_at}`}.`,
    expected: 'A request that nobody has decided.',
    todo: 'Nothing to do: the first decision stands.',
    details,
  })
}

export function otherCall(approval: Approval, given: string): RuntimeError {
  return new RuntimeError('APPROVAL_MISMATCH', {
    happened: `Approval "${approval.approval_id}" is for another call: ${approval.call_id} of "${approval.tool}", not ${given}.`,
    expected: 'The call, or the fingerprint, that the approval was requested for.',
    todo: 'Look at it with runtime.approvals.get(id) and decide on what it says; nothing was decided.',
    details: {
      approval_id: approval.approval_id,
      call_id: approval.call_id,
      fingerprint: approval.fingerprint,
      given,
    },
  })
}
