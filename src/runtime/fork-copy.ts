/** Copies the first events of an actor into a new stream, under new event ids, after they have proved to replay there. */
import type { AnyEventObject } from 'xstate'
import { v7 as uuidv7 } from 'uuid'
import type { Entry, EventStore } from '../../eventstore/event-store.ts'
import type { NewEvent, RecordedEvent } from '../../eventstore/event.ts'
import { CHILD_FIELD, eventOf, payloadOf, TIMER_FIELD } from './canonical.ts'
import type { CellState } from './cell-state.ts'
import { recordDefinition } from './definition.ts'
import { withDescendants, type DurableMachine } from './durable-machine.ts'
import { noActor, unknownMachine } from './engine-errors.ts'
import { heldEntry, heldStore, pausedEntry, pausedForks } from './fork-hold.ts'
import { forkCreated, forkStream } from './fork-link.ts'
import { compareOwed, owedEntries } from './owed.ts'
import { Replayer, type Divergence } from './replay.ts'
import { RuntimeError } from './runtime-error.ts'

/** What a fork is read from. */
export type ForkSource = Pick<EventStore, 'entries' | 'head' | 'readStream'>

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
  readonly events: readonly NewEvent[]
  /** The last event of the original that is taken over. */
  readonly last: RecordedEvent
  readonly entries: readonly Entry[]
}

/**
 * Reads what a fork takes over. The original is only read.
 *
 * @throws RuntimeError `ACTOR_NOT_FOUND`, `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`, `FORK_REFUSED` for an actor with child
 * actors, `INPUT_INVALID` for a version that is not there
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
  if (withDescendants(machine).length > 1) throw hasChildren(id, machine.label)
  const version = wish.at === 'last' ? head.version : wish.at
  if (!Number.isSafeInteger(version) || version < 1 || version > head.version) {
    throw noVersion(id, version, head.version)
  }
  const copy = await readCopy(from, { id, newId, version, machine })
  const inherited = version === head.version ? await recordedDueTimes(from, id, copy) : copy.renamed
  const owed = owedEntries(newId, undefined, inherited)
  const entries = paused
    ? [pausedEntry(newId, version), ...owed.map((entry) => heldEntry(newId, entry))]
    : owed
  const fork: Fork = { id: newId, from: { stream_id: id, version }, paused }
  return { fork, machine, events: copy.events, last: copy.last, entries }
}

/**
 * Writes a fork, all of it or nothing.
 *
 * @throws RuntimeError `ACTOR_EXISTS`
 */
export async function writeFork(to: EventStore, plan: ForkPlan): Promise<Fork> {
  const { fork, machine, events, last, entries } = plan
  const beside = forkStream(fork.id)
  if ((await to.head(fork.id)) !== undefined || (await to.head(beside)) !== undefined)
    throw forkExists(fork.id)
  await recordDefinition(to, machine)
  await to.appendBatch({
    appends: [
      { stream_id: fork.id, events, expectedVersion: 'no_stream' },
      { stream_id: beside, events: [forkCreated(last, fork.paused)], expectedVersion: 'no_stream' },
    ],
    entries,
  })
  return fork
}

type Copy = {
  readonly events: readonly NewEvent[]
  /** The last event of the original that was taken over. */
  readonly last: RecordedEvent
  readonly original: CellState
  readonly renamed: CellState
  readonly rename: Rename
}

type Reading = {
  readonly id: string
  readonly newId: string
  readonly version: number
  readonly machine: DurableMachine
}

/** Both ways of folding it must agree with the record: as the original, and under the name that it will have. */
async function readCopy(from: ForkSource, { id, newId, version, machine }: Reading): Promise<Copy> {
  const original = new Replayer(machine, id)
  const renamed = new Replayer(machine, newId)
  const rename = new Rename(id, newId)
  const events: NewEvent[] = []
  let last: RecordedEvent | undefined
  for await (const record of from.readStream(id, { toVersion: version })) {
    const event = rename.event(record)
    const before = original.take(record)
    if (before.kind === 'diverged') throw doesNotReplay(before, id)
    const after = renamed.take({ ...record, ...event, stream_id: newId } as RecordedEvent)
    if (after.kind === 'diverged') throw doesNotReplay(after, newId)
    events.push(event)
    last = record
  }
  if (last === undefined || original.state === undefined || renamed.state === undefined) throw noActor(id)
  return { events, last, original: original.state, renamed: renamed.state, rename }
}

