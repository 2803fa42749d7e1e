/**
 * Goes on with the work of a session that has ended, in a successor; the ended one stays as it is.
 *
 * Owns: which sessions are being reopened now.
 * Never: starts a second successor of the same session.
 *
 * I1. Called again after a crash in between, it finds the successor that was started, and finishes what is left.
 */
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { isOpen, type SessionDirectory } from './directory.ts'
import type { Handoffs } from './handoffs.ts'
import type { Session, SessionLike } from './session.ts'

/** What it needs of the sessions. */
type Host = Pick<Handoffs, 'handOff'> & {
  get(session: SessionLike): Promise<Session>
  start(
    input: Pick<Session, 'role' | 'project'> & {
      readonly session_id: string
      readonly tags: string[]
      readonly continues: string
      readonly name?: string
      readonly parent_id?: string
    },
  ): Promise<Session>
  resume(session: SessionLike): Promise<Session>
}

type Parts = { readonly engine: Engine; readonly directory: SessionDirectory; readonly newId: NewId }

/** Resolves with the session at work that goes on with an ended one: the last of its successors, or a new one. */
export function createReopening(
  host: Host,
  { engine, directory, newId }: Parts,
): (id: string) => Promise<Session> {
  const underWay = new Map<string, Promise<Session>>()

  const successorOf = async (session: Session): Promise<Session | undefined> => {
    const row = (await directory.rows()).find(
      ({ id, continues }) => id === session.continued_in || continues === session.id,
    )
    return row && host.get(row.id)
  }
  const goOn = async (before: Session, successor: string): Promise<Session> => {
    const { id, role, project, name, parent_id, handoff } = before
    await host.start({
      session_id: successor,
      role,
      project,
      tags: [...before.tags],
      continues: id,
      ...(name !== null && { name }),
      ...(parent_id !== null && { parent_id }),
    })
    return finish(before, successor, handoff)
  }
  const finish = async (
    before: Session,
    successor: string,
    handoff: Session['handoff'],
  ): Promise<Session> => {
    if (handoff !== null && (await host.get(successor)).handoff === null) {
      // Of its own, as an archived session sends nothing.
      const context = { ...handoff.context }
      const continuation = {
        type: `${before.role}_continuation`,
        context,
        handoff_id: `hand_for_${successor}`,
      }
      await host.handOff({ from: successor, to: successor }, continuation)
    }
    if (before.status === 'completed' && before.continued_in === null) {
      const fact = { type: 'session.continued', to_session: successor, at: isoTime(engine.clock) }
      // It may be archived by now; then its successor alone says what it continues.
      await engine.send(before.id, fact, { source: before.id })
    }
    return host.get(successor)
  }
  const reopen = async (id: string): Promise<Session> => {
    let before = await host.get(id)
    let last = await successorOf(before)
    while (last !== undefined && !isOpen(last)) {
      before = last
      last = await successorOf(before)
    }
    if (last === undefined) return goOn(before, newId('sess'))
    if (last.status === 'created') return goOn(before, last.id)
    const finished = await finish(before, last.id, before.handoff)
    return finished.status === 'paused' ? host.resume(last) : finished
  }
  return (id) => {
    const under = underWay.get(id)
    if (under !== undefined) return under
    const work = reopen(id).finally(() => underWay.delete(id))
    underWay.set(id, work)
    return work
  }
}
