/**
 * Takes an actor from the machine version that last decided it to today's, on the record.
 *
 * A migration is an event, `actor.migrated`, that carries the whole state as it is from there on. What comes before it
 * was decided by older code, and is never folded by newer code again: live, replays and forks agree about it.
 *
 * The old state is folded by the old machine, if it was given; otherwise by today's, if that agrees with every state
 * that was recorded. A snapshot would do as well, but is a cache that may be gone.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import type { AtomicBatch, Entry, StreamAppend } from '../../../eventstore/event-store.ts'
import { MIGRATION_FIELD } from '../fold/canonical.ts'
import type { CellState, ChildRecord, TimerRecord } from '../fold/cell-state.ts'
import { doesNotWake } from '../cell/cell-errors.ts'
import type { Clock } from '../clock.ts'
import { versionOf, withDescendants, type DurableMachine } from '../fold/durable-machine.ts'
import { createFolder, type Migration } from '../fold/fold.ts'
import { migrationInvalid, migrationMissing } from './migration-errors.ts'
import { compareOwed, owedEntries } from '../recovery/owed.ts'
import { packState, type PackedState } from '../snapshots/packed-state.ts'
import type { MigratedState, MigratingState, VersionStep } from '../policies.ts'
import { Replayer } from '../fold/replay.ts'
import { assertCarriedOn } from './carried-on.ts'

export type MigrationSource = Pick<EventStore, 'entries' | 'head' | 'readStream'>

type Member = {
  readonly address: string
  readonly today: DurableMachine
  /** What the machine of the parent that decided it last has for it. */
  readonly writer: DurableMachine | undefined
}

/**
 * Migrates an actor that is about to be woken, and its descendants, in one batch. `label`: under which it was decided.
 *
 * @throws RuntimeError `MIGRATION_MISSING`, `MIGRATION_INVALID`
 */
export async function bringUpToDate(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  { label, ...root }: { readonly id: string; readonly label: string; readonly machine: DurableMachine },
): Promise<void> {
  if (!mayMove(label, root.machine)) return
  const plan = await planMigration(store, root, clock.now())
  if (plan !== undefined) await store.appendBatch(plan)
}

/**
 * What brings an actor and its descendants to today's machines; `undefined` if nothing does, since they are there.
 *
 * @throws RuntimeError `MIGRATION_MISSING`, `MIGRATION_INVALID`
 */
export async function planMigration(
  store: MigrationSource,
  root: { readonly id: string; readonly machine: DurableMachine },
  time: number,
): Promise<AtomicBatch | undefined> {
  const appends: StreamAppend[] = []
  const entries: Entry[] = []
  const members: Member[] = [{ address: root.id, today: root.machine, writer: undefined }]
  for (const member of members) {
    const { address, today } = member
    const head = await store.head(address)
    // Its birth may be mail that waits.
    if (head === undefined) continue
    const writer = writerOf(member, head.machine)
    const { state, last } = await lastState(store, member, { label: head.machine, writer })
    if (head.machine !== today.label) {
      const moved = migrated(state, { member, label: head.machine, writer })
      const migration: Migration = { from: head.machine, state: asJson(packState(moved)) as PackedState }
      const event = {
        event_type: 'actor.migrated',
        payload: { [MIGRATION_FIELD]: migration },
        timestamp: new Date(Math.max(time, Date.parse(last.timestamp))).toISOString(),
        source_agent: 'migration',
        correlation_id: last.correlation_id,
        machine: today.label,
        state: asJson((moved.snapshot.value as unknown) ?? null) as never,
      }
      appends.push({ stream_id: address, events: [event], expectedVersion: head.version })
      entries.push(...owedEntries(address, state, moved))
    }
    for (const { durable, address: child, src } of state.children.values()) {
      const machine = today.children.get(src)
      if (durable && machine !== undefined) {
        members.push({ address: child, today: machine, writer: writer?.children.get(src) })
      }
    }
  }
  return appends.length === 0 ? undefined : { appends, entries }
}

/** Whether an actor of this label, or a child of it, may have been decided by an older version. */
export function mayMove(label: string, today: DurableMachine): boolean {
  if (label !== today.label) return true
  return withDescendants(today).some((one) => one !== today && one.policies.versions !== undefined)
}

