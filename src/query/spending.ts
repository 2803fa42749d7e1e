/** What it cost: recorded costs and tokens, by session, role, agent, day, or what they were for. */
import type { EventStore } from '../../eventstore/event-store.ts'
import { checkedMoment } from './moment.ts'
import { reading, type QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'
import { growingTree, type TreeNode } from './tree.ts'

export type SpendingGroup = 'agent' | 'day' | 'role' | 'session' | 'what'

export const SPENDING_GROUPS: readonly SpendingGroup[] = ['session', 'role', 'agent', 'day', 'what']

export type SpendingQuestion = {
  /** Default `session`: the nearest one above the run. */
  readonly by?: SpendingGroup | undefined
  /** Only what this session or run and all below it spent. */
  readonly within?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

export type Spent = {
  /** How many costs were booked. */
  readonly bookings: number
  readonly tokens: number
  /** Millionths of a dollar, which add up exactly. */
  readonly cost_micro_usd: number
}

export type SpendingRow = Spent & {
  /** The session's id, the role, the agent's id, the day in UTC, or what it was for. */
  readonly key: string
  /** The name of a session, if it has one. */
  readonly name: string | null
}

export type Spending = {
  readonly by: SpendingGroup
  readonly total: Spent
  /** The dearest first. */
  readonly rows: readonly SpendingRow[]
}

type Booking = { readonly tokens?: number; readonly cost_micro_usd?: number; readonly what?: string }

const NOTHING: Spent = { bookings: 0, tokens: 0, cost_micro_usd: 0 }

/** @throws QueryError `QUERY_INVALID` */
export async function readSpending(
  log: Pick<EventStore, 'readAll'>,
  { by = 'session', within, since, until }: SpendingQuestion = {},
  call: QueryCall = {},
): Promise<Spending> {
  if (!SPENDING_GROUPS.includes(by)) throw invalidGroup(by)
  const from = since === undefined ? Number.NEGATIVE_INFINITY : checkedMoment(since, 'since')
  const before = until === undefined ? Number.POSITIVE_INFINITY : checkedMoment(until, 'until')
  const tree = growingTree()
  const spent = new Map<string, Spent>()
  let total = NOTHING
  for await (const event of log.readAll(reading(call))) {
    tree.take(event)
    if (event.event_type !== 'agent.spent') continue
    const at = Date.parse(event.timestamp)
    if (at < from || at >= before) continue
    const { nodes } = tree.state()
    const chain = chainOf(nodes, event.stream_id)
    if (within !== undefined && !chain.some(({ id }) => id === within)) continue
    const booking = event.payload as unknown as Booking
    const key = keyOf(by, chain, { stream: event.stream_id, day: event.timestamp.slice(0, 10), booking })
    spent.set(key, plus(spent.get(key) ?? NOTHING, booking))
    total = plus(total, booking)
  }
  const { nodes } = tree.state()
  const rows = Array.from(spent, ([key, sum]) => ({ key, name: nodes.get(key)?.name ?? null, ...sum }))
  rows.sort(by === 'day' ? (a, b) => (a.key < b.key ? -1 : 1) : (a, b) => b.cost_micro_usd - a.cost_micro_usd)
  return { by, total, rows }
}

/** The run that spent, and whom it stands below. */
function chainOf(nodes: ReadonlyMap<string, TreeNode>, id: string): TreeNode[] {
  const chain: TreeNode[] = []
  for (let node = nodes.get(id); node !== undefined && !chain.includes(node);) {
    chain.push(node)
    node = nodes.get(node.parent_id ?? '')
  }
  return chain
}

function keyOf(
  by: SpendingGroup,
  chain: readonly TreeNode[],
  { stream, day, booking }: { readonly stream: string; readonly day: string; readonly booking: Booking },
): string {
  switch (by) {
    case 'agent':
      return chain[0]?.agent_id ?? stream
    case 'day':
      return day
    case 'role':
      return chain[0]?.role ?? 'unknown'
    case 'session':
      return chain.find(({ kind }) => kind === 'session')?.id ?? stream
    case 'what':
      return booking.what ?? ''
  }
}

function plus(sum: Spent, { tokens = 0, cost_micro_usd = 0 }: Booking): Spent {
  return {
    bookings: sum.bookings + 1,
    tokens: sum.tokens + tokens,
    cost_micro_usd: sum.cost_micro_usd + cost_micro_usd,
  }
}

function invalidGroup(by: string): QueryError {
  return new QueryError('QUERY_INVALID', {
    happened: `Costs cannot be told by "${by}".`,
    expected: `Expected one of ${SPENDING_GROUPS.join(', ')}.`,
    todo: 'Correct `by`.',
    details: { path: 'by' },
  })
}
