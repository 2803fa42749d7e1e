/** Sessions with explicit ids: started, named, paused, resumed, ended, listed; each a machine, each wish through the gate. */
import { z } from 'zod'
import { sessionMachine } from '../../machines/session.machine.ts'
import type { SessionRecord } from '../../machines/session-record.ts'
import type { LifecycleGate } from '../permissions/lifecycle-gate.ts'
import { refusalBy } from '../permissions/lifecycle-gate.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Receipt } from '../runtime/cell/cell.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { allTags, type SessionDirectory, type SessionRow } from './directory.ts'
import { createHandoffs, type Handoffs } from './handoffs.ts'
import { inboxOf } from './inbox.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { AssertMayStart } from './spawn-rules.ts'
import { createReopening } from './reopening.ts'
import { createSuccession, type Succession } from './succession.ts'
import { createSessionWork, type SessionWork } from './session-work.ts'
import { idSchema, projectSchema, sessionNameSchema, tagsSchema } from './session-input.ts'
import {
  sessionEntry,
  sessionId,
  sessionValue,
  type Session,
  type SessionEntry,
  type SessionLike,
  type SessionStatus,
} from './session.ts'

const roleSchema = z.enum(['orchestrator', 'supervisor', 'workagent'])

export const startSchema = z.object({
  role: roleSchema,
  project: projectSchema.optional(),
  name: sessionNameSchema.optional(),
  tags: tagsSchema.optional(),
  parent_id: idSchema.optional(),
  session_id: idSchema.optional(),
  /** The session whose work it goes on with; see `continueIn`. */
  continues: idSchema.optional(),
})
export type StartSession = z.infer<typeof startSchema>

const nameSchema = z.object({ session_name: sessionNameSchema, tags: tagsSchema.default([]) })

const listSchema = z.object({
  status: z.enum(['created', 'active', 'paused', 'completed', 'continued', 'archived', 'all']).optional(),
  /** All of them must match. */
  tags: tagsSchema.optional(),
  /** At least one of them must match. */
  anyTags: tagsSchema.optional(),
  kind: z.enum(['foreground', 'background']).optional(),
  project: z.string().optional(),
  /** Default true: only sessions that have a name. */
  named: z.boolean().default(true),
})
export type ListSessions = z.input<typeof listSchema>

export interface SessionService extends Handoffs, SessionWork, Succession {
  /** Starts a session: created, then active, both on disk. */
  start(input: StartSession): Promise<Session>
  /** @throws RuntimeError `SESSION_UNKNOWN` */
  get(session: SessionLike): Promise<Session>
  /** Names a session and replaces its tags. @throws RuntimeError `SESSION_NAME_CONFLICT` */
  name(session: SessionLike, input: { session_name: string; tags?: readonly string[] }): Promise<Session>
  /**
   * The session of this name: the one that has not ended, else the latest that has.
   * @throws RuntimeError `SESSION_AMBIGUOUS` when several projects have one and none is given
   */
  byName(session_name: string, project?: string): Promise<Session | undefined>
  list(filter?: ListSessions): Promise<SessionEntry[]>
  /**
   * Pauses a session and the run that works for it, and with `cascade` all that it started: those that can be are
   * paused, even if others refuse.
   * @throws RuntimeError `SESSION_REFUSED`, for the first that refused
   */
  pause(session: SessionLike, input?: { reason?: string; cascade?: boolean }): Promise<void>
  /** With `reopen`, a session that has ended goes on in a successor. @throws RuntimeError `SESSION_REFUSED` */
  resume(session: SessionLike, input?: { cascade?: boolean; reopen?: boolean }): Promise<Session>
  /** Ends it: `completed` and `exit` for good, `interrupted` as a pause that can be resumed. */
  end(session: SessionLike, input?: { reason?: 'completed' | 'interrupted' | 'exit' }): Promise<void>
  /** All that a session started, and what those started, in the order of starting. */
  descendants(session: SessionLike): Promise<SessionRow[]>
  readonly directory: SessionDirectory
}

export type SessionServiceOptions = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly gate: LifecycleGate
  readonly newId: NewId
  readonly defaultProject: string
  /** Aborts when the runtime closes. */
  readonly closing: AbortSignal
  readonly assertMayStart: AssertMayStart
  /** Whether each kind of handoff has to say what its receiver needs; default false. */
  readonly strictHandoffs?: boolean | undefined
}

