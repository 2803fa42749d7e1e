/** Brings an event into the form it has on disk before a machine sees it, so that live sees what replay will see. */
import { inspect } from 'node:util'
import type { AnyEventObject } from 'xstate'
import { copyAsJson, copyIfPlain, NOT_PLAIN } from '../../../eventstore/payload.ts'
import { withAddresses } from './actor-refs.ts'
import { RuntimeError } from '../runtime-error.ts'

export type CanonicalEvent = { readonly event: AnyEventObject; readonly normalized: readonly string[] }

/** By this field a due timer's event says which timer it is. Events from outside have none of these. */
export const TIMER_FIELD = 'xstate.timer'
/** By this one a child's last event says which incarnation it was. */
export const CHILD_FIELD = 'xstate.child'
/** By this one an event says that there are references to actors in it. */
export const REFS_FIELD = 'xstate.refs'
/** This one keeps what a step was told when it asked the system for an actor. */
export const READS_FIELD = 'xstate.reads'
/** By this one an event says that it is a migration, and has the state that it leads to. */
export const MIGRATION_FIELD = 'xstate.migration'

const LONGEST_TYPE = 512

/** What the log cannot have in a name: control characters, half a surrogate pair. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u

/** Whether the log can take this as the name of a stream or the type of an event, `longest` characters at most. */
export function isRecordableName(value: unknown, longest: number = LONGEST_TYPE): value is string {
  if (typeof value !== 'string' || value === '' || value.length > longest) return false
  return isPlainText(value) || !UNPRINTABLE.test(value)
}

/** Nearly every name is; the rest is for the pattern. */
function isPlainText(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/**
 * An event from outside: refused if it is reserved, has no type, or holds what JSON cannot carry.
 *
 * @throws RuntimeError `EVENT_INVALID`, `EVENT_RESERVED`; EventStoreError `ES_NOT_SERIALISABLE` with the path.
 */
export function canonicalExternal(event: AnyEventObject): CanonicalEvent {
  assertEvent(event)
  const reserved = isReserved(event.type) ? event.type : reservedFieldOf(event)
  if (reserved !== undefined) {
    throw new RuntimeError('EVENT_RESERVED', {
      happened: `The event "${event.type}" uses the reserved name "${reserved}".`,
      expected:
        'Names that start with "xstate." belong to the engine: anyone could forge an outcome with them.',
      todo: 'Choose another name.',
    })
  }
  return { ...UNTOUCHED, event: typeFirst(copyStrictly(event)) }
}

/** Copied, not written as a literal for each event, for the sake of the garbage collector (eventstore/young.ts). */
const UNTOUCHED: CanonicalEvent = { event: { type: '' }, normalized: [] }

function isReserved(name: string): boolean {
  return name.startsWith('xstate.')
}

function reservedFieldOf(event: AnyEventObject): string | undefined {
  for (const name in event) if (isReserved(name) && Object.hasOwn(event, name)) return name
  return undefined
}

/** Nearly no event has references in it; only one that cannot be copied is searched for them. */
function copyStrictly(event: AnyEventObject): unknown {
  const plain = copyIfPlain(event)
  if (plain !== NOT_PLAIN) return plain
  try {
    return copyAsJson(event, STRICTLY).value
  } catch (error) {
    const addressed = withAddresses(event)
    if (addressed === event) throw error
    return copyAsJson({ ...(addressed as AnyEventObject), [REFS_FIELD]: true }, STRICTLY).value
  }
}

const STRICTLY = { root: () => 'event', outcome: false }
const OUTCOME = { root: () => 'event', outcome: true }

/**
 * An outcome of work that already happened: never lost; what JSON cannot carry is normalised, and flagged.
 *
 * @throws RuntimeError `EVENT_INVALID`
 */
export function canonicalOutcome(event: AnyEventObject): CanonicalEvent {
  assertEvent(event)
  const { value, normalized } = copyAsJson(event, OUTCOME)
  return { event: typeFirst(value), normalized }
}

/** An event between durable actors, or one that comes due later: references to actors in it become addresses. */
export function canonicalMail(event: AnyEventObject): CanonicalEvent {
  const addressed = withAddresses(event)
  return canonicalOutcome(
    addressed === event ? event : { ...(addressed as AnyEventObject), [REFS_FIELD]: true },
  )
}

/** A record keeps the type beside the rest; what comes back has its fields in the same order as what went in. */
function typeFirst(event: unknown): AnyEventObject {
  for (const first in event as AnyEventObject) {
    if (first === 'type') return event as AnyEventObject
    break
  }
  const { type, ...payload } = event as AnyEventObject
  return { type, ...payload }
}

function assertEvent(event: unknown): asserts event is AnyEventObject {
  if (typeof event === 'object' && event !== null && isRecordableName((event as AnyEventObject).type)) return
  throw new RuntimeError('EVENT_INVALID', {
    happened: `What was sent is no event: ${inspect(event, { depth: 1, maxStringLength: 100, breakLength: Infinity })}.`,
    expected: `An event is an object with a \`type\` of 1 to ${LONGEST_TYPE} printable characters.`,
    todo: "Send { type: 'something.happened', … }; nothing was written.",
  })
}

/** The payload under which an event is recorded, and back again. */
export function payloadOf(event: AnyEventObject): Record<string, unknown> {
  if (Object.hasOwn(event, '__proto__')) {
    const { type: _type, ...rest } = event
    return rest
  }
  const payload: Record<string, unknown> = {}
  // Not `Object.keys`, which makes an array for each event; a copy of JSON inherits nothing.
  for (const key in event) if (key !== 'type') payload[key] = event[key]
  return payload
}

export function eventOf(record: { readonly event_type: string; readonly payload: unknown }): AnyEventObject {
  return { type: record.event_type, ...(record.payload as object) }
}
