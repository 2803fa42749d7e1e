/**
 * Copies the first events of an actor and its descendants into new streams, under new event ids, after they have proved
 * to replay there.
 */
import type { Entry, EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import type { NewEvent, RecordedEvent } from '../../../eventstore/event.ts'
import type { CellState } from '../fold/cell-state.ts'
import { crashEntry } from '../family/crashes.ts'
import { recordDefinition } from '../definition.ts'
import { withDescendants, type DurableMachine } from '../fold/durable-machine.ts'
import { noActor, unknownMachine } from '../engine-errors.ts'
import { readFamily, type Copy, type ForkSource } from './fork-family.ts'
import { heldEntry, pausedEntry, pausedForks, storeOf } from './fork-hold.ts'
import { effectEntry } from '../effects/owed-effect.ts'
import { inheritedEvent } from './fork-effects.ts'
import { forkCreated, forkStream } from './fork-link.ts'
import type { ForkNames } from './fork-names.ts'
import { compareOwed, owedEntries } from '../recovery/owed.ts'
import { RuntimeError } from '../runtime-error.ts'

export type ForkWish = {
  /** The actor to fork. */
  readonly id: string
  /** The last version to take over. */
  readonly at: number | 'last'
  readonly newId: string
  /** Whether its effects and timers are held back. */
  readonly paused: boolean
}

/** A fork as it was made. */
export type Fork = {
  readonly id: string
  readonly from: { readonly stream_id: string; readonly version: number }
  readonly paused: boolean
}

/** A fork that has proved to replay, and is not written yet. */
export type ForkPlan = {
  readonly fork: Fork
  readonly machine: DurableMachine
  /** Of the actor, as it begins. */
  readonly state: CellState
  /** The actor's, and those of its descendants. */
  readonly streams: readonly { readonly stream_id: string; readonly events: readonly NewEvent[] }[]
  /** The last event of the original that is taken over. */
  readonly last: RecordedEvent
  /** What is told of the actions that it inherits. */
  readonly effects: readonly StreamAppend[]
  readonly entries: readonly Entry[]
}

/**
 * Reads what a fork takes over. The original is only read.
 *
 * @throws RuntimeError `ACTOR_NOT_FOUND`, `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`; `FORK_REFUSED` for a version in the
 * middle of a turn of the family, `INPUT_INVALID` for one that is not there
 */
export async function planFork(
  from: ForkSource,
  wish: ForkWish & {
    /** By label, `name@version`. */
    readonly machines: ReadonlyMap<string, DurableMachine>
  },
): Promise<ForkPlan> {
  const { id, newId, paused, machines } = wish
  const head = await from.head(id)
  if (head === undefined || head.machine === '') throw noActor(id)
  const machine = machines.get(head.machine)
  if (machine === undefined) throw unknownMachine(id, head.machine, [...machines.keys()])
  const last = 'last' as const
  const version = wish.at === last ? head.version : wish.at
  if (!Number.isSafeInteger(version) || version < 1 || version > head.version) {
    throw noVersion(id, version, head.version)
  }
  const until = wish.at === last ? { position: from.position() } : { version }
  const store = storeOf(from as EventStore, id, await pausedForks(from))
  const { copies, names } = await readFamily(store, { id, newId, machine, until })
  const entries: Entry[] = paused ? [pausedEntry(newId, version)] : []
  for (const copy of copies) {
    const inherited = copy.whole ? await recordedDueTimes(store, copy, names) : copy.renamed
    const owed = [
      ...owedEntries(copy.to, undefined, inherited),
      ...copy.owed.map((effect) => effectEntry(effect, effect)),
    ]
    entries.push(...(paused ? owed.map((entry) => heldEntry(newId, entry)) : owed))
  }
  const [root] = copies
  if (root === undefined) throw noActor(id)
  const crash = crashEntry(newId, root.renamed.before, root.renamed)
  if (crash !== undefined) entries.push(crash)
  const fork: Fork = { id: newId, from: { stream_id: id, version: root.last.version }, paused }
  const streams = copies.map(({ to, events }) => ({ stream_id: to, events }))
  const effects = copies.flatMap((copy) => copy.owed.map((one) => inheritedEvent(one, copy.last.timestamp)))
  return { fork, machine, state: root.renamed, streams, last: root.last, effects, entries }
}

/**
 * Writes a fork, all of it or nothing.
 *
 * @throws RuntimeError `ACTOR_EXISTS`
 */
export async function writeFork(to: EventStore, plan: ForkPlan): Promise<Fork> {
  const { fork, machine, streams, last, effects, entries } = plan
  const beside = forkStream(fork.id)
  if ((await to.head(fork.id)) !== undefined || (await to.head(beside)) !== undefined)
    throw forkExists(fork.id)
  for (const one of withDescendants(machine)) {
    if (one.kind === 'machine') await recordDefinition(to, one)
  }
  await to.appendBatch({
    appends: [
      ...streams.map((stream) => ({ ...stream, expectedVersion: 'no_stream' as const })),
      { stream_id: beside, events: [forkCreated(last, fork.paused)], expectedVersion: 'no_stream' },
      ...effects,
    ],
    entries,
  })
  return fork
}

/** A machine's delay function may ask the clock, and is not asked again: its timers keep the due times on disk. */
async function recordedDueTimes(store: EventStore, copy: Copy, names: ForkNames): Promise<CellState> {
  const owed = await compareOwed(store, copy.from, copy.original)
  // Somebody has written to it meanwhile: then what is folded must do.
  if (owed.kind === 'differs') return copy.renamed
  const timers = new Map(copy.renamed.timers)
  for (const { key, dueAt } of owed.state.timers.values()) {
    const timer = timers.get(names.own(key))
    if (timer !== undefined) timers.set(timer.key, { ...timer, dueAt })
  }
  return { ...copy.renamed, timers }
}

function noVersion(id: string, version: unknown, head: number): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `"${id}" has no version ${JSON.stringify(version)} to fork at.`,
    expected: `A whole number from 1 to ${head}, or 'last'.`,
    todo: 'Choose one of its versions; nothing was written.',
    details: { what: 'fork', path: 'at', head_version: head },
  })
}

function forkExists(id: string): RuntimeError {
  return new RuntimeError('ACTOR_EXISTS', {
    happened: `There is a stream "${id}" already.`,
    expected: 'A fork has an id that is new.',
    todo: 'Choose another newId, or leave it away; nothing was written.',
    details: { stream_id: id },
  })
}
