/**
 * Turns the events of a log into what an inspector is shown: who there is, what each was sent, where it stands then.
 *
 * Owns: the actors that were shown, each with its fold so far; the last ones, up to a bound.
 * Never: writes, runs an effect, or touches a live actor.
 *
 * I1. An actor is shown before anything about it, and its parent before it.
 * I2. What no code is given for is shown by its recorded state, without a context; a wrong fold is never shown.
 */
import type { EventStore, StreamHead } from '../../eventstore/event-store.ts'
import type { JsonValue, RecordedEvent } from '../../eventstore/event.ts'
import { jsonSafe } from '../query/json-safe.ts'
import type { KnownMachines } from '../query/state-at.ts'
import { eventOf } from '../runtime/fold/canonical.ts'
import { definitionStream } from '../runtime/definition.ts'
import { Replayer } from '../runtime/fold/replay.ts'
import { sameStateValue } from '../runtime/fold/state-value.ts'
import type { Inspected, InspectedActor, InspectedEvent, InspectedSnapshot } from './inspected.ts'

export type WatchableLog = Pick<EventStore, 'head' | 'heads' | 'position' | 'readAll' | 'readStream'>

/** Actors that are kept at once; one that moves again later is shown anew. */
const MOST_ACTORS = 2_000
/** Events that are folded to show an actor for the first time; of a longer stream only the recorded state is shown. */
const MOST_FOLDED = 2_000

type Watched = {
  readonly actor: InspectedActor
  replayer: Replayer | undefined
  snapshot: InspectedSnapshot
  /** Of the last event that is in the snapshot. */
  version: number
  at: string
}

export type ActorWatch = {
  /** What there is to show of an event. */
  take(record: RecordedEvent): Promise<readonly Inspected[]>
  /** Shows an actor as it stood when the log ended at this position; nothing if it did not exist. */
  introduce(head: StreamHead, asOf: number): Promise<readonly Inspected[]>
  /** Everybody who was shown, as they stand, for one who has just come. */
  current(): readonly Inspected[]
}

export function watchActors(log: WatchableLog, machines: KnownMachines): ActorWatch {
  const watched = new Map<string, Watched>()
  const definitions = new Map<string, Promise<JsonValue | undefined>>()

  const definitionOf = (label: string): Promise<JsonValue | undefined> => {
    const known = definitions.get(label) ?? readDefinition(log, label)
    definitions.set(label, known)
    return known
  }
  const keep = (one: Watched): void => {
    watched.delete(one.actor.id)
    watched.set(one.actor.id, one)
    if (watched.size <= MOST_ACTORS) return
    const [oldest] = watched.keys()
    if (oldest !== undefined) watched.delete(oldest)
  }
  const showParent = async (
    first: RecordedEvent,
    shown: Inspected[],
  ): Promise<InspectedActor | undefined> => {
    const id = first.source_agent
    if (id === '' || id === first.stream_id) return undefined
    const known = watched.get(id)
    if (known !== undefined) return known.actor
    const head = await log.head(id)
    // Older than its child, or a circle could be made of streams.
    if (head === undefined || head.machine === '') return undefined
    const begun = await firstEvent(log, id)
    if (begun === undefined || begun.position >= first.position) return undefined
    return (await show(begun, { known: head, asOf: first.position }, shown)).actor
  }
  /** Shows an actor as it stood, and whoever started it. */
  const show = async (first: RecordedEvent, when: When, shown: Inspected[]): Promise<Watched> => {
    const parent = await showParent(first, shown)
    const actor: InspectedActor = {
      id: first.stream_id,
      name: nameOf(first),
      machine: first.machine,
      parent: parent?.id,
      root: parent?.root ?? first.stream_id,
      definition: await definitionOf(first.machine),
    }
    const one: Watched = { actor, ...(await stateOf(log, machines, { first, when, actor })) }
    keep(one)
    shown.push({ kind: 'actor', actor, at: first.timestamp, snapshot: one.snapshot })
    return one
  }

  return {
    async take(record) {
      if (record.machine === '') return []
      const shown: Inspected[] = []
      const { stream_id: id, version } = record
      let one = watched.get(id)
      if (one === undefined) {
        const first = version === 1 ? record : await firstEvent(log, id)
        // Its first events are archived.
        if (first === undefined) return []
        const before = { version: Math.max(1, version - 1), position: version === 1 ? record.position : 0 }
        one = await show(first, { known: before, asOf: record.position }, shown)
      }
      // It was shown as it stood after this.
      if (version < one.version) return shown
      if (version > one.version) advance(one, record)
      keep(one)
      const event: InspectedEvent = eventOf(record)
      const isOther = record.source_agent !== '' && record.source_agent !== id
      const source = isOther && watched.has(record.source_agent) ? record.source_agent : undefined
      const { actor, snapshot } = one
      const at = record.timestamp
      shown.push({ kind: 'event', actor, at, id: record.event_id, event, source })
      shown.push({ kind: 'snapshot', actor, at, event, snapshot })
      return shown
    },
    async introduce(head, asOf) {
      if (head.machine === '' || watched.has(head.stream_id)) return []
      const shown: Inspected[] = []
      const first = await firstEvent(log, head.stream_id)
      if (first !== undefined && first.position <= asOf) await show(first, { known: head, asOf }, shown)
      return shown
    },
    current: () => parentsFirst(watched),
  }
}

