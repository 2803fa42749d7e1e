/**
 * An action that is owed, as data: what it is to be run with, how far it has come, and how both are written down.
 *
 * Each has an entry until its outcome is recorded, and a stream beside that of its actor tells what became of it.
 */
import type { AnyEventObject } from 'xstate'
import type { Entry, EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import type { JsonValue, NewEvent } from '../../../eventstore/event.ts'
import { copyAsJson } from '../../../eventstore/payload.ts'
import { withAddresses } from '../fold/actor-refs.ts'
import type { RawAction } from '../fold/cell-state.ts'
import { rootOf } from '../fold/child-address.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import type { Act, Part } from '../family/turn.ts'

/** Ends the name of every stream that tells of effects; no actor's id may end like that. */
export const EFFECTS_SUFFIX = '~effects'

const EFFECT = 'effect/'

export type OwedEffect = {
  /** `<stream>:<version>:<n>`; the idempotency key. */
  readonly key: string
  readonly stream_id: string
  /** Name of the machine, without its version: what is owed outlives a change of it. */
  readonly machine: string
  readonly action: string
  readonly params?: JsonValue
  readonly context: JsonValue
  readonly event: AnyEventObject
  readonly correlation_id: string
  /** `event_id` of the event that intends it. */
  readonly cause: string
  /** `started`: the world may have been touched; `asked`: a person has to say what becomes of it. */
  readonly phase: 'owed' | 'started' | 'asked'
  /** Attempts that have failed. */
  readonly failed: number
  /** Not to be tried before; ISO 8601. */
  readonly retry_at?: string
  /** The last failure, or why a person is asked. */
  readonly reason?: string
  /** In a fork: the key under which the original owed it. */
  readonly original_key?: string
}

/** The stream that tells of the effects of an actor. */
export function effectStream(streamId: string): string {
  return `${streamId}${EFFECTS_SUFFIX}`
}

/** Whether an action that a step asked for is owed, and not merely run. */
function isOwed(machine: DurableMachine, { type, exec }: RawAction): boolean {
  if (machine.policies.effects?.[type] === undefined) return false
  // An inline function may have the same name. What a paused fork holds back has no function.
  return exec === undefined || exec === machine.original.implementations.actions[type]
}

/** What is owed for an action that was decided in this process, from its turn on. */
const intentions = new WeakMap<RawAction, OwedEffect>()

export function intended(action: RawAction): OwedEffect | undefined {
  return intentions.get(action)
}

/** What a turn leaves on disk for the actions that are owed from it on: nothing, for nearly every turn. */
export function intentRecords(
  script: readonly Act[],
  parts: readonly Part[],
  time: number,
): { readonly appends: StreamAppend[]; readonly entries: Entry[] } | undefined {
  let records: { readonly appends: StreamAppend[]; readonly entries: Entry[] } | undefined
  for (const { cell, state, effects } of script) {
    if (effects.length === 0 || cell.machine.policies.effects === undefined) continue
    for (const effect of effects) {
      if (effect.kind !== 'action' || !isOwed(cell.machine, effect.action)) continue
      const part = parts.find((one) => one.cell === cell)
      const cause = part?.steps.find((step) => step.state.version === state.version)?.eventId ?? ''
      const { id: streamId, machine, correlationId } = cell
      const at = { key: effect.key, streamId, machine: machine.name, correlationId, cause }
      const owed = owedEffect(at, effect.action)
      intentions.set(effect.action, owed)
      records ??= { appends: [], entries: [] }
      const { params } = owed
      const facts = { at: new Date(time).toISOString(), ...(params !== undefined && { params }) }
      records.appends.push(effectEvent(owed, 'owed', facts))
      records.entries.push(effectEntry(owed, owed))
    }
  }
  return records
}

/** What is owed for an action; its arguments as JSON carries them. */
export function owedEffect(
  at: {
    readonly key: string
    readonly streamId: string
    readonly machine: string
    readonly correlationId: string
    readonly cause: string
  },
  { type, params, info }: RawAction,
): OwedEffect {
  const asJson = (value: unknown): JsonValue =>
    copyAsJson(withAddresses(value), { root: () => 'effect', outcome: true }).value
  return {
    key: at.key,
    stream_id: at.streamId,
    machine: at.machine,
    action: type,
    ...(params !== undefined && { params: asJson(params) }),
    context: asJson(info.context),
    event: asJson(info.event) as AnyEventObject,
    correlation_id: at.correlationId,
    cause: at.cause,
    phase: 'owed',
    failed: 0,
  }
}

/** The entry that says so; `undefined` when nothing is owed any more. */
export function effectEntry({ stream_id, key }: OwedEffect, owed: OwedEffect | undefined): Entry {
  return { key: `${EFFECT}${stream_id}/${key.slice(stream_id.length + 1)}`, value: owed }
}

/** What became of an effect, for the stream beside that of its actor. */
export function effectEvent(
  { stream_id, key, action, correlation_id, cause }: OwedEffect,
  type: string,
  { at, ...facts }: { readonly at: string; readonly by?: string } & Readonly<Record<string, unknown>>,
): StreamAppend {
  const event: NewEvent = {
    event_type: `effect.${type}`,
    payload: { key, action, ...facts },
    timestamp: at,
    source_agent: facts.by ?? stream_id,
    correlation_id,
    causation_id: cause,
  }
  return { stream_id: effectStream(stream_id), events: [event], expectedVersion: 'any' }
}

/** All that is owed, or what one family owes; in the order in which it was intended. */
export async function readOwedEffects(
  store: Pick<EventStore, 'entries'>,
  root?: string,
): Promise<OwedEffect[]> {
  const owed: OwedEffect[] = []
  for await (const { value } of store.entries(`${EFFECT}${root ?? ''}`)) {
    const effect = value as OwedEffect
    // Another root's id may begin with this one's.
    if (root === undefined || rootOf(effect.stream_id) === root) owed.push(effect)
  }
  return owed.sort((a, b) => (a.cause === b.cause ? numberOf(a) - numberOf(b) : a.cause < b.cause ? -1 : 1))
}

function numberOf({ key }: OwedEffect): number {
  return Number(key.slice(key.lastIndexOf(':') + 1))
}
