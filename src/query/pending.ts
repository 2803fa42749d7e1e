/** What is not done yet: owed effects and timers, mail on its way, open tool calls, handoffs, what waits for a person. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { listDeadLetters, type RecordedDeadLetter } from '../runtime/delivery/dead-letters.ts'
import { pausedForks } from '../runtime/forks/fork-hold.ts'
import { owedWork } from '../runtime/recovery/owed.ts'
import { readOwedEffects } from '../runtime/effects/owed-effect.ts'
import { waitingMail } from '../runtime/delivery/outbox.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { growingTree, hasEnded, machineName } from './tree.ts'

export type WaitingMail = {
  readonly to: string
  readonly from: string
  readonly type: string
  /** The event on account of which it was sent. */
  readonly cause: string | null
}

export type OpenCall = {
  readonly call_id: string
  readonly tool: string
  readonly run_id: string
  /** The call's own: `requested` waits for its hooks, `judged` to begin, `executing` for its outcome. */
  readonly state: string
  /** It was begun before a crash, and nobody knows whether it happened. */
  readonly in_doubt: boolean
  readonly since: string
}

export type WaitingHandoff = {
  readonly handoff_id: string
  readonly type: string
  readonly from: string
  readonly to: string
  readonly at: string
  /** `undelivered`: sent and not yet in its receiver's stream. */
  readonly state: 'unclaimed' | 'undelivered'
}

export type ParkedActor = {
  readonly id: string
  readonly agent_id: string | null
  readonly reason: string
  readonly since: string
}

/** An action that is owed, or a leaf that runs or is to run again at the next opening. */
export type PendingEffect = {
  readonly stream_id: string
  /** `<stream>:<version>:<n>`; the idempotency key. */
  readonly key: string
  /** Name of the action, or of the leaf's logic. */
  readonly name: string
  /**
   * `asked`: a person has to say what becomes of it; a leaf is `running`, or is when a runtime has the log open, unless
   * it was `given_up` and is a dead letter.
   */
  readonly phase: 'asked' | 'given_up' | 'owed' | 'running' | 'started'
  readonly failed: number
  readonly retry_at: string | null
  readonly reason: string | null
}

/** A timer of an actor; a session's and a run's own included. */
export type PendingTimer = {
  readonly stream_id: string
  readonly key: string
  /** ISO 8601. */
  readonly due_at: string | null
}

/** A wish that hooks have left to a person. */
export type PendingApproval = {
  readonly approval_id: string
  /** `requested`, or `granted` and not used yet. */
  readonly state: string
  readonly tool: string
  readonly run_id: string
  /** The hook that wants a person to decide, and why. */
  readonly asked_by: string
  readonly reason: string
  readonly since: string
  readonly expires_at: string
}

export type Pending = {
  readonly effects: readonly PendingEffect[]
  readonly approvals: readonly PendingApproval[]
  /** Soonest first. */
  readonly timers: readonly PendingTimer[]
  readonly mail: readonly WaitingMail[]
  readonly tool_calls: readonly OpenCall[]
  readonly handoffs: readonly WaitingHandoff[]
  /** Waiting for something that only a person can give. */
  readonly parked: readonly ParkedActor[]
  readonly paused_forks: readonly string[]
  readonly dead_letters: readonly RecordedDeadLetter[]
}

