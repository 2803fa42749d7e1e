/** A session's inbox: the ends of the runs that it started, until they are acknowledged, also over crashes. */
import { z } from 'zod'
import type { AgentContext } from '../../machines/agent.machine.ts'
import { inboxMachine, type InboxMessage } from '../../machines/inbox.machine.ts'
import { isoTime } from '../runtime/clock.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { watchChanges } from './change-watch.ts'
import type { SessionDirectory, SessionRow } from './directory.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { currentScope, durably } from './scope.ts'

/** As long as a wait for a run: no wait hangs for ever. */
const DEFAULT_WAIT_MS = 10 * 60 * 1000

const receiveSchema = z.object({ timeoutMs: z.number().nonnegative().default(DEFAULT_WAIT_MS) })

/** Inside of a handler, `receive` and `ack` are durable calls. */
export interface Inbox {
  /**
   * The oldest message that nobody has acknowledged; waits for one (`timeoutMs`, default 10 minutes), and resolves
   * with `null` if none came. Without an `ack`, the next call gives the same message again.
   */
  receive(options?: { readonly timeoutMs?: number }): Promise<InboxMessage | null>
  /** Takes a message out for good; twice is no harm. @throws RuntimeError `MESSAGE_UNKNOWN` for one that never came */
  ack(message: string | { readonly message_id: string }): Promise<void>
  /** What waits, oldest first. */
  list(): Promise<readonly InboxMessage[]>
}

type Host = { readonly engine: Engine; readonly closing: AbortSignal }
type InboxActor = DurableActor<typeof inboxMachine>

export function inboxOf(host: Host, sessionId: string): Inbox {
  const { engine } = host
  const now = (): Promise<readonly InboxMessage[]> =>
    open(engine, sessionId).then((actor) => actor.getSnapshot().context.messages)
  const inScope = <T>(name: 'receive' | 'ack', execute: () => Promise<T>): Promise<T> => {
    const scope = currentScope()
    if (scope === undefined) return execute()
    return durably(scope, { kind: 'inbox', name, execute, ...(name === 'receive' && { waits: true }) })
  }
  return {
    async receive(raw = {}) {
      const { timeoutMs } = checkedInput(receiveSchema, raw, 'inbox.receive')
      return inScope('receive', () => first(host, sessionId, timeoutMs))
    },
    ack(message) {
      const message_id = typeof message === 'string' ? message : message.message_id
      return inScope('ack', async () => {
        const actor = await open(engine, sessionId)
        const fact = { type: 'inbox.acked', message_id, at: isoTime(engine.clock) } as const
        const { accepted } = await actor.send(fact)
        if (accepted || hasSeen(actor, message_id)) return
        throw unknownMessage(sessionId, message_id)
      })
    },
    list: now,
  }
}

async function first(host: Host, sessionId: string, timeoutMs: number): Promise<InboxMessage | null> {
  const { engine, closing } = host
  const actor = await open(engine, sessionId)
  const oldest = (): InboxMessage | undefined => actor.getSnapshot().context.messages[0]
  const listen = (onChange: () => void): (() => void) => {
    const subscription = actor.subscribe(onChange)
    return () => subscription.unsubscribe()
  }
  const deadline = engine.clock.now() + timeoutMs
  const signals = [closing, currentScope()?.signal ?? undefined]
  const changes = watchChanges([listen], { clock: engine.clock, signals })
  try {
    while (oldest() === undefined) {
      if (!(await changes.next(deadline)) && engine.clock.now() >= deadline) break
    }
    return oldest() ?? null
  } finally {
    changes.stop()
  }
}

function inboxId(sessionId: string): string {
  return `inbox_${sessionId}`
}

function hasSeen(inbox: InboxActor, messageId: string): boolean {
  return inbox.getSnapshot().context.seen.includes(messageId)
}

function open(engine: Engine, sessionId: string): Promise<InboxActor> {
  return engine.spawn(inboxMachine, {
    id: inboxId(sessionId),
    createdAs: 'inbox.opened',
    correlationId: sessionId,
    input: { session_id: sessionId, at: isoTime(engine.clock) },
  })
}

/** Brings the ends of runs to who started them: as they end, and, after a crash in between, at the next opening. */
export function createInboxDelivery(host: Host & { readonly directory: SessionDirectory }): {
  /** What ended and was not delivered, because the process died in between. */
  recover(): Promise<void>
} {
  const { engine, directory, closing } = host
  const delivered = new Set<string>()

  const deliver = async (row: SessionRow): Promise<void> => {
    if (row.outcome === null || row.parent_id === null || delivered.has(row.id)) return
    delivered.add(row.id)
    // Nobody is there any more to take it; the run's own record has it.
    if (hasEnded(await directory.row(row.parent_id))) return
    const inbox = await engine.find(inboxId(row.parent_id))
    // An end that was delivered before this opening is no wish to refuse.
    if (inbox !== undefined && hasSeen(inbox.actor, row.id)) return
    const run = await engine.find(row.id)
    if (run === undefined) return
    const { context } = run.actor.getSnapshot() as unknown as { context: AgentContext }
    if (context.outcome === null) return
    const message: InboxMessage = {
      message_id: row.id,
      run_id: row.id,
      agent_id: context.agent_id,
      outcome: context.outcome,
      ended_at: context.completed_at ?? row.last_activity,
    }
    const actor = await open(engine, row.parent_id)
    await actor.send({ type: 'inbox.delivered', message, at: isoTime(engine.clock) }, { source: row.id })
  }
  directory.subscribe((row) => {
    if (closing.aborted) return
    deliver(row).catch((error: unknown) => {
      delivered.delete(row.id)
      // What was not delivered then comes at the next opening.
      if (!closing.aborted) engine.onError(error)
    })
  })
  return {
    async recover() {
      for (const row of await directory.rows()) await deliver(row)
    },
  }
}

function hasEnded(row: SessionRow | undefined): boolean {
  return row === undefined || row.status === 'completed' || row.status === 'archived'
}

function unknownMessage(sessionId: string, messageId: string): RuntimeError {
  return new RuntimeError('MESSAGE_UNKNOWN', {
    happened: `No message "${messageId}" has come for "${sessionId}".`,
    expected: 'The message_id of a message that receive() or list() gave.',
    todo: 'Look at what waits with inbox.list().',
    details: { session_id: sessionId, message_id: messageId },
  })
}