/** The machine that decided the stream last, as far as it was given. */
function writerOf({ today, writer }: Member, label: string): DurableMachine | undefined {
  if (label === today.label) return today
  return writer?.label === label ? writer : today.versions.get(versionOf(label))
}

type Written = { readonly label: string; readonly writer: DurableMachine | undefined }

async function lastState(
  store: MigrationSource,
  { address, today }: Member,
  { label, writer }: Written,
): Promise<{ readonly state: CellState; readonly last: RecordedEvent }> {
  const replayer = new Replayer(writer ?? today, address, { label })
  let last: RecordedEvent | undefined
  for await (const record of store.readStream(address)) {
    const replayed = replayer.take(record)
    if (replayed.kind === 'diverged') {
      const { expected, got, reason, now } = replayed
      if (now === 'erased' || now === 'locked') throw doesNotWake(replayed)
      throw migrationMissing(
        { id: address, from: label, to: today.label, given: writer !== undefined },
        { record, expected, got, reason },
      )
    }
    last = record
  }
  if (last === undefined || replayer.state === undefined) throw new Error(`"${address}" has no events`)
  const owed = await compareOwed(store as EventStore, address, replayer.state)
  if (owed.kind === 'differs') {
    const { onDisk, folded } = owed
    const reason = `it owed [${onDisk.join(', ')}] and owes [${folded.join(', ')}] now`
    const about = { id: address, from: label, to: today.label, given: writer !== undefined }
    throw migrationMissing(about, { record: last, expected: [...onDisk], got: [...folded], reason })
  }
  return { state: owed.state, last }
}

/** Step by step, the oldest first; what a step gives is checked against today's machine in the end. */
function migrated(
  state: CellState,
  { member, label, writer }: Written & { readonly member: Member },
): CellState {
  const { address, today } = member
  const about = { id: address, from: label, to: today.label }
  // Today's machine has folded all of it: then this is its state already.
  if (writer === undefined) return state
  const carried = stepsFrom(today, versionOf(label)).reduce((before, migrate) => {
    let after: MigratedState
    try {
      after = (migrate as Migrate)({ value: before.snapshot.value, context: before.snapshot.context })
    } catch (cause) {
      throw migrationInvalid(
        about,
        `a step threw: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      )
    }
    return withChanges(before, after)
  }, state)
  try {
    if (today.kind === 'machine') today.foldable.resolveState({ value: carried.snapshot.value, context: {} })
  } catch (cause) {
    throw migrationInvalid(about, `it has no state ${JSON.stringify(carried.snapshot.value)}`, cause)
  }
  const restored = createFolder(today, address).restore(
    asJson(packState(carried)) as PackedState,
    state.version,
  )
  assertCarriedOn(about, { before: { state, machine: writer }, after: { state: restored, machine: today } })
  return carried
}

type Migrate = (state: MigratingState) => MigratedState

function stepsFrom(today: DurableMachine, version: string): NonNullable<VersionStep['migrate']>[] {
  const steps = Object.entries(today.policies.versions ?? {})
  const from = steps.findIndex(([name]) => name === version)
  return from < 0 ? [] : steps.slice(from).flatMap(([, { migrate }]) => migrate ?? [])
}

function withChanges(state: CellState, { value, context, rename = {}, drop = [] }: MigratedState): CellState {
  const named = (name: string): string => rename[name] ?? name
  const isKept = ({ id }: { readonly id: string }): boolean => !drop.includes(id)
  const children = [...state.children.values()].filter((child) => child.durable || isKept(child))
  const own = Object.entries((state.snapshot.children ?? {}) as Record<string, ChildRecord['ref']>)
  const kept = own.filter(([, ref]) => children.some((child) => child.ref === ref))
  for (const [id, ref] of kept) Object.assign(ref, { id: named(id) })
  const timers = [...state.timers.values()].filter(isKept).map((timer): TimerRecord => ({
    ...timer,
    id: named(timer.id),
    event: { ...timer.event, type: named(timer.event.type) },
  }))
  return {
    ...state,
    snapshot: {
      ...state.snapshot,
      value,
      context,
      children: Object.fromEntries(kept.map(([id, ref]) => [named(id), ref])),
    } as AnyMachineSnapshot,
    children: new Map(children.map((child) => [child.key, { ...child, id: named(child.id) }])),
    timers: new Map(timers.map((timer) => [timer.key, timer])),
  }
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown
}
