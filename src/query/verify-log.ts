/** Holds the whole log against today's code: is each record whole, and does each stream still fold as it was recorded? */
import type { EventStore, StreamHead, VerifyReport } from '../../eventstore/event-store.ts'
import type { JsonValue } from '../../eventstore/event.ts'
import type { CellState } from '../runtime/fold/cell-state.ts'
import { isChildAddress } from '../runtime/fold/child-address.ts'
import { nameOf, type DurableMachine } from '../runtime/fold/durable-machine.ts'
import { pausedForks, storeOf } from '../runtime/forks/fork-hold.ts'
import { mayMove, planMigration } from '../runtime/migration/migration.ts'
import { compareOwed } from '../runtime/recovery/owed.ts'
import { Replayer } from '../runtime/fold/replay.ts'
import { noStream, type KnownMachines } from './state-at.ts'

/** What is wrong with one stream: the first thing, since what follows rests on it. */
export type VerifyProblem = {
  /**
   * - `refused`, `ignored`: the machine does not take the event now; `reason` names the guard.
   * - `led_elsewhere`: it takes it, and ends up in another state.
   * - `threw`: its code throws where it did not.
   * - `owed`: every state agrees, and another set of leaves and timers is under way at the end.
   * - `migration`: it was decided by another version of the machine, and cannot go on under today's.
   * - `damaged`: a record of the stream does not verify.
   */
  readonly kind: 'damaged' | 'ignored' | 'led_elsewhere' | 'migration' | 'owed' | 'refused' | 'threw'
  readonly stream_id: string
  /** `name@version` that the event was decided under. */
  readonly machine: string
  /** Of the event in question; 0 where it is not known. */
  readonly version: number
  readonly position: number
  readonly event_type: string
  readonly event_id: string
  /** What was recorded: the state value after the event, or what is owed. */
  readonly expected: JsonValue
  /** What today's code makes of it: a state value, or what would be owed. */
  readonly got: JsonValue
  /** The guard that says no now. */
  readonly guard: string | null
  readonly reason: string
}

/** Streams that were not folded for want of code. */
export type UnfoldedMachine = {
  readonly machine: string
  readonly streams: number
  /** One of them. */
  readonly example: string
}

export type VerifyLogReport = {
  /** Nothing is wrong with what could be checked. */
  readonly ok: boolean
  /** What the store says of its records; `null` when only one stream was asked for: its records are checked as they are read. */
  readonly integrity: VerifyReport | null
  /** How many streams and events were folded. */
  readonly streams: number
  readonly events: number
  /** How many streams have a problem, and the first 1,000 of these. */
  readonly problem_count: number
  readonly problems: readonly VerifyProblem[]
  readonly needs_machines: readonly UnfoldedMachine[]
  /** Streams whose first events are archived: what is left of them cannot be folded. */
  readonly archived: number
  /** Streams whose subject was erased: their records are checked, and cannot be folded. */
  readonly erased: number
  /** Streams that are sealed with keys that are not here: their records are checked. */
  readonly locked: number
}

export type VerifyProgress = { readonly streams: number; readonly events: number }

export type VerifyLogOptions = {
  readonly machines: KnownMachines
  /** Only this stream. */
  readonly streamId?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each stream that was folded. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined
}

export type VerifiableLog = Pick<EventStore, 'entries' | 'head' | 'heads' | 'readStream' | 'verify'>

/** More than anybody reads; the rest is counted. */
const MOST_PROBLEMS = 1_000

/** How often a stream is looked at again because it grew meanwhile. */
const MOST_LOOKS = 3

/**
 * Checks the store's records, then folds each stream through its machine, one stream in memory at a time. Nothing is
 * executed and nothing written; a live log may go on being written.
 *
 * @throws QueryError `QUERY_NOT_FOUND` for a `streamId` that is not there; the signal's reason
 */
