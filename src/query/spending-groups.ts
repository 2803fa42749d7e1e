/** By what costs and time can be told apart, and where each of them counts then. Pure. */
import type { Range, Reckoning } from '../billing/billable-hours.ts'
import type { Booking, LedgerEntry } from '../billing/ledger.ts'
import type { TreeNode, TreeState } from './tree.ts'
import { workTime, workTimeByDay, type WorkTime } from './work-time.ts'

export type SpendingGroup = 'agent' | 'day' | 'role' | 'session' | 'tree' | 'what'

export const SPENDING_GROUPS: readonly SpendingGroup[] = ['session', 'tree', 'role', 'agent', 'day', 'what']

/** A session or run, and those it stands below. */
export function chainOf({ nodes }: TreeState, id: string): TreeNode[] {
  const chain: TreeNode[] = []
  for (let node = nodes.get(id); node !== undefined && !chain.includes(node);) {
    chain.push(node)
    node = nodes.get(node.parent_id ?? '')
  }
  return chain
}

/** Under which key a booking counts. */
export function bookingKey(by: SpendingGroup, { event, payer }: Booking, tree: TreeState): string {
  switch (by) {
    case 'agent':
      return tree.nodes.get(event.stream_id)?.agent_id ?? event.stream_id
    case 'day':
      return event.timestamp.slice(0, 10)
    case 'role':
      return payer.role
    case 'session':
      return payer.session_id
    case 'tree':
      return chainOf(tree, event.stream_id).at(-1)?.id ?? payer.session_id
    case 'what':
      return (event.payload as { what?: string }).what ?? ''
  }
}

export type Timing = {
  readonly tree: TreeState
  readonly range: Range
  readonly reckoning: Reckoning
}

/** Under which keys a session's time counts. */
export function timesOf(
  by: SpendingGroup,
  entry: LedgerEntry,
  { tree, range, reckoning }: Timing,
): Iterable<[string, WorkTime]> {
  if (by === 'day') return workTimeByDay(entry, range, reckoning)
  const { session_id: id, role } = entry
  const key = {
    agent: tree.nodes.get(id)?.agent_id ?? id,
    role,
    session: id,
    tree: chainOf(tree, id).at(-1)?.id ?? id,
    what: '',
  }[by]
  return [[key, workTime(entry, range, reckoning)]]
}
