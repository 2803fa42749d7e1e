/** How the log and what lives in it are doing, in one answer: what is wrong, what waits, what nobody looks after. */
import type { VerifyReport } from '../../eventstore/event-store.ts'
import { machineName } from './tree.ts'
import { readPending } from './pending.ts'
import { reading, type Foldable } from './query-call.ts'

export type HealthQuestion = {
  /** Check every record as well: its checksum, the chains, the indexes. Reads everything. */
  readonly deep?: boolean | undefined
  /** The moment that timers are held against; ISO 8601. Default: now. */
  readonly now?: string | undefined
}

export type Health = {
  /** Nothing is damaged, and nothing waits for a person. */
  readonly ok: boolean
  /** What keeps it from being ok, or should be looked at, each in a sentence. */
  readonly findings: readonly { readonly level: 'problem' | 'notice'; readonly text: string }[]
  readonly position: number
  readonly streams: number
  readonly last_event_at: string | null
  readonly machines: readonly {
    readonly machine: string
    readonly streams: number
    readonly known: boolean
  }[]
  readonly pending: {
    readonly effects: number
    /** Effects of which a person has to say what becomes. */
    readonly asked_effects: number
    readonly approvals: number
    readonly timers: number
    readonly overdue_timers: number
    readonly mail: number
    readonly tool_calls: number
    readonly in_doubt: number
    readonly handoffs: number
    readonly parked: number
    readonly paused_forks: number
    readonly dead_letters: number
  }
  /** `null` unless it was asked for. */
  readonly integrity: VerifyReport | null
}

export async function readHealth(source: Foldable, question: HealthQuestion = {}): Promise<Health> {
  const { log, signal } = source
  const now = question.now === undefined ? Date.now() : Date.parse(question.now)
  const labels = new Map<string, number>()
  let streams = 0
  for await (const { machine } of log.heads('', reading({ signal }))) {
    streams += 1
    if (machine !== '') labels.set(machine, (labels.get(machine) ?? 0) + 1)
  }
  const open = await readPending(log, { signal })
  const overdue = open.timers.filter(({ due_at }) => due_at !== null && Date.parse(due_at) <= now)
  const pending = {
    effects: open.effects.length,
    asked_effects: open.effects.filter(({ phase }) => phase === 'asked').length,
    approvals: open.approvals.filter(({ state }) => state === 'requested').length,
    timers: open.timers.length,
    overdue_timers: overdue.length,
    mail: open.mail.length,
    tool_calls: open.tool_calls.length,
    in_doubt: open.tool_calls.filter(({ in_doubt }) => in_doubt).length,
    handoffs: open.handoffs.length,
    parked: open.parked.length,
    paused_forks: open.paused_forks.length,
    dead_letters: open.dead_letters.length,
  }
  const machines = Array.from(labels, ([machine, count]) => ({
    machine,
    streams: count,
    known: source.machines.has(machine),
  }))
  const integrity = question.deep === true ? await log.verify(reading({ signal })) : null
  const findings = findingsIn(pending, integrity, machines)
  return {
    ok: findings.every(({ level }) => level === 'notice'),
    findings,
    position: log.position(),
    streams,
    last_event_at: await lastEventAt(source),
    machines,
    pending,
    integrity,
  }
}

async function lastEventAt({ log }: Foldable): Promise<string | null> {
  const fromPosition = Math.max(0, log.position() - 1)
  let last: string | null = null
  for await (const { timestamp } of log.readAll({ fromPosition })) last = timestamp
  return last
}

function findingsIn(
  pending: Health['pending'],
  integrity: VerifyReport | null,
  machines: Health['machines'],
): Health['findings'] {
  const unknown = machines.filter(({ known, machine }) => !known && machineName(machine) !== '')
  const found: [level: 'notice' | 'problem', count: number, one: string, many: string, text: string][] = [
    ['problem', integrity?.problems.length ?? 0, 'record', 'records', 'damaged: agentctl verify'],
    ['problem', pending.in_doubt, 'tool call', 'tool calls', 'in doubt: a person has to say what happened'],
    [
      'problem',
      pending.asked_effects,
      'effect',
      'effects',
      'in doubt: a person has to say what becomes of it',
    ],
    ['notice', pending.approvals, 'approval', 'approvals', 'that a person has to decide on'],
    ['problem', pending.parked, 'actor', 'actors', 'parked, waiting for code or for a person'],
    ['problem', pending.dead_letters, 'message', 'messages', 'that nobody took'],
    ['notice', pending.overdue_timers, 'timer', 'timers', 'overdue, to fire when a runtime opens the log'],
    ['notice', pending.paused_forks, 'fork', 'forks', 'paused'],
    ['notice', unknown.length, 'machine', 'machines', 'without code: only recorded states are known'],
  ]
  return found.flatMap(([level, count, one, many, text]) =>
    count === 0 ? [] : [{ level, text: `${count} ${count === 1 ? one : many} ${text}` }],
  )
}
