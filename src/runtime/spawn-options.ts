/** What goes with a machine when an actor of it is spawned. */
import type { AnyStateMachine, InputFrom } from 'xstate'

export type SpawnOptions<TMachine extends AnyStateMachine> = {
  readonly id: string
  /** What to do if the stream exists: wake and return it (default), or throw `ACTOR_EXISTS`. */
  readonly ifExists?: 'get' | 'error'
  /** Type of the stream's first event; default `actor.created`. */
  readonly createdAs?: string
  /** What all its events belong to; default its own id. */
  readonly correlationId?: string
  readonly source?: string
} & (undefined extends InputFrom<TMachine>
  ? { readonly input?: InputFrom<TMachine> }
  : { readonly input: InputFrom<TMachine> })
