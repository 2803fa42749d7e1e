/** Reads an actor and its descendants as they were at one moment, and folds them under the names that a fork will have. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { NewEvent, RecordedEvent } from '../../../eventstore/event.ts'
import type { CellState } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { noActor } from '../engine-errors.ts'
import type { OwedEffect } from '../effects/owed-effect.ts'
import { InheritedEffects } from './fork-effects.ts'
import { ForkNames } from './fork-names.ts'
import { Replayer, type Divergence } from '../fold/replay.ts'
import { doesNotWake } from '../cell/cell-errors.ts'
import { RuntimeError } from '../runtime-error.ts'

/** One actor of a family, as far as it is taken over. */
export type Copy = {
  readonly from: string
  readonly to: string
  readonly machine: DurableMachine
  readonly events: readonly NewEvent[]
  /** The last event of the original that is taken over. */
  readonly last: RecordedEvent
  /** Whether nothing of the original is left out. */
  readonly whole: boolean
  readonly original: CellState
  readonly renamed: CellState
  /** The actions that it owed at that moment, under the names of the fork. */
  readonly owed: readonly OwedEffect[]
}

export type FamilyReading = {
  readonly id: string
  readonly newId: string
  readonly machine: DurableMachine
  /** The last version of the root, and how far the log is read; of a version, to the end of the turn that it is of. */
  readonly until: { readonly version: number } | { readonly position: number }
}

/** What a fork is read from. */
export type ForkSource = Pick<EventStore, 'entries' | 'head' | 'position' | 'readStream'>

type Read = {
  readonly copies: readonly Copy[]
  readonly rest: readonly RecordedEvent[]
  readonly names: ForkNames
}

/**
 * The root first. Both ways of folding must agree with the record: as the original, and under the new names.
 *
 * @throws RuntimeError `ACTOR_NOT_FOUND`, `ACTOR_DIVERGED`; `FORK_REFUSED` for a version in the middle of a turn
 */
export async function readFamily(
  from: ForkSource,
  { id, newId, machine, until }: FamilyReading,
): Promise<{ readonly copies: readonly Copy[]; readonly names: ForkNames }> {
  const version = 'version' in until ? until.version : Infinity
  let position = 'position' in until ? until.position : await positionOf(from, id, until.version)
  for (;;) {
    const read = await readUntil(from, { id, newId, machine, version, position })
    const end = endOfTurn(read, id, position)
    // What comes with the turn may have children of its own.
    if (end === position || 'position' in until) {
      assertComplete(read.copies, id)
      return read
    }
    position = end
  }
}

async function positionOf(
  from: Pick<EventStore, 'readStream'>,
  id: string,
  version: number,
): Promise<number> {
  for await (const { position } of from.readStream(id, { fromVersion: version, toVersion: version }))
    return position
  throw noActor(id)
}

type Bounds = {
  readonly id: string
  readonly newId: string
  readonly machine: DurableMachine
  readonly version: number
  readonly position: number
}

async function readUntil(from: ForkSource, { id, newId, machine, version, position }: Bounds): Promise<Read> {
  const names = new ForkNames(id, newId)
  const copies: Copy[] = []
  const rest: RecordedEvent[] = []
  const members = new Map([[id, { to: newId, machine }]])
  for (const [address, { to, machine: logic }] of members) {
    const original = new Replayer(logic, address)
    const renamed = new Replayer(logic, to)
    const effects = await InheritedEffects.read(from, address, position)
    const events: NewEvent[] = []
    let last: RecordedEvent | undefined
    let whole = true
    for await (const record of from.readStream(address)) {
      if (record.position > position || (address === id && record.version > version)) {
        rest.push(record)
        whole = false
        continue
      }
      const event = names.event(record)
      const before = original.take(record)
      if (before.kind === 'diverged') throw doesNotReplay(before, address)
      const copied = { ...record, ...event, stream_id: to } as RecordedEvent
      const after = renamed.take(copied)
      if (after.kind === 'diverged') throw doesNotReplay(after, to)
      events.push(event)
      last = record
      // What it was before a migration is in that.
      if (before.kind === 'older' || after.kind === 'older') continue
      names.learn(before.state, after.state)
      effects.take({ before: before.effects, after: after.effects, event: copied }, { to, machine: logic })
      for (const { durable, address: child, src } of before.state.children.values()) {
        const childMachine = logic.children.get(src)
        if (durable && childMachine !== undefined && !members.has(child)) {
          members.set(child, { to: names.own(child), machine: childMachine })
        }
      }
    }
    if (last === undefined || original.state === undefined || renamed.state === undefined) {
      if (address === id) throw noActor(id)
      continue
    }
    copies.push({
      from: address,
      to,
      machine: logic,
      events,
      last,
      whole,
      original: original.state,
      renamed: renamed.state,
      owed: await effects.all(from, { address, names }),
    })
  }
  return { copies, rest, names }
}

/** Mail within the family that was sent by what is taken over belongs to it; to the end of that, position by position. */
function endOfTurn({ rest, names }: Read, id: string, position: number): number {
  let end = position
  const along = new Set<string>()
  for (const record of rest.toSorted((a, b) => a.position - b.position)) {
    const { event_id, source_agent, causation_id, stream_id } = record
    // What an actor sends to itself is in its own state.
    const isMail = source_agent !== stream_id && names.isMember(source_agent)
    const cause = causation_id ?? ''
    if (!isMail || !(names.has(cause) || along.has(cause))) continue
    if (stream_id === id) throw midTurn(record)
    end = record.position
    for (const one of rest) if (one.position <= end) along.add(one.event_id)
    along.add(event_id)
  }
  return end
}

/** A child whose birth is mail that nobody has taken yet cannot be taken over either. */
function assertComplete(copies: readonly Copy[], id: string): void {
  const there = new Set(copies.map(({ from }) => from))
  for (const { original, last } of copies) {
    for (const { durable, address } of original.children.values()) {
      if (durable && !there.has(address)) throw notAtRest(id, last.version)
    }
  }
}

function midTurn({ stream_id: id, version }: RecordedEvent): RuntimeError {
  return new RuntimeError('FORK_REFUSED', {
    happened: `"${id}" cannot be forked at version ${version - 1}: its children answered in the same turn, and that is version ${version}.`,
    expected:
      'A version at which a turn of the family ends: what parents and children send each other is one batch.',
    todo: `Fork it at version ${version} or later; nothing was written.`,
    details: { stream_id: id, version: version - 1 },
  })
}

function notAtRest(id: string, version: number): RuntimeError {
  return new RuntimeError('FORK_REFUSED', {
    happened: `"${id}" cannot be forked at version ${version}: mail to one of its children was still on its way.`,
    expected: 'A moment at which all mail within the family was taken.',
    todo: 'Fork it at a later version; nothing was written.',
    details: { stream_id: id, version },
  })
}

function doesNotReplay(divergence: Divergence, id: string): RuntimeError {
  const { record, now, reason, cause } = divergence
  if (now === 'erased' || now === 'locked') return doesNotWake(divergence)
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
