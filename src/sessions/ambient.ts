/** The article's functions for sessions and handoffs, over the ambient scope; inside a handler each is a durable call. */
import type { Role } from '../../machines/session-record.ts'
import type { NewId } from '../runtime/clock.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { routeHandoff, speaksFromAbove } from './handoff-routing.ts'
import { handoffSchema, type LoadedHandoff } from './handoffs.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { currentScope, durably, inPassing, requireScope, type Scope } from './scope.ts'
import { sessionId, type Session, type SessionEntry, type SessionLike } from './session.ts'
import type { ListSessions, SessionService, StartSession } from './session-service.ts'

type AmbientRuntime = {
  readonly sessions: SessionService
  readonly newId: NewId
  attend(session: SessionLike, options: { readonly run_id?: string }): Promise<string | undefined>
}

const inScope = (caller: string): Scope<AmbientRuntime> => requireScope<AmbientRuntime>(caller)

/**
 * Starts a session as a child of the scope's own; the first one in a scope without a session becomes its own.
 *
 * @throws RuntimeError `NO_AMBIENT_SESSION` outside of a scope, `INPUT_INVALID`
 */
export function startSession(input: Omit<StartSession, 'session_id' | 'parent_id'>): Promise<Session> {
  return inPassing(startInScope(input))
}

async function startInScope(input: Omit<StartSession, 'session_id' | 'parent_id'>): Promise<Session> {
  const scope = inScope('startSession')
  const { sessions, newId } = scope.runtime
  const parent = scope.owner
  const project = input.project ?? parent?.project
  // Code that was started for a session starts "its" session: that one, not a second.
  if (scope.adoptable && parent?.role === input.role && parent.project === project) {
    scope.adoptable = false
    return become(scope, parent.id)
  }
  const started = durably(scope, {
    kind: 'startSession',
    name: input.role,
    prepare: () => ({ session_id: newId('sess'), run_id: newId('run') }),
    execute: async ({ session_id, run_id }) => {
      const session = await sessions.start({
        ...input,
        session_id,
        ...(project !== undefined && { project }),
        ...(parent !== null && { parent_id: parent.id }),
      })
      // A delegated session has somebody to work for it, if its role has code.
      if (parent !== null) await scope.runtime.attend(session_id, { run_id })
      return session.id
    },
  })
  if (parent !== null) addSlot(scope, { id: started, role: input.role })
  return become(scope, await started)
}

/** Makes a session the scope's current one, and its own if it has none. */
async function become(scope: Scope<AmbientRuntime>, id: string): Promise<Session> {
  scope.current = id
  const session = await scope.runtime.sessions.get(id)
  scope.owner ??= { id, role: session.role, project: session.project }
  return session
}

/** Keeps the start's place in the order of calls, whether or not it succeeds. */
export function addSlot(
  scope: Scope,
  child: { readonly id: Promise<string>; readonly role: Session['role'] },
): void {
  void inPassing(child.id)
  scope.children.push({ ...child, handoffs: new Set() })
}

/** Names and tags the session most recently started in this scope, or the one given. @throws RuntimeError `SESSION_NAME_CONFLICT` */
export function nameSession(input: {
  session_name: string
  tags?: readonly string[]
  session_id?: SessionLike
}): Promise<Session> {
  return inPassing(nameInScope(input))
}

async function nameInScope(input: Parameters<typeof nameSession>[0]): Promise<Session> {
  const scope = inScope('nameSession')
  const id = input.session_id === undefined ? current(scope, 'nameSession') : sessionId(input.session_id)
  const { session_name, tags = [] } = input
  await durably(scope, {
    kind: 'nameSession',
    name: session_name,
    execute: async () => {
      await scope.runtime.sessions.name(id, { session_name, tags })
      return id
    },
  })
  return scope.runtime.sessions.get(id)
}

/**
 * Writes a handoff and delivers it to whom its type names, or to `to`; resolves with its id.
 *
 * @throws RuntimeError `HANDOFF_UNROUTABLE`, `INPUT_INVALID`
 */
export function generateHandoff(input: {
  type: string
  context: Record<string, unknown>
  to?: SessionLike
}): Promise<string> {
  return inPassing(generateInScope(input))
}

async function generateInScope(input: Parameters<typeof generateHandoff>[0]): Promise<string> {
  const scope = inScope('generateHandoff')
  const { sessions, newId } = scope.runtime
  const { to } = input
  // Before a receiver is chosen: a bad handoff must not take a child's place.
  const { type, context } = checkedInput(handoffSchema, input, 'generateHandoff')
  if (to === undefined && speaksFromAbove(scope, type)) await standAbove(scope, type)
  const parentOf = async (id: string): Promise<string | null> => (await sessions.get(id)).parent_id
  const from = scope.owner?.id ?? current(scope, 'generateHandoff')
  const route =
    to === undefined ? routeHandoff(scope, type, parentOf) : async () => ({ from, to: sessionId(to) })
  return durably(scope, {
    kind: 'generateHandoff',
    name: type,
    prepare: () => ({ handoff_id: newId('hand') }),
    execute: async ({ handoff_id }) => sessions.handOff(await route(), { type, context, handoff_id }),
  })
}

/**
 * The article's orchestrator hands work down without a session of its own: one is started for it, above the session
 * that it had started.
 */