export function createSessionService(options: SessionServiceOptions): SessionService {
  const { engine, directory, gate, newId } = options
  const { clock } = engine

  const record = async (
    id: string,
  ): Promise<{ record: SessionRecord; status: SessionStatus; machine: string }> => {
    const found = await engine.find(id)
    if (found === undefined || (found.machine !== 'session' && found.machine !== 'agent'))
      throw unknownSession(id)
    const snapshot = found.actor.getSnapshot() as { context: SessionRecord; value: SessionStatus }
    return { record: snapshot.context, status: snapshot.value, machine: found.machine }
  }
  const get = async (session: SessionLike): Promise<Session> => {
    const found = await record(sessionId(session))
    const value = sessionValue(found.record, found.status)
    // A door and no data: it is not listed, copied or compared with the rest.
    return Object.defineProperty(value, 'inbox', { value: inboxOf(options, value.id) }) as Session
  }
  /** Asks the hooks, offers the fact with their testimony, and says a refusal as an error. */
  const gated = async (
    id: string,
    wish: string,
    fact: { type: string; reason?: string },
  ): Promise<Receipt> => {
    const { record: session } = await record(id)
    const { testimony, verdict } = await gate({
      name: wish,
      parameters: { session_id: id, ...(fact.reason !== undefined && { reason: fact.reason }) },
      role: session.role,
      project: session.project,
      session_id: id,
    })
    const refusal = refusalBy(verdict)
    const receipt = await engine.send(id, { ...fact, at: isoTime(clock), testimony } as { type: string }, {
      source: id,
      ...(refusal && { ifRefused: refusal }),
    })
    if (!receipt.accepted) throw refused(id, wish, receipt)
    return receipt
  }
  const descendants = async (session: SessionLike): Promise<SessionRow[]> => {
    const family = new Set([sessionId(session)])
    const rows: SessionRow[] = []
    for (const row of await directory.rows()) {
      const parents = [row.parent_id, row.owner_id === row.id ? null : row.owner_id]
      if (!parents.some((parent) => parent !== null && family.has(parent))) continue
      family.add(row.id)
      rows.push(row)
    }
    return rows
  }
  const byName = async (session_name: string, project?: string): Promise<Session | undefined> => {
    const rows = (await directory.rows()).filter(
      (row) => row.name === session_name && (project === undefined || row.project === project),
    )
    const open = rows.filter((row) => !hasEnded(row.status))
    if (open.length > 1) throw ambiguousName(session_name, open)
    const row = open[0] ?? rows.at(-1)
    return row && get(row.id)
  }
  const assertNameFree = async (name: string, project: string, id: string): Promise<void> => {
    const holder = await byName(name, project)
    if (holder !== undefined && holder.id !== id && !hasEnded(holder.status))
      throw nameConflict(name, project, holder.id)
  }
  /** One at a time, so that of two who want the same name at once one gets it. */
  let naming: Promise<unknown> = Promise.resolve()
  const whileNaming = <T>(work: () => Promise<T>): Promise<T> => {
    const done = naming.then(work)
    naming = done.catch(() => {})
    return done
  }
  const isAtWork = async (row: SessionRow): Promise<boolean> => {
    const { status } = await record(row.id)
    return status === 'active' || (status === 'created' && row.machine === 'agent')
  }
  /** Pauses one of a tree; `undefined` if it is paused or has ended, the refusal if there is one. */
  const pauseIfAtWork = async (row: SessionRow, reason: string): Promise<unknown> => {
    try {
      if (await isAtWork(row)) await gated(row.id, 'session:pause', { type: 'session.paused', reason })
      return undefined
    } catch (error) {
      // It may have ended by itself while the hooks were asked.
      return (await isAtWork(row)) ? error : undefined
    }
  }
  const pauseTree = async (id: string, reason: string): Promise<void> => {
    const asked = new Map<string, unknown>()
    for (;;) {
      // Again, as a start may have been under way when its starter was paused.
      const rows = (await descendants(id)).filter((row) => !asked.has(row.id) && !hasEnded(row.status))
      if (rows.length === 0) break
      const answers = await Promise.all(rows.map((row) => pauseIfAtWork(row, reason)))
      for (const [index, row] of rows.entries()) asked.set(row.id, answers[index])
    }
    const refusal = [...asked.values()].find((error) => error !== undefined)
    if (refusal !== undefined) throw refusal
  }
  const resumeTree = async (id: string): Promise<void> => {
    let refusal: unknown
    for (const row of await descendants(id)) {
      // What is parked waits for a person, not for its parent.
      if (row.status !== 'paused' || row.parked) continue
      try {
        await gated(row.id, 'session:resume', { type: 'session.resumed' })
      } catch (error) {
        if ((await record(row.id)).status === 'paused') refusal ??= error
      }
    }
    if (refusal !== undefined) throw refusal
  }
  /** What works for a session stops with it, or it would work unbilled and beyond its deadline. */
  const pauseHands = async (id: string, reason: string): Promise<void> => {
    for (const row of await directory.rows()) {
      if (row.owner_id !== id || row.id === id || row.outcome !== null) continue
      const refusal = await pauseIfAtWork(row, reason)
      if (refusal !== undefined) throw refusal
    }
  }
  /** What works for a session goes on with it. */
  const resumeHands = async (id: string): Promise<void> => {
    for (const row of await directory.rows()) {
      if (row.owner_id !== id || row.id === id || row.status !== 'paused' || row.parked) continue
      await gated(row.id, 'session:resume', { type: 'session.resumed' })
    }
  }
  const spawn = async (input: StartSession, id: string, project: string): Promise<void> => {
    if (input.name !== undefined) await assertNameFree(input.name, project, id)
    const parent = input.parent_id === undefined ? undefined : await engine.find(input.parent_id)
    if (input.parent_id !== undefined && parent === undefined) throw unknownSession(input.parent_id)
    // A retry after a crash finds the session it had started.
    if (input.parent_id !== undefined && (await engine.find(id)) === undefined)
      await options.assertMayStart(input.parent_id, input)
    await engine.spawn(sessionMachine, {
      id,
      createdAs: 'session.created',
      source: input.parent_id ?? '',
      correlationId: parent?.correlationId ?? id,
      input: {
        session_id: id,
        role: input.role,
        project,
        kind: 'foreground',
        parent_id: input.parent_id ?? null,
        name: input.name ?? null,
        tags: input.tags ?? [],
        ...(input.continues !== undefined && { continues: input.continues }),
        at: isoTime(clock),
      },
    })
  }

  const service: Omit<SessionService, 'continueIn'> = {
    ...createHandoffs({
      engine,
      directory,
      newId,
      record,
      closing: options.closing,
      strictHandoffs: options.strictHandoffs === true,
    }),
    ...createSessionWork({ engine, newId, record, refused }),
    directory,
    descendants,
    get,
    byName,
    async start(raw) {
      const input = checkedInput(startSchema, raw, 'startSession')
      const id = input.session_id ?? newId('sess')
      const project = input.project ?? options.defaultProject
      const start = (): Promise<void> => spawn(input, id, project)
      await (input.name === undefined ? start() : whileNaming(start))
      // A retry after a crash finds a session that may be active already.
      if ((await record(id)).status === 'created')
        await gated(id, 'session:activate', { type: 'session.active' })
      return get(id)
    },
    async name(session, raw) {
      const input = checkedInput(nameSchema, raw, 'nameSession')
      const id = sessionId(session)
      const { record: current } = await record(id)
      await whileNaming(async () => {
        await assertNameFree(input.session_name, current.project, id)
        const { session_name: name, tags } = input
        const fact = { type: 'session.named', name, tags, at: isoTime(clock) }
        const receipt = await engine.send(id, fact, { source: id })
        if (!receipt.accepted) throw refused(id, 'session:name', receipt)
      })
      return get(id)
    },
    async list(raw = {}) {
      const filter = checkedInput(listSchema, raw, 'listNamedSessions')
      return (await directory.rows()).filter((row) => matches(row, filter)).map(sessionEntry)
    },
    async pause(session, input = {}) {
      const id = sessionId(session)
      const reason = input.reason ?? 'paused by request'
      const cascade = input.cascade === true
      // Paused already, as by an earlier pause that something below refused: only the rest is asked again.
      if (!cascade || (await record(id)).status !== 'paused') {
        await gated(id, 'session:pause', { type: 'session.paused', reason })
      }
      await (cascade ? pauseTree(id, reason) : pauseHands(id, reason))
    },
    async resume(session, input = {}) {
      const id = sessionId(session)
      const cascade = input.cascade === true
      const { status, machine } = await record(id)
      if (input.reopen === true && machine === 'session' && hasEnded(status)) return reopen(id)
      if (status !== 'paused' && !(cascade && status === 'active')) throw notPaused(id, { status, machine })
      if (status === 'paused') await gated(id, 'session:resume', { type: 'session.resumed' })
      if (cascade) await resumeTree(id)
      else await resumeHands(id)
      return get(id)
    },
    async end(session, input = {}) {
      const id = sessionId(session)
      const reason = input.reason ?? 'completed'
      const fact = reason === 'interrupted' ? 'session.paused' : 'session.completed'
      const wish = reason === 'interrupted' ? 'session:pause' : 'session:complete'
      await gated(id, wish, { type: fact, reason })
    },
  }
  const reopen = createReopening(service, options)
  return { ...service, ...createSuccession(service, { engine, newId }) }
}

