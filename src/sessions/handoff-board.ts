/**
 * Which handoffs are on their way, and who took those that came: a projection folded from the log.
 *
 * Owns: one entry per handoff.
 * Never: is asked for a decision; the receiver's machine decides what is new and what is claimed.
 */
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Handoff, HandoffClaimed } from '../../machines/session-record.ts'

/** A handoff that arrived, without its contents. */
export type HandoffEntry = Pick<Handoff, 'handoff_id' | 'type' | 'to' | 'claimed_by' | 'claim'> & {
  readonly correlation_id: string
}

export type HandoffBoard = {
  fold(event: RecordedEvent): void
  /** Sent and not received, oldest first. */
  undelivered(): Handoff[]
  /** Received, oldest first. */
  entries(): HandoffEntry[]
}

export function createHandoffBoard(): HandoffBoard {
  const sent = new Map<string, Handoff>()
  const arrived = new Map<string, HandoffEntry>()

  const claimed = ({ handoff_id, by, claim }: HandoffClaimed): void => {
    const entry = arrived.get(handoff_id)
    if (entry === undefined) return
    arrived.set(handoff_id, { ...entry, claimed_by: by, ...(claim !== undefined && { claim }) })
  }
  return {
    fold({ event_type, payload, correlation_id }) {
      if (event_type === 'handoff.claimed') return claimed(payload as unknown as HandoffClaimed)
      if (event_type !== 'handoff.generated' && event_type !== 'handoff.received') return
      const { handoff } = payload as unknown as { handoff: Handoff }
      const { handoff_id, type, to } = handoff
      if (event_type === 'handoff.generated') return void sent.set(handoff_id, handoff)
      sent.delete(handoff_id)
      arrived.set(handoff_id, { handoff_id, type, to, correlation_id, claimed_by: null })
    },
    undelivered: () => [...sent.values()],
    entries: () => [...arrived.values()],
  }
}
