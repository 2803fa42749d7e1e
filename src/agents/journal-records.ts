/** Reads from a run's stream what its earlier attempts recorded: calls, outcomes, their order, and what went beside them. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { ErrorRecord, StepRef } from '../../machines/agent.machine.ts'
import type { Ended } from './loop-watch.ts'
import type { ReplayItem } from './replay-order.ts'

export type Outcome =
  | { readonly kind: 'completed'; readonly output: unknown; readonly hasOutput: boolean }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }

export type RecordedCall = {
  readonly ref: StepRef
  /** What it prepared and must keep, such as ids. */
  readonly data: unknown
  /** How many outcomes the handler had been given before it made this call. */
  readonly after: number
  readonly outcome: Outcome | undefined
}

export type JournalRecords = {
  /** By key, in the order in which the calls were made. */
  readonly calls: ReadonlyMap<string, RecordedCall>
  readonly order: readonly ReplayItem[]
  /** The calls that have ended, in the order of their outcomes. */
  readonly ended: readonly Ended[]
  /** The last process started for a command call, by the call's key. */
  readonly processes: ReadonlyMap<string, unknown>
  /** Ids of the costs that are booked. */
  readonly booked: ReadonlySet<string>
  /** How many lines the handler has logged outside of its calls. */
  readonly ownLines: number
}

type Fact = StepRef & {
  readonly data?: unknown
  readonly after?: number
  readonly output?: unknown
  readonly error: ErrorRecord
  readonly process?: unknown
  readonly spend_id?: string
  readonly own?: number
}

/** Reads a run's stream from its start. */
export async function readJournal(store: EventStore, runId: string): Promise<JournalRecords> {
  const calls = new Map<string, RecordedCall>()
  const outcomes: string[] = []
  const processes = new Map<string, unknown>()
  const booked = new Set<string>()
  let ownLines = 0
  for await (const event of store.readStream(runId)) {
    const fact = event.payload as unknown as Fact
    const call = calls.get(fact.key)
    switch (event.event_type) {
      case 'step.started':
        // Begun again after a crash, it keeps its place and what it prepared.
        if (call === undefined) calls.set(fact.key, newCall(fact))
        break
      case 'step.completed':
      case 'step.failed':
        if (call === undefined || call.outcome !== undefined) break
        calls.set(fact.key, { ...call, outcome: outcomeOf(event.event_type, fact) })
        outcomes.push(fact.key)
        break
      case 'command.started':
        processes.set(fact.key, fact.process)
        break
      case 'agent.spent':
        booked.add(fact.spend_id ?? '')
        break
      case 'agent.logged':
        ownLines += fact.own ?? 0
        break
    }
  }
  const ended = outcomes.flatMap((key) => endedCall(calls.get(key)))
  return { calls, order: orderOf(calls, outcomes), ended, processes, booked, ownLines }
}

function endedCall(call: RecordedCall | undefined): Ended[] {
  if (call?.outcome === undefined) return []
  const { ref, data, outcome } = call
  return outcome.kind === 'failed'
    ? [{ name: ref.name, data, error: outcome.error }]
    : [{ name: ref.name, data, output: outcome.output }]
}

function newCall({ key, kind, name, ordinal, seq, data, after = 0 }: Fact): RecordedCall {
  return { ref: { key, kind, name, ordinal, seq }, data, after, outcome: undefined }
}

function outcomeOf(type: string, fact: Fact): Outcome {
  if (type === 'step.failed') return { kind: 'failed', error: fact.error }
  return { kind: 'completed', output: fact.output, hasOutput: 'output' in fact }
}

/** Before the k-th outcome come the calls that were made when fewer had been given. */
function orderOf(calls: ReadonlyMap<string, RecordedCall>, outcomes: readonly string[]): ReplayItem[] {
  const items: ReplayItem[] = []
  const made = [...calls.values()].sort((a, b) => a.ref.seq - b.ref.seq)
  let next = 0
  const addCalls = (until: number): void => {
    for (let call = made[next]; call !== undefined && call.after <= until; call = made[next]) {
      items.push({ kind: 'call', key: call.ref.key })
      next += 1
    }
  }
  for (const [index, key] of outcomes.entries()) {
    addCalls(index)
    items.push({ kind: 'outcome', key })
  }
  addCalls(Infinity)
  return items
}