function hasEnded(status: string): boolean {
  return status === 'completed' || status === 'archived'
}

function matches(row: SessionRow, filter: z.infer<typeof listSchema>): boolean {
  if (filter.named && row.name === null) return false
  if (filter.project !== undefined && row.project !== filter.project) return false
  if (filter.status === undefined && row.status === 'archived') return false
  // Archive follows completion by itself, so `completed` includes what has been archived since.
  const statuses = filter.status === 'completed' ? ['completed', 'archived'] : [filter.status]
  if (filter.kind !== undefined && row.kind !== filter.kind) return false
  if (filter.status === 'continued')
    return row.continued_in !== null && matches(row, { ...filter, status: 'all' })
  if (filter.status !== undefined && filter.status !== 'all' && !statuses.includes(row.status as never))
    return false
  const tags = allTags(row)
  if (filter.anyTags !== undefined && !filter.anyTags.some((tag) => tags.includes(tag))) return false
  return (filter.tags ?? []).every((tag) => tags.includes(tag))
}

function ambiguousName(name: string, rows: readonly SessionRow[]): RuntimeError {
  const projects = rows.map((row) => row.project)
  return new RuntimeError('SESSION_AMBIGUOUS', {
    happened: `${rows.length} sessions are named "${name}", in the projects ${projects.join(', ')}.`,
    expected: 'A name that is unique, or the project it belongs to.',
    todo: 'Say which one: { session_name, project }.',
    details: { session_name: name, sessions: rows.map((row) => row.id) },
  })
}