/** A machine's delay function may ask the clock, and is not asked again: its timers keep the due times on disk. */
async function recordedDueTimes(from: ForkSource, id: string, copy: Copy): Promise<CellState> {
  const isHeld = (await pausedForks(from)).has(id)
  const store = from as EventStore
  const owed = await compareOwed(isHeld ? heldStore(store, id) : store, id, copy.original)
  // Somebody has written to it meanwhile: then what is folded must do.
  if (owed.kind === 'differs') return copy.renamed
  const timers = new Map(copy.renamed.timers)
  for (const { key, dueAt } of owed.state.timers.values()) {
    const timer = timers.get(copy.rename.own(key))
    if (timer !== undefined) timers.set(timer.key, { ...timer, dueAt })
  }
  return { ...copy.renamed, timers }
}

/** The engine's events that have a child's id in their type. */
const ABOUT_A_CHILD = /^(xstate\.(?:done\.actor|error\.actor|snapshot)\.)([^]*)$/

/** Gives the events of one actor to another: names that the engine made of its id follow, all else stays as it was. */
class Rename {
  readonly #from: string
  readonly #to: string
  readonly #ids = new Map<string, string>()

  constructor(from: string, to: string) {
    this.#from = from
    this.#to = to
  }

  /** A name that the engine made of the actor's id: `<id>:<version>:<n>`, `<id>:<n>`. */
  own(name: string): string {
    return name.startsWith(`${this.#from}:`) ? `${this.#to}${name.slice(this.#from.length)}` : name
  }

  event(record: RecordedEvent): NewEvent {
    const { stream_id: _stream, version: _version, position: _position, hash: _hash, ...kept } = record
    const event_id = uuidv7()
    this.#ids.set(record.event_id, event_id)
    const { type, ...payload } = this.#input(eventOf(record))
    return {
      ...kept,
      event_id,
      event_type: type,
      payload: payloadOf({ type, ...payload }),
      source_agent: this.#source(record.source_agent),
      correlation_id: record.correlation_id === this.#from ? this.#to : record.correlation_id,
      // What was caused from outside keeps its cause there.
      causation_id: this.#ids.get(record.causation_id ?? '') ?? record.causation_id,
    }
  }

  #input(event: AnyEventObject): AnyEventObject {
    const renamed = { ...event }
    for (const field of [TIMER_FIELD, CHILD_FIELD]) {
      if (typeof renamed[field] === 'string') renamed[field] = this.own(renamed[field])
    }
    const [, prefix, child] = ABOUT_A_CHILD.exec(event.type) ?? []
    if (prefix === undefined || child === undefined) return renamed
    renamed.type = `${prefix}${this.own(child)}`
    if (typeof renamed['actorId'] === 'string') renamed['actorId'] = this.own(renamed['actorId'])
    return renamed
  }

  #source(source: string): string {
    if (source === this.#from) return this.#to
    const [owner, ...child] = source.split('/')
    return owner === this.#from && child.length > 0 ? `${this.#to}/${this.own(child.join('/'))}` : source
  }
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

function doesNotReplay({ record, reason, cause }: Divergence, id: string): RuntimeError {
  const { version, event_type, machine } = record
  return new RuntimeError('ACTOR_DIVERGED', {
    happened: `Event ${version} ("${event_type}") does not replay as "${id}": ${reason}.`,
    expected: 'Every event that a fork takes over replays as it was recorded.',
    todo:
      version > 1
        ? `Use the code that wrote it (${machine}), or fork before it, at version ${version - 1}; nothing was written.`
        : `Use the code that wrote it (${machine}); nothing was written.`,
    cause,
    details: { stream_id: id, version, event_type, machine },
  })
}

function hasChildren(id: string, label: string): RuntimeError {
  return new RuntimeError('FORK_REFUSED', {
    happened: `"${id}" cannot be forked: machine "${label}" has child actors with streams of their own.`,
    expected: 'A machine without child machines: a family is not forked as a whole yet.',
    todo: 'Look at what was with runtime.replay; nothing was written.',
    details: { stream_id: id },
  })
}
