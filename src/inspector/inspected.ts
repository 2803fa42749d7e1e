/** What an inspector is shown of actors, in words of no particular inspector: that there is one, what came, where it stands. */
import type { JsonValue } from '../../eventstore/event.ts'

export type InspectedActor = {
  /** Its stream. */
  readonly id: string
  /** What people call it: the name of a session, the id of an agent, a tool; else its id. */
  readonly name: string
  /** `name@version`. */
  readonly machine: string
  /** The actor that started it, if one of this log did. */
  readonly parent: string | undefined
  /** The one at the top of those. */
  readonly root: string
  /** The machine's config as the log recorded it; `undefined` if it has none. */
  readonly definition: JsonValue | undefined
}

export type InspectedSnapshot = {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly value: JsonValue
  /** Left out where the machine's code is not there to fold it. */
  readonly context?: unknown
  readonly output?: unknown
  readonly error?: unknown
}

export type InspectedEvent = { readonly type: string; readonly [key: string]: unknown }

export type Inspected =
  | {
      readonly kind: 'actor'
      readonly actor: InspectedActor
      readonly at: string
      readonly snapshot: InspectedSnapshot
    }
  | {
      readonly kind: 'event'
      readonly actor: InspectedActor
      readonly at: string
      readonly id: string
      readonly event: InspectedEvent
      /** The actor that sent it, if another one of this log did. */
      readonly source: string | undefined
    }
  | {
      readonly kind: 'snapshot'
      readonly actor: InspectedActor
      readonly at: string
      readonly event: InspectedEvent
      readonly snapshot: InspectedSnapshot
    }
