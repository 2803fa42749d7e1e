/** What an owed action knows as `self`: the actor that owes it, which may have left memory, or ended, meanwhile. */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import { recordedRef, type RecordedRef } from '../fold/actor-refs.ts'

export type SelfHost = {
  send(id: string, event: AnyEventObject): void
  /** `undefined` while the actor is not in memory. */
  snapshot(id: string): AnyMachineSnapshot | undefined
}

export class EffectSelf {
  readonly id: string
  readonly sessionId: string
  readonly system = { get: () => undefined, getAll: () => ({}) }
  readonly #host: SelfHost

  constructor(id: string, host: SelfHost) {
    this.id = id
    this.sessionId = id
    this.#host = host
  }

  get ref(): AnyActorRef {
    return this as unknown as AnyActorRef
  }

  send(event: AnyEventObject): void {
    this.#host.send(this.id, event)
  }

  getSnapshot(): AnyMachineSnapshot | undefined {
    return this.#host.snapshot(this.id)
  }

  toJSON(): RecordedRef {
    return recordedRef(this.id, this.id)
  }
}