export async function verifyLog(log: VerifiableLog, options: VerifyLogOptions): Promise<VerifyLogReport> {
  const { machines, streamId, signal, onProgress } = options
  const only = streamId === undefined ? undefined : await log.head(streamId)
  if (streamId !== undefined && only === undefined) throw noStream(streamId)
  const integrity = only === undefined ? await log.verify({ ...(signal && { signal }) }) : null
  const paused = await pausedForks(log)
  const latest = new Map(Array.from(machines.values(), (machine) => [machine.name, machine]))
  const problems: VerifyProblem[] = []
  const unfolded = new Map<string, { machine: string; streams: number; example: string }>()
  const count = { streams: 0, events: 0, problems: 0, archived: 0, erased: 0, locked: 0 }

  const heads = only === undefined ? readableHeads(log, integrity) : [only]
  for await (const head of heads) {
    signal?.throwIfAborted()
    // Plain facts are nobody's state.
    if (head.machine === '') continue
    const machine = machines.get(head.machine)
    const today = latest.get(nameOf(head.machine))
    if (machine === undefined && today === undefined) {
      const known = unfolded.get(head.machine)
      if (known === undefined) {
        unfolded.set(head.machine, { machine: head.machine, streams: 1, example: head.stream_id })
      } else known.streams += 1
      continue
    }
    const checking = { head, machine, machines, paused, signal }
    let verdict: Verdict =
      machine === undefined ? { kind: 'good', events: 0 } : await verifyStream(log, { ...checking, machine })
    // What becomes of a child is decided with its root.
    const goesOn = today === undefined || isChildAddress(head.stream_id) || !mayMove(head.machine, today)
    if (verdict.kind === 'good' && !goesOn) {
      verdict = await verifyMigration(log, checking, today)
    }
    if (verdict.kind !== 'good' && verdict.kind !== 'wrong') count[verdict.kind] += 1
    else {
      count.streams += 1
      count.events += verdict.events
      if (verdict.kind === 'wrong') {
        count.problems += 1
        if (problems.length < MOST_PROBLEMS) problems.push(verdict.problem)
      }
      onProgress?.({ streams: count.streams, events: count.events })
    }
  }
  return {
    ok: count.problems === 0 && (integrity?.ok ?? true),
    integrity,
    streams: count.streams,
    events: count.events,
    problem_count: count.problems,
    problems,
    needs_machines: [...unfolded.values()],
    archived: count.archived,
    erased: count.erased,
    locked: count.locked,
  }
}

/** Every stream; of a damaged log, those before the first head that does not verify: the store's report has the rest. */
async function* readableHeads(
  log: VerifiableLog,
  integrity: VerifyReport | null,
): AsyncGenerator<StreamHead, void, undefined> {
  try {
    yield* log.heads()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ES_CORRUPT' || integrity?.ok !== false) throw error
  }
}

/** Why a stream is not folded that is as sound as its records. */
type Unread = 'archived' | 'erased' | 'locked'

type Verdict =
  | { readonly kind: Unread }
  | { readonly kind: 'good'; readonly events: number }
  | { readonly kind: 'wrong'; readonly events: number; readonly problem: VerifyProblem }

type Checking = {
  readonly head: StreamHead
  readonly machine: DurableMachine
  readonly machines: KnownMachines
  readonly paused: ReadonlySet<string>
  readonly signal: AbortSignal | undefined
}

