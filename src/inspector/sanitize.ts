/** What of events and contexts may leave for an inspector: nothing that looks like a secret, and less on request. */
import { redactSecrets } from '../permissions/redaction.ts'
import type { Inspected, InspectedEvent } from './inspected.ts'

export type SanitizeOptions = {
  /** Applied to each event after secrets are taken out. */
  readonly event?: (event: InspectedEvent) => InspectedEvent
  /** Applied to each context, output and error, after secrets are taken out. */
  readonly context?: (context: unknown) => unknown
}

/** `true`: only names, types of events, and states; no payload, no context. */
export type Sanitize = boolean | SanitizeOptions

const BARE: SanitizeOptions = { event: ({ type }) => ({ type }), context: () => undefined }

/** A function that is applied to everything that is shown. */
export function sanitizer(option: Sanitize = false): (shown: Inspected) => Inspected {
  const own: SanitizeOptions = option === true ? BARE : option === false ? {} : option
  const { event: ownEvent = (event) => event, context: ownContext = (context) => context } = own
  const value = (given: unknown): unknown => ownContext(redactSecrets(given))
  const event = (given: InspectedEvent): InspectedEvent => ownEvent(redactSecrets(given) as InspectedEvent)
  return (shown) => {
    if (shown.kind === 'event') return { ...shown, event: event(shown.event) }
    const { status, value: state, ...inner } = shown.snapshot
    const snapshot = {
      status,
      value: state,
      ...Object.fromEntries(Object.entries(inner).map(([key, given]) => [key, value(given)])),
    }
    return shown.kind === 'actor' ? { ...shown, snapshot } : { ...shown, snapshot, event: event(shown.event) }
  }
}
