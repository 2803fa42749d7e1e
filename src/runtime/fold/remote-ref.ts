/** What a machine holds of a durable actor that is neither itself nor its child: an address to send to. */
import type { AnyActorRef, AnyEventObject } from 'xstate'
import { recordedRef, type RecordedRef } from './actor-refs.ts'

const ignore = (): void => {}
const NOTHING = { unsubscribe: ignore }

/** An actor somewhere else. Its state is not known here: what a fold reads must be in its own log. */
export class RemoteRef {
  readonly id: string
  readonly sessionId: string
  readonly src = undefined
  readonly _parent = undefined
  readonly ref = this
  readonly #send: (target: AnyActorRef, event: AnyEventObject) => void

  constructor(
    at: { readonly id: string; readonly address: string },
    send: (target: AnyActorRef, event: AnyEventObject) => void,
  ) {
    this.id = at.id
    this.sessionId = at.address
    this.#send = send
  }

  send(event: AnyEventObject): void {
    this.#send(this as unknown as AnyActorRef, event)
  }
  _send(event: AnyEventObject): void {
    this.send(event)
  }
  getSnapshot(): { readonly status: 'active' } {
    return { status: 'active' }
  }
  subscribe(): typeof NOTHING {
    return NOTHING
  }
  on(): typeof NOTHING {
    return NOTHING
  }
  toJSON(): RecordedRef {
    return recordedRef(this.id, this.sessionId)
  }
}

const durable = new WeakSet<object>()

/** Marks a machine's reference to its own durable child, of whose logic nothing runs in the fold. */
export function markDurable(ref: AnyActorRef): void {
  durable.add(ref)
}

/** Whether events to this actor are on the record. */
export function isDurable(ref: AnyActorRef): boolean {
  return ref instanceof RemoteRef || durable.has(ref)
}
