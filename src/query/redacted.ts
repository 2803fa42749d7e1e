/** What the log holds, as it may be shown: without what looks like a secret. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import type { StateAt } from './state-at.ts'

export function redactedPayload(event: RecordedEvent): unknown {
  return redactSecrets(event.payload)
}

export function redactedState(state: StateAt): StateAt {
  const { context, output, error } = state
  return {
    ...state,
    context: redactSecrets(context),
    output: redactSecrets(output),
    error: redactSecrets(error),
  }
}