async function standAbove(scope: Scope<AmbientRuntime>, type: string): Promise<void> {
  const below = scope.owner
  const [role] = type.split('_to_') as [Role]
  if (below === null) return
  const above = await scope.runtime.sessions.start({ role, project: below.project, tags: ['implicit'] })
  scope.owner = { id: above.id, role, project: below.project }
  scope.children.unshift({ id: Promise.resolve(below.id), role: below.role, handoffs: new Set() })
}

/**
 * Claims the handoff of this type that is addressed to the scope's session; waits for one that comes late
 * (default 30,000 ms). Each call takes another one. @throws RuntimeError `HANDOFF_NOT_FOUND`, `HANDOFF_AMBIGUOUS`
 */
export function loadHandoff(type: string, options: { timeoutMs?: number } = {}): Promise<LoadedHandoff> {
  return inPassing(loadInScope(type, options))
}

async function loadInScope(type: string, options: { timeoutMs?: number }): Promise<LoadedHandoff> {
  const scope = inScope('loadHandoff')
  const id = scope.owner?.id ?? current(scope, 'loadHandoff')
  const { runId, signal } = scope
  const taken = await durably(scope, {
    kind: 'loadHandoff',
    waits: true,
    name: type,
    // A claim of its own for each call: run again after a crash, it finds what it had claimed, and only that.
    prepare: () => ({ claim: scope.runtime.newId('claim') }),
    execute: ({ claim }) =>
      scope.runtime.sessions.loadHandoff(id, {
        type,
        by: runId ?? id,
        // Code outside of a handler has no record of its calls: it gets again what its session had taken.
        ...(runId === null ? { inHand: scope.claimed } : { claim }),
        ...options,
        ...(signal && { signal }),
      }),
  })
  return taken
}

/**
 * Resumes a paused session by its name; it becomes the scope's current one. With `reopen`, one that has ended goes on
 * in a successor.
 *
 * @throws RuntimeError `SESSION_UNKNOWN`, `SESSION_AMBIGUOUS`, `SESSION_REFUSED` when it has ended and is not to be reopened
 */
export async function resumeNamedSession(input: {
  session_name: string
  project?: string
  reopen?: boolean
}): Promise<Session> {
  const scope = inScope('resumeNamedSession')
  const { sessions } = scope.runtime
  const id = await durably(scope, {
    kind: 'resumeNamedSession',
    name: input.session_name,
    execute: async () => {
      const project = input.project ?? scope.owner?.project
      const session = await sessions.byName(input.session_name, project)
      if (session === undefined) throw unknownName(input.session_name)
      if (session.status !== 'active') {
        return (await sessions.resume(session, { reopen: input.reopen === true })).id
      }
      return session.id
    },
  })
  return become(scope, id)
}

/** Resumes the scope's current session. @throws RuntimeError `NO_AMBIENT_SESSION`, `SESSION_REFUSED` */
export async function resumeCurrent(): Promise<Session> {
  const scope = inScope('resume')
  const id = current(scope, 'resume')
  await durably(scope, {
    kind: 'resume',
    name: id,
    execute: async () => {
      const { status } = await scope.runtime.sessions.get(id)
      if (status !== 'active') await scope.runtime.sessions.resume(id)
    },
  })
  return scope.runtime.sessions.get(id)
}

/** Named sessions by status and tags (all of them must match); archived ones only when asked for. */
export async function listNamedSessions(filter: ListSessions = {}): Promise<SessionEntry[]> {
  return inScope('listNamedSessions').runtime.sessions.list(filter)
}

/** Pauses the scope's current session, or the one given. */
export async function pauseSession(
  input: { session_id?: SessionLike; reason?: string; cascade?: boolean } = {},
): Promise<void> {
  const scope = inScope('pauseSession')
  const id = input.session_id === undefined ? current(scope, 'pauseSession') : sessionId(input.session_id)
  await durably(scope, {
    kind: 'pauseSession',
    name: id,
    execute: async () => {
      const { status } = await scope.runtime.sessions.get(id)
      if (status !== 'paused') await scope.runtime.sessions.pause(id, input)
    },
  })
}

/** Ends the scope's current session, or the one given. */
export async function endSession(
  input: { session_id?: SessionLike; reason?: 'completed' | 'interrupted' | 'exit' } = {},
): Promise<void> {
  const scope = inScope('endSession')
  const id = input.session_id === undefined ? current(scope, 'endSession') : sessionId(input.session_id)
  await durably(scope, {
    kind: 'endSession',
    name: id,
    execute: async () => {
      const { status } = await scope.runtime.sessions.get(id)
      if (status !== 'completed' && status !== 'archived') await scope.runtime.sessions.end(id, input)
    },
  })
}

/** The session that the current code belongs to; `undefined` outside of a scope. */
export function currentSessionId(): string | undefined {
  return currentScope()?.current ?? undefined
}

function current(scope: Scope, caller: string): string {
  if (scope.current !== null) return scope.current
  throw new RuntimeError('NO_AMBIENT_SESSION', {
    happened: `${caller}() found no session in its scope.`,
    expected: 'A session started or resumed earlier in this scope, or an explicit id.',
    todo: 'Call startSession first, or pass session_id.',
  })
}

function unknownName(name: string): RuntimeError {
  return new RuntimeError('SESSION_UNKNOWN', {
    happened: `There is no unarchived session named "${name}".`,
    expected: 'A name that nameSession gave.',
    todo: 'List the names with listNamedSessions({ status: "all" }).',
    details: { session_name: name },
  })
}
