/** Ends a session by going on with its work in another: the latest handoff, the role, the tags and the name move over. */
import { z } from 'zod'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { Handoffs } from './handoffs.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { sessionId, type Session, type SessionLike } from './session.ts'
import { idSchema } from './session-input.ts'

const successionSchema = z.object({ session_id: idSchema.optional() })

export interface Succession {
  /**
   * Starts a successor with the session's role, project, parent and tags, gives it the session's latest handoff,
   * completes the session, and moves its name over. Called again after a crash in between, it finishes what is left.
   *
   * @throws RuntimeError `SESSION_UNKNOWN`, `SESSION_REFUSED` when the session has ended without a successor
   */
  continueIn(session: SessionLike, input?: z.input<typeof successionSchema>): Promise<Session>
}

/** What it needs of the sessions. */
type Host = Pick<Handoffs, 'handOff'> & {
  get(session: SessionLike): Promise<Session>
  start(
    input: Pick<Session, 'role' | 'project'> & {
      readonly session_id: string
      readonly tags: string[]
      readonly continues: string
      readonly parent_id?: string
    },
  ): Promise<Session>
  name(session: SessionLike, input: { session_name: string; tags?: readonly string[] }): Promise<Session>
  end(session: SessionLike, input: { reason: 'completed' }): Promise<void>
}

export function createSuccession(
  host: Host,
  { engine, newId }: { readonly engine: Engine; readonly newId: NewId },
): Succession {
  return {
    async continueIn(session, raw = {}) {
      const input = checkedInput(successionSchema, raw, 'continueIn')
      const id = sessionId(session)
      const before = await host.get(id)
      const ended = before.status === 'completed' || before.status === 'archived'
      if (ended && before.continued_in === null) throw hasEnded(id, before.status)
      const successor = before.continued_in ?? input.session_id ?? newId('sess')
      if (before.continued_in === null) {
        const fact = { type: 'session.continued', to_session: successor, at: isoTime(engine.clock) }
        const { accepted } = await engine.send(id, fact, { source: id })
        // Somebody else was faster: then theirs is the successor.
        if (!accepted) return this.continueIn(session, raw)
      }
      await host.start({
        session_id: successor,
        role: before.role,
        project: before.project,
        tags: [...before.tags],
        continues: id,
        ...(before.parent_id !== null && { parent_id: before.parent_id }),
      })
      if (before.handoff !== null) {
        // One for each successor, however often this is called.
        const handoff_id = `hand_for_${successor}`
        const { context } = before.handoff
        await host.handOff(
          { from: id, to: successor },
          { type: `${before.role}_continuation`, context: { ...context }, handoff_id },
        )
      }
      if (!ended) await host.end(id, { reason: 'completed' })
      if (before.name !== null) {
        await host.name(successor, { session_name: before.name, tags: [...before.tags] })
      }
      return host.get(successor)
    },
  }
}

function hasEnded(id: string, status: string): RuntimeError {
  return new RuntimeError('SESSION_REFUSED', {
    happened: `Session "${id}" cannot be continued: it is ${status}.`,
    expected: 'A session that is active or paused.',
    todo: 'Start a new session, and hand it what it needs with `to`.',
    details: { session_id: id, status },
  })
}
