/** The shape of one event: what a caller hands in, and what the log keeps of it. */

/** A value that JSON can carry and give back unchanged. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/**
 * An event as a caller appends it. Fields that are left out are filled in by the store:
 * `event_id` (a UUIDv7), `timestamp` (now), and the rest with the empty value named at each.
 */
export type NewEvent = {
  readonly event_type: string
  readonly payload?: unknown
  readonly event_id?: string
  /** ISO 8601, UTC. */
  readonly timestamp?: string
  /** Who did it: an actor's id, an agent's id, or `''`. */
  readonly source_agent?: string
  /** What this event belongs to; empty string if nothing. */
  readonly correlation_id?: string
  /** `event_id` of the event that caused this one; `null` if none. */
  readonly causation_id?: string | null
  /** Version of the payload's shape; 1 if left out. */
  readonly schema_version?: number
  /** `name@version` of the machine that owns the stream; empty string if none. */
  readonly machine?: string
  /** The machine's state value after this event; `null` if none. */
  readonly state?: JsonValue
  /** Whose data it is; empty for now. */
  readonly subject_id?: string
  /** The key the payload is sealed with; empty for now. */
  readonly key_id?: string
  /** What the payload lost on its way into JSON, if it was normalised. */
  readonly normalized?: readonly string[]
}

/** An event as the log keeps it: the patterns article's `SystemEvent`, plus what a log needs. */
export type RecordedEvent = {
  readonly event_id: string
  readonly event_type: string
  readonly timestamp: string
  readonly source_agent: string
  readonly payload: JsonValue
  readonly correlation_id: string
  readonly causation_id: string | null
  readonly stream_id: string
  /** Place in the stream: 1, 2, 3 … without gaps. */
  readonly version: number
  /** Place in the log: 1, 2, 3 … without gaps. */
  readonly position: number
  readonly schema_version: number
  readonly machine: string
  readonly state: JsonValue
  readonly subject_id: string
  readonly key_id: string
  readonly normalized?: readonly string[]
  /** SHA-256 over the previous hash of the stream and this record as stored, in hex. */
  readonly hash: string
}

/** An event that has no hash yet, in the order in which the body keeps its fields. */
export type EventBody = Omit<RecordedEvent, 'hash'> & { readonly hash?: string | undefined }
