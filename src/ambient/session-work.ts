/** Functions for what the scope's own session records of its work; inside a handler each is a durable call. */
import type { Session, SessionLike, SessionProgress } from '../sessions/session.ts'
import type { SessionService } from '../sessions/session-service.ts'
import { durably, inPassing } from '../sessions/scope.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { inProject, scopeOf } from './reading.ts'

/** How far a session is: phase, percent, steps, blockers. @throws RuntimeError `SESSION_UNKNOWN` */
export function getSessionProgress(session: SessionLike): Promise<SessionProgress> {
  return inProject('getSessionProgress', async ({ sessions }) => (await sessions.get(session)).progress)
}

function onOwn<T>(
  caller: string,
  work: (sessions: SessionService, id: string, key: string) => Promise<T>,
): Promise<T> {
  const tell = async (): Promise<T> => {
    const scope = scopeOf(caller)
    const id = scope.current ?? scope.owner?.id
    if (id === undefined || id === null) throw noSession(caller)
    return durably(scope, {
      kind: caller,
      name: id,
      prepare: () => ({ key: scope.runtime.newId('spend') }),
      execute: ({ key }) => work(scope.runtime.sessions, id, key),
    })
  }
  return inPassing(tell())
}

/** Says how far the scope's current session is. */
export function reportProgress(input: Parameters<SessionService['progress']>[1]): Promise<void> {
  return onOwn('reportProgress', (sessions, id) => sessions.progress(id, input))
}

/** Records a decision, and why it was taken. */
export function logDecision(input: Parameters<SessionService['decide']>[1]): Promise<void> {
  return onOwn('logDecision', (sessions, id) => sessions.decide(id, input))
}

/** Records a reference to something that was made. */
export function addArtifact(input: Parameters<SessionService['addArtifact']>[1]): Promise<void> {
  return onOwn('addArtifact', (sessions, id) => sessions.addArtifact(id, input))
}

/** Says how full the model's context is; above 85 % the session pauses after its next handoff, or after a minute. */
export function reportContext(
  input: Parameters<SessionService['reportContext']>[1],
): Promise<{ percent: number }> {
  return onOwn('reportContext', (sessions, id) => sessions.reportContext(id, input))
}

/** Books cost (USD) and tokens; once, also when a handler runs again. */
export function reportUsage(input: Omit<Parameters<SessionService['spend']>[1], 'spend_id'>): Promise<void> {
  return onOwn('reportUsage', (sessions, id, spend_id) => sessions.spend(id, { ...input, spend_id }))
}

/** Adds tags to the scope's current session. */
export function tagSession(...tags: readonly string[]): Promise<void> {
  return onOwn('tagSession', (sessions, id) => sessions.tag(id, { add: tags }))
}

export function untagSession(...tags: readonly string[]): Promise<void> {
  return onOwn('untagSession', (sessions, id) => sessions.tag(id, { remove: tags }))
}

/** Goes on in a successor, which becomes the scope's current session. */
export async function continueSession(): Promise<Session> {
  const scope = scopeOf('continueSession')
  const before = scope.current
  const id = await onOwn('continueSession', async (sessions, session, key) => {
    const successor = await sessions.continueIn(session, { session_id: key.replace('spend', 'sess') })
    return successor.id
  })
  const session = await scope.runtime.sessions.get(id)
  scope.current = id
  if (scope.owner?.id === before) scope.owner = { id, role: session.role, project: session.project }
  return session
}

function noSession(caller: string): RuntimeError {
  return new RuntimeError('NO_AMBIENT_SESSION', {
    happened: `${caller}() found no session in its scope.`,
    expected: 'A session started or resumed earlier in this scope.',
    todo: 'Call startSession first.',
  })
}
