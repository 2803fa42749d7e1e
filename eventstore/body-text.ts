/**
 * The JSON text of an event's body, as it is hashed and stored.
 *
 * It is what `JSON.stringify` makes of the body, byte for byte, in half the time: the fields are known, and of texts
 * that need no escaping most bodies are full. Every append waits for one.
 */
import type { EventBody } from './event.ts'

/** A text whose JSON is itself between quotes. */
const PLAIN = /^[ !#-[\]-~]*$/

const quoted = (text: string): string => {
  if (text === '') return '""'
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** @param body with its fields in the order of the type, as all bodies are made. */
export const bodyText = (body: EventBody): string => {
  const cause = body.causation_id === null ? 'null' : quoted(body.causation_id)
  const state = body.state === null ? 'null' : JSON.stringify(body.state)
  const normalized = body.normalized === undefined ? '' : `,"normalized":${JSON.stringify(body.normalized)}`
  return (
    `{"event_id":${quoted(body.event_id)},"event_type":${quoted(body.event_type)},` +
    `"timestamp":${quoted(body.timestamp)},"source_agent":${quoted(body.source_agent)},` +
    `"payload":${JSON.stringify(body.payload)},"correlation_id":${quoted(body.correlation_id)},` +
    `"causation_id":${cause},"stream_id":${quoted(body.stream_id)},"version":${body.version},` +
    `"position":${body.position},"schema_version":${body.schema_version},"machine":${quoted(body.machine)},` +
    `"state":${state},"subject_id":${quoted(body.subject_id)},"key_id":${quoted(body.key_id)}${normalized}}`
  )
}