async function verifyStream(log: VerifiableLog, checking: Checking, look = 1): Promise<Verdict> {
  const { head, machine, machines, paused, signal } = checking
  const { stream_id, version: toVersion } = head
  const replayer = new Replayer(machine, stream_id)
  /** Of the versions of the machine before the migrations. */
  const before = new Map<string, Replayer>()
  let last: Pick<VerifyProblem, 'event_id' | 'event_type' | 'position' | 'version'> = {
    version: 0,
    position: 0,
    event_type: '',
    event_id: '',
  }
  const wrong = (problem: Pick<VerifyProblem, 'kind' | 'reason'> & Partial<VerifyProblem>): Verdict => ({
    kind: 'wrong',
    events: last.version,
    problem: {
      stream_id,
      machine: head.machine,
      ...last,
      expected: null,
      got: null,
      guard: null,
      ...problem,
    },
  })
  try {
    for await (const record of log.readStream(stream_id, { toVersion, ...(signal && { signal }) })) {
      const { version, position, event_type, event_id } = record
      const older = record.machine === machine.label ? undefined : machines.get(record.machine)
      if (older !== undefined && !before.has(older.label))
        before.set(older.label, new Replayer(older, stream_id))
      const replayed = (before.get(record.machine) ?? replayer).take(record)
      last = { version, position, event_type, event_id }
      if (replayed.kind !== 'diverged') continue
      const { now: kind, expected, got, guard, reason } = replayed
      if (kind === 'archived' || kind === 'erased' || kind === 'locked') return { kind }
      return wrong({ kind, expected, got, guard, reason, machine: record.machine })
    }
  } catch (error) {
    const { code, version, position } = error as { code?: unknown; version?: number; position?: number }
    if (code !== 'ES_CORRUPT') throw error
    const where = { version: version ?? 0, position: position ?? 0, event_type: '', event_id: '' }
    return wrong({ kind: 'damaged', reason: (error as Error).message, ...where })
  }
  const good: Verdict = { kind: 'good', events: last.version }
  if (replayer.state === undefined) return good
  const owed = await owedOf(log, { stream_id, state: replayer.state, paused })
  if (owed.kind === 'agrees') return good
  // Written to while it was read: what is on disk belongs to a later version.
  const now = await log.head(stream_id)
  if (now !== undefined && now.version !== toVersion) {
    return look < MOST_LOOKS ? verifyStream(log, { ...checking, head: now }, look + 1) : good
  }
  const { onDisk: expected, folded: got } = owed
  return wrong({
    kind: 'owed',
    expected,
    got,
    reason: `it owed ${listText(expected)}, and owes ${listText(got)} now`,
  })
}

/** Whether the actor would go on under today's version of its machine. Nothing is written. */
async function verifyMigration(
  log: VerifiableLog,
  { head, paused }: Pick<Checking, 'head' | 'paused'>,
  today: DurableMachine,
): Promise<Verdict> {
  const { stream_id, version, machine: label } = head
  try {
    const store = storeOf(log as EventStore, stream_id, paused)
    await planMigration(store, { id: stream_id, machine: today }, 0)
    return { kind: 'good', events: version }
  } catch (error) {
    const { code, message, details = {} } = error as { code?: string; message: string; details?: object }
    if (code === 'ACTOR_ERASED') return { kind: 'erased' }
    if (code === 'ACTOR_LOCKED') return { kind: 'locked' }
    if (code !== 'MIGRATION_MISSING' && code !== 'MIGRATION_INVALID') throw error
    type Found = 'event_type' | 'expected' | 'got' | 'stream_id' | 'version'
    const found = details as Partial<Pick<VerifyProblem, Found>>
    const { event_type = '', expected = null, got = null } = found
    const where = { version: found.version ?? version, position: 0, event_id: '' }
    const problem = {
      kind: 'migration',
      stream_id: found.stream_id ?? stream_id,
      machine: label,
      ...where,
      event_type,
      expected,
      got,
      guard: null,
    } as const
    return { kind: 'wrong', events: version, problem: { ...problem, reason: message } }
  }
}

async function owedOf(
  log: VerifiableLog,
  { stream_id, state, paused }: { stream_id: string; state: CellState; paused: ReadonlySet<string> },
): ReturnType<typeof compareOwed> {
  const store = log as EventStore
  return compareOwed(storeOf(store, stream_id, paused), stream_id, state)
}

function listText(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
