/**
 * Which handoffs are on their way, and who took those that came: a projection folded from the log.
 *
 * Owns: one entry per handoff.
 * Never: is asked for a decision; the receiver's machine decides what is new and what is claimed.
 */
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Handoff, HandoffClaimed } from '../../machines/session-record.ts'

/** A handoff without its contents. */
export type HandoffEntry = Pick<
  Handoff,
  'handoff_id' | 'type' | 'from' | 'to' | 'at' | 'claimed_by' | 'claim'
> & {
  /** Generated and not received yet, received and not claimed, claimed. */
  readonly state: 'on_its_way' | 'waiting' | 'claimed'
  readonly correlation_id: string
}

export type HandoffBoard = {
  fold(event: RecordedEvent): void
  /** Leaves out what these received, and what they sent and nobody received. */
  forget(ids: ReadonlySet<string>): void
  /** Sent and not received, oldest first. */
  undelivered(): Handoff[]
  /** All of them, oldest first. */
  entries(): HandoffEntry[]
}

export function createHandoffBoard(): HandoffBoard {
  const sent = new Map<string, Handoff>()
  const entries = new Map<string, HandoffEntry>()

  const claimed = ({ handoff_id, by, claim }: HandoffClaimed): void => {
    const entry = entries.get(handoff_id)
    if (entry === undefined) return
    entries.set(handoff_id, {
      ...entry,
      state: 'claimed',
      claimed_by: by,
      ...(claim !== undefined && { claim }),
    })
  }
  return {
    fold({ event_type, payload, correlation_id }) {
      if (event_type === 'handoff.claimed') return claimed(payload as unknown as HandoffClaimed)
      if (event_type !== 'handoff.generated' && event_type !== 'handoff.received') return
      const { handoff } = payload as unknown as { handoff: Handoff }
      const { handoff_id, type, from, to, at } = handoff
      const entry = { handoff_id, type, from, to, at, correlation_id, claimed_by: null }
      if (event_type === 'handoff.generated') {
        sent.set(handoff_id, handoff)
        entries.set(handoff_id, { ...entry, state: 'on_its_way' })
        return
      }
      sent.delete(handoff_id)
      entries.set(handoff_id, { ...entry, state: 'waiting' })
    },
    forget(ids) {
      for (const [id, { from, to, state }] of entries) {
        if (!ids.has(to) && !(ids.has(from) && state === 'on_its_way')) continue
        entries.delete(id)
        sent.delete(id)
      }
    },
    undelivered: () => [...sent.values()],
    entries: () => [...entries.values()],
  }
}

/** The handoffs that led to this one, oldest first: each was sent by who had received the one before. Pure. */
export function chainOf(entries: readonly HandoffEntry[], handoffId: string): HandoffEntry[] {
  const chain: HandoffEntry[] = []
  let index = entries.findIndex(({ handoff_id }) => handoff_id === handoffId)
  while (index !== -1) {
    const link = entries[index]
    if (link === undefined) break
    chain.unshift(link)
    // Only an earlier one can have led to it, so the walk ends.
    index = entries.slice(0, index).findLastIndex(({ to }) => to === link.from)
  }
  return chain
}
