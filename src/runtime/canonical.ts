/** Brings an event into the form it has on disk before a machine sees it, so that live sees what replay will see. */
import type { AnyEventObject } from 'xstate'
import { copyAsJson } from '../../eventstore/payload.ts'
import { RuntimeError } from './runtime-error.ts'

export type CanonicalEvent = { readonly event: AnyEventObject; readonly normalized: readonly string[] }

/**
 * An event from outside: refused if it is reserved, has no type, or holds what JSON cannot carry.
 *
 * @throws RuntimeError `EVENT_INVALID`, `EVENT_RESERVED`; EventStoreError `ES_NOT_SERIALISABLE` with the path.
 */
export function canonicalExternal(event: AnyEventObject): CanonicalEvent {
  const type: unknown = (event as AnyEventObject | undefined)?.type
  if (typeof type !== 'string' || type === '') {
    throw new RuntimeError('EVENT_INVALID', {
      happened: `An event without a type was sent: ${JSON.stringify(event)}.`,
      expected: 'An event is an object with a non-empty string `type`.',
      todo: "Send { type: 'something.happened', … }.",
    })
  }
  const reserved = [type, ...Object.keys(event)].find((name) => name.startsWith('xstate.'))
  if (reserved !== undefined) {
    throw new RuntimeError('EVENT_RESERVED', {
      happened: `The event "${type}" uses the reserved name "${reserved}".`,
      expected:
        'Names that start with "xstate." belong to the engine: anyone could forge an outcome with them.',
      todo: 'Choose another name.',
    })
  }
  return { event: copyAsJson(event, { root: 'event', outcome: false }).value as never, normalized: [] }
}

/** An outcome of work that already happened: never lost; what JSON cannot carry is normalised, and flagged. */
export function canonicalOutcome(event: AnyEventObject): CanonicalEvent {
  const { value, normalized } = copyAsJson(event, { root: 'event', outcome: true })
  return { event: value as never, normalized }
}

/** The payload under which an event is recorded, and back again. */
export function payloadOf(event: AnyEventObject): Record<string, unknown> {
  const { type: _type, ...payload } = event
  return payload
}

export function eventOf(record: { readonly event_type: string; readonly payload: unknown }): AnyEventObject {
  return { ...(record.payload as object), type: record.event_type }
}