export async function readPending(log: QueryableLog, call: QueryCall = {}): Promise<Pending> {
  const effects: PendingEffect[] = (await readOwedEffects(log)).map(
    ({ stream_id, key, action: name, phase, failed, retry_at = null, reason = null }) => ({
      stream_id,
      key,
      name,
      phase,
      failed,
      retry_at,
      reason,
    }),
  )
  const timers: PendingTimer[] = []
  for await (const work of owedWork(log)) {
    const { stream_id, key, src, due_at, failed, retry_at, dead_letter } = work
    const phase = dead_letter === null ? 'running' : 'given_up'
    if (work.kind === 'timer') timers.push({ stream_id, key, due_at })
    else effects.push({ stream_id, key, name: src ?? '', phase, failed, retry_at, reason: null })
  }
  const mail: WaitingMail[] = []
  for await (const { to, from, event, cause } of waitingMail(log)) {
    mail.push({ to, from, type: event.type, cause })
  }
  const letters = await listDeadLetters(log)
  const tree = growingTree()
  const open = new OpenWork()
  for await (const event of log.readAll(reading(call))) {
    tree.take(event)
    open.take(event)
  }
  const parked = [...tree.state().nodes.values()].filter(({ state }) => state === 'parked')
  return {
    effects,
    approvals: [...open.approvals.values()],
    timers: timers.toSorted((a, b) => ((a.due_at ?? '') < (b.due_at ?? '') ? -1 : 1)),
    mail,
    tool_calls: [...open.calls.values()],
    // Nobody is left to take what was sent to one that has ended.
    handoffs: [...open.handoffs.values()].filter(({ to }) => !hasEnded(tree.state().nodes.get(to))),
    parked: parked.map(({ id, agent_id, error, pause_reason, last_activity }) => ({
      id,
      agent_id,
      reason: error ?? pause_reason ?? 'parked',
      since: last_activity,
    })),
    paused_forks: [...(await pausedForks(log))],
    dead_letters: letters.map((letter) => ({ ...letter, event: redactSecrets(letter.event) })),
  }
}

type Payload = {
  readonly input?: Partial<Omit<PendingApproval, 'approval_id' | 'since' | 'state'>>
  readonly handoff?: {
    readonly handoff_id: string
    readonly type: string
    readonly from: string
    readonly to: string
  }
  readonly handoff_id?: string
}

/** Calls that are not settled and handoffs that nobody has taken, kept up with event by event. */
class OpenWork {
  readonly calls = new Map<string, OpenCall>()
  readonly handoffs = new Map<string, WaitingHandoff>()
  readonly approvals = new Map<string, PendingApproval>()

  take(event: RecordedEvent): void {
    const { event_type: type, stream_id, state, timestamp } = event
    const payload = (event.payload ?? {}) as Payload
    if (machineName(event.machine) === 'approval') this.#decided(event, payload)
    if (type === 'tool.requested') {
      const { tool = '', run_id = '' } = payload.input ?? {}
      const call = { call_id: stream_id, tool, run_id, state: 'requested', in_doubt: false, since: timestamp }
      this.calls.set(stream_id, call)
    } else if (type.startsWith('tool.')) this.#moved(stream_id, type, state)
    if (type === 'handoff.generated' || type === 'handoff.received') {
      const { handoff } = payload
      if (handoff === undefined) return
      const { handoff_id, from, to } = handoff
      const stands = type === 'handoff.generated' ? 'undelivered' : 'unclaimed'
      if (stands === 'undelivered' && this.handoffs.has(handoff_id)) return
      this.handoffs.set(handoff_id, {
        handoff_id,
        type: handoff.type,
        from,
        to,
        at: timestamp,
        state: stands,
      })
    }
    if (type === 'handoff.claimed') this.handoffs.delete(payload.handoff_id ?? '')
  }

  #decided({ stream_id: id, version, state, timestamp: since }: RecordedEvent, { input }: Payload): void {
    const known = this.approvals.get(id)
    if (version === 1) {
      const { tool = '', run_id = '', asked_by = '', reason = '', expires_at = '' } = input ?? {}
      const state = 'requested'
      this.approvals.set(id, { approval_id: id, state, tool, run_id, asked_by, reason, since, expires_at })
    } else if (state !== 'requested' && state !== 'granted') this.approvals.delete(id)
    else if (known !== undefined) this.approvals.set(id, { ...known, state })
  }

  #moved(id: string, type: string, state: unknown): void {
    const call = this.calls.get(id)
    if (call === undefined) return
    if (state === 'settled') this.calls.delete(id)
    else {
      const in_doubt = type === 'tool.doubted' || (type !== 'tool.cleared' && call.in_doubt)
      this.calls.set(id, { ...call, state: String(state), in_doubt })
    }
  }
}