export function unknownSession(id: string): RuntimeError {
  return new RuntimeError('SESSION_UNKNOWN', {
    happened: `There is no session "${id}".`,
    expected: 'The id of a session or run in this project folder.',
    todo: 'List what is there with listNamedSessions({ status: "all" }).',
    details: { session_id: id },
  })
}

function refused(id: string, wish: string, receipt: Receipt): RuntimeError {
  const alternatives = receipt.alternatives ?? []
  return new RuntimeError('SESSION_REFUSED', {
    happened: `"${wish}" of "${id}" was refused: ${receipt.reason ?? 'no reason given'}.`,
    expected: 'A session in a state that allows it, and hooks that agree.',
    todo: alternatives.length > 0 ? `Instead: ${alternatives.join('; ')}.` : `Ask why: agentctl why ${id}.`,
    details: { session_id: id, wish, reason: receipt.reason, alternatives },
  })
}

function notPaused(id: string, { status, machine }: Pick<SessionRow, 'status' | 'machine'>): RuntimeError {
  const goOn = machine === 'session' ? 'Go on in a successor with `reopen: true`.' : 'Start its agent again.'
  return new RuntimeError('SESSION_REFUSED', {
    happened: `Session "${id}" cannot be resumed: it is ${status}.`,
    expected: 'A paused session.',
    todo: status === 'active' ? 'Nothing to do: it is active.' : goOn,
    details: { session_id: id, status },
  })
}

function nameConflict(name: string, project: string, holder: string): RuntimeError {
  return new RuntimeError('SESSION_NAME_CONFLICT', {
    happened: `The name "${name}" belongs to session "${holder}" in project "${project}".`,
    expected: 'A name is unique among the unarchived sessions of a project.',
    todo: `Resume it with resumeNamedSession({ session_name: "${name}" }), or choose another name.`,
    details: { session_id: holder, project },
  })
}
