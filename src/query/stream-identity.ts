/** Says of any stream whose it is: which actor, role and names stand behind it, from its first event. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { rootOf } from '../runtime/fold/child-address.ts'
import { DEAD_SUFFIX } from '../runtime/delivery/dead-letters.ts'
import { FORK_SUFFIX } from '../runtime/forks/fork-link.ts'
import { EFFECTS_SUFFIX } from '../runtime/effects/owed-effect.ts'
import { REFUSED_SUFFIX } from '../runtime/refusal-log.ts'

export type StreamIdentity = {
  /** The actor: the stream itself, or the one whose refusals, dead letters or history it keeps. */
  readonly actor: string
  /** The session above it, or the run that made the call; `null` for a root. */
  readonly above: string | null
  readonly role: string | null
  readonly agent_id: string | null
  /** Of a session when it was started. */
  readonly name: string | null
  /** The tool of a call. */
  readonly tool: string | null
}

/** The actor that a stream is about. */
export function actorOfStream(streamId: string): string {
  const suffix = [REFUSED_SUFFIX, DEAD_SUFFIX, FORK_SUFFIX, EFFECTS_SUFFIX].find((end) =>
    streamId.endsWith(end),
  )
  return suffix === undefined ? streamId : streamId.slice(0, -suffix.length)
}

type Input = {
  readonly role?: string
  readonly agent_role?: string
  readonly agent_id?: string
  readonly name?: string | null
  readonly tool?: string
  readonly run_id?: string
  readonly owner_id?: string
  readonly parent_id?: string | null
}

/** What the first event of an actor's stream says of it. */
function identityIn(first: RecordedEvent): StreamIdentity {
  const { input } = first.payload as { input?: unknown }
  const told = (typeof input === 'object' && input !== null ? input : {}) as Input
  const { stream_id: id } = first
  const { run_id, owner_id, parent_id } = told
  // Of a child actor the name says to which root it belongs.
  const owners = [run_id, owner_id, parent_id, rootOf(id)]
  return {
    actor: id,
    above: owners.find((each) => typeof each === 'string' && each !== id) ?? null,
    role: told.role ?? told.agent_role ?? null,
    agent_id: told.agent_id ?? null,
    name: told.name ?? null,
    tool: told.tool ?? null,
  }
}

/** Looks identities up, and keeps them for as long as the question is being answered. */
export function createIdentities(log: Pick<EventStore, 'readStream'>): {
  of(streamId: string): Promise<StreamIdentity>
  /** Whether a stream is an actor's own, or that of anything below it. */
  isWithin(streamId: string, actor: string): Promise<boolean>
} {
  const known = new Map<string, StreamIdentity>()
  const of = async (streamId: string): Promise<StreamIdentity> => {
    const actor = actorOfStream(streamId)
    const found = known.get(actor)
    if (found !== undefined) return found
    const identity = await lookUp(log, actor)
    known.set(actor, identity)
    return identity
  }
  const isWithin = async (streamId: string, wanted: string): Promise<boolean> => {
    const seen = new Set<string>()
    for (let id: string | null = actorOfStream(streamId); id !== null && !seen.has(id);) {
      if (id === wanted) return true
      seen.add(id)
      const { above }: StreamIdentity = await of(id)
      id = above
    }
    return false
  }
  return { of, isWithin }
}

async function lookUp(log: Pick<EventStore, 'readStream'>, actor: string): Promise<StreamIdentity> {
  for await (const first of log.readStream(actor, { toVersion: 1 })) return identityIn(first)
  return { actor, above: null, role: null, agent_id: null, name: null, tool: null }
}
