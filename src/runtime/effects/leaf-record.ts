/** What became of the attempts of a leaf (promise, callback, observable), as it is told: in the log, and as an error. */
import type { StreamAppend } from '../../../eventstore/event-store.ts'
import type { NewEvent } from '../../../eventstore/event.ts'
import type { ChildRecord } from '../fold/cell-state.ts'
import { RuntimeError, textOf } from '../runtime-error.ts'
import { effectStream } from './owed-effect.ts'

/** For the stream that tells of the effects of its actor. `type`: `failed` if it is tried again, `given_up` if not. */
export function leafEvent(
  at: { readonly streamId: string; readonly correlationId: string; readonly time: number },
  { key, id, src, cause }: ChildRecord,
  { type, facts }: { readonly type: 'failed' | 'given_up'; readonly facts: object },
): StreamAppend {
  const event: NewEvent = {
    event_type: `leaf.${type}`,
    payload: { key, id, src, ...facts },
    timestamp: new Date(at.time).toISOString(),
    source_agent: `${at.streamId}/${id}`,
    correlation_id: at.correlationId,
    causation_id: cause,
  }
  return { stream_id: effectStream(at.streamId), events: [event], expectedVersion: 'any' }
}

export function leafGivenUp(
  streamId: string,
  { key, id }: ChildRecord,
  { failed, letter, error }: { readonly failed: number; readonly letter: string; readonly error: unknown },
): RuntimeError {
  return new RuntimeError('EFFECT_FAILED', {
    happened: `"${id}" of "${streamId}" failed ${failed} time(s) and was given up: ${textOf(error)}.`,
    expected: 'One of its attempts succeeds, or its machine takes the failure (onError).',
    todo: `Remove the cause, then runtime.deadLetters.retry("${letter}"); discard lets the machine fail.`,
    cause: error,
    details: { key, stream_id: streamId, leaf: id, dead_letter: letter },
  })
}