/** Takes a step, by the machine's code if it is there and agrees with what was recorded. */
function advance(one: Watched, record: RecordedEvent): void {
  one.at = record.timestamp
  one.version = record.version
  const replayed = one.replayer?.take(record)
  if (replayed?.kind !== 'agrees') one.replayer = undefined
  one.snapshot = snapshotOf(one.replayer, record.state, one.actor)
}

type When = {
  /** The last event that the stream may be shown with. */
  readonly known: { readonly version: number; readonly position: number }
  /** The log's end at the time that is shown. */
  readonly asOf: number
}

async function stateOf(
  log: WatchableLog,
  machines: KnownMachines,
  { first, when, actor }: { first: RecordedEvent; when: When; actor: InspectedActor },
): Promise<Omit<Watched, 'actor'>> {
  const { known, asOf } = when
  const machine = known.version > MOST_FOLDED ? undefined : machines.get(first.machine)
  const one: Watched = {
    actor,
    replayer: machine && new Replayer(machine, first.stream_id),
    snapshot: snapshotOf(undefined, first.state, actor),
    version: 0,
    at: first.timestamp,
  }
  // Without the code one event is enough; of a stream that was written to since, it is somewhere before the last.
  const earliest = known.position <= asOf ? known.version : 1
  const backwards = { direction: 'backwards', fromVersion: known.version, toVersion: earliest } as const
  const options = machine === undefined ? backwards : { toVersion: known.version }
  for await (const record of log.readStream(first.stream_id, options)) {
    if (record.position > asOf) {
      if (machine === undefined) continue
      break
    }
    advance(one, record)
    if (machine === undefined) break
  }
  return one
}

function snapshotOf(
  replayer: Replayer | undefined,
  recorded: JsonValue,
  { definition }: InspectedActor,
): InspectedSnapshot {
  const folded = replayer?.state?.snapshot
  if (folded === undefined) {
    return { status: isFinal(definition, recorded) ? 'done' : 'active', value: recorded }
  }
  const { status, context, output, error } = folded
  return {
    status,
    value: sameStateValue(folded.value as JsonValue, recorded) ? recorded : (folded.value as JsonValue),
    context: jsonSafe(context),
    ...(output !== undefined && { output: jsonSafe(output) }),
    ...(error !== undefined && { error: jsonSafe(error) }),
  }
}

/** Whether a state value is a final state of the machine itself. */
function isFinal(definition: JsonValue | undefined, value: JsonValue): boolean {
  if (typeof value !== 'string') return false
  const { states } = (definition ?? {}) as { states?: Record<string, { type?: unknown } | undefined> }
  return states !== undefined && Object.hasOwn(states, value) && states[value]?.type === 'final'
}

async function firstEvent(log: WatchableLog, id: string): Promise<RecordedEvent | undefined> {
  for await (const record of log.readStream(id, { toVersion: 1 })) return record
  return undefined
}

async function readDefinition(log: WatchableLog, label: string): Promise<JsonValue | undefined> {
  for await (const record of log.readStream(definitionStream(label), { direction: 'backwards' })) {
    return (record.payload as { definition?: JsonValue }).definition
  }
  return undefined
}

type FirstPayload = {
  readonly input?: { readonly name?: unknown; readonly agent_id?: unknown; readonly tool?: unknown } | null
  readonly parent?: { readonly id?: unknown }
}

function nameOf(first: RecordedEvent): string {
  const { input, parent } = first.payload as FirstPayload
  const names = [input?.name, input?.agent_id, input?.tool, parent?.id]
  return (
    (names.find((name) => typeof name === 'string' && name !== '') as string | undefined) ?? first.stream_id
  )
}

function parentsFirst(watched: ReadonlyMap<string, Watched>): Inspected[] {
  const shown: Inspected[] = []
  const done = new Set<string>()
  const add = ({ actor, at, snapshot }: Watched): void => {
    if (done.has(actor.id)) return
    done.add(actor.id)
    const parent = actor.parent === undefined ? undefined : watched.get(actor.parent)
    if (parent !== undefined) add(parent)
    shown.push({ kind: 'actor', actor, at, snapshot })
  }
  for (const one of watched.values()) add(one)
  return shown
}
