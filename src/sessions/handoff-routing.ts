/** Finds the receiver of a handoff from its type, as the article's functions name none. */
import type { Role } from '../../machines/session-record.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { Scope } from './scope.ts'

const RANK: Readonly<Record<Role, number>> = { workagent: 0, supervisor: 1, orchestrator: 2 }

export type HandoffRoute = { readonly from: string; readonly to: string }

/**
 * The k-th `A_to_B` goes to the oldest child of role B that has none of this type; upwards it goes to the parent;
 * `A_completion` goes to the parent; `A_continuation` stays with the sender. The receiver is fixed by the order of
 * the calls, here and now; its id may come later.
 *
 * @throws RuntimeError `HANDOFF_UNROUTABLE`
 */
export function routeHandoff(
  scope: Scope,
  type: string,
  parentOf: (sessionId: string) => Promise<string | null>,
): () => Promise<HandoffRoute> {
  const { owner } = scope
  if (owner === null) throw unroutable(type, 'no session was started in this scope')
  const from = owner.id
  const [sender, receiver] = type.split('_to_') as [string, string | undefined]
  if (receiver === undefined && type.endsWith('_continuation')) return async () => ({ from, to: from })
  const upwards =
    type.endsWith('_completion') ||
    (RANK[receiver as Role] ?? -1) > (RANK[sender as Role] ?? RANK[owner.role])
  if (upwards) {
    return async () => {
      const parent = await parentOf(from)
      if (parent === null) throw unroutable(type, `"${from}" has no parent`)
      return { from, to: parent }
    }
  }
  const slot = scope.children.find((child) => child.role === receiver && !child.handoffs.has(type))
  if (slot === undefined)
    throw unroutable(type, `nothing with role "${receiver}" was started here that waits for one`)
  // Taken at once, so that two handoffs in parallel never find the same child.
  slot.handoffs.add(type)
  return async () => ({ from, to: await slot.id })
}

/** Whether code outside of a handler hands something down to the very role of the session it had started first. */
export function speaksFromAbove({ owner, runId }: Scope, type: string): boolean {
  const [sender, receiver] = type.split('_to_')
  if (owner === null || runId !== null || receiver !== owner.role) return false
  return (RANK[sender as Role] ?? -1) > RANK[owner.role]
}

function unroutable(type: string, why: string): RuntimeError {
  return new RuntimeError('HANDOFF_UNROUTABLE', {
    happened: `Handoff "${type}" has no receiver: ${why}.`,
    expected:
      'A type such as "supervisor_to_workagent" with a started child of that role, or a completion with a parent.',
    todo: 'Start the receiver first, or give `to` with its id.',
    details: { type },
  })
}
