/** The attempts of handlers that are under way in this process: since when, and what each of them waits for. */

/** A call of a handler that has begun and not ended. */
export type UnderWay = {
  readonly kind: string
  readonly name: string
  /** ISO 8601. */
  readonly since: string
  /** Of a tool call: its stream. */
  readonly call_id?: string
}

export type AttemptNow = {
  /** 1 at first. */
  readonly number: number
  /** ISO 8601. */
  readonly since: string
  underWay(): readonly UnderWay[]
}

/** By run id. */
export type Attempts = Map<string, AttemptNow>
