/** Why a session stands where it stands: its state, why it was paused or ended, its handoffs, what it started. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { briefOf } from './events.ts'
import type { SessionExplained } from './explanation.ts'
import { ancestorOf, familyOf, type Surroundings } from './surroundings.ts'
import type { TreeNode } from './tree.ts'

type Core = Omit<SessionExplained, 'ancestors' | 'causes' | 'correlation_id' | 'event'>

/** Reads the session's stream as far as it goes. */
export async function explainSession(
  store: Pick<EventStore, 'readStream'>,
  node: TreeNode,
  around: Surroundings,
): Promise<Core> {
  const handoffs = { sent: 0, received: 0, claimed: 0 }
  let endReason: string | null = null
  let last: RecordedEvent | undefined
  for await (const event of store.readStream(node.id)) {
    last = event
    if (event.event_type === 'handoff.generated') handoffs.sent += 1
    if (event.event_type === 'handoff.received') handoffs.received += 1
    if (event.event_type === 'handoff.claimed') handoffs.claimed += 1
    if (event.event_type === 'session.completed') {
      endReason = (event.payload as { reason?: string }).reason ?? null
    }
  }
  if (last === undefined) throw new Error(`"${node.id}" has no events`)
  const family = familyOf(around, node.id)
  const children = [...around.tree.nodes.values()].filter((each) => each.parent_id === node.id)
  return {
    kind: 'session',
    session_id: node.id,
    name: node.name,
    role: node.role,
    project: node.project,
    tags: node.tags,
    state: node.state,
    pause_reason: node.pause_reason,
    end_reason: endReason,
    phase: node.phase,
    percent: node.percent,
    handoffs: {
      sent: handoffs.sent,
      received: handoffs.received,
      unclaimed: handoffs.received - handoffs.claimed,
    },
    children: children.map(ancestorOf),
    refusals: around.refusals.filter((refusal) => family.has(refusal.who)),
    last_event: briefOf(last),
  }
}
