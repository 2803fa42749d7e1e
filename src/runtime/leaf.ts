/** Runs one leaf (promise, callback or observable logic) in a real XState actor and hands what it says to the cell. */
import { createActor, type AnyActor, type AnyActorLogic, type AnyEventObject } from 'xstate'
import type { DurableMachine } from './durable-machine.ts'
import type { ChildRecord } from './fold.ts'
import { RuntimeError } from './runtime-error.ts'

export type Leaf = {
  send(event: AnyEventObject): void
  /** Ends the leaf: a promise's signal aborts, a callback's cleanup runs; what it says afterwards is not heard. */
  stop(): void
}

/** Starts a leaf. `deliver` gets its done, error and other events, in order. */
export function startLeaf(
  machine: DurableMachine,
  child: ChildRecord,
  deliver: (event: AnyEventObject) => void,
): Leaf {
  const logic = machine.original.implementations.actors[child.src] as AnyActorLogic | undefined
  if (logic === undefined) {
    throw new RuntimeError('MACHINE_NOT_DURABLE', {
      happened: `Machine "${machine.label}" has no actor "${child.src}" for its child "${child.id}".`,
      expected: 'Every invoked actor is provided by name.',
      todo: `Provide it: machine.provide({ actors: { ${child.src} } }).`,
    })
  }
  let heard = true
  const actor: AnyActor = createActor(logic, { id: child.id, input: child.input })
  // The leaf's parent is a listener, not an actor: XState relays done, error and sendBack events to it.
  const listener = {
    id: child.key,
    sessionId: child.key,
    _send: (event: AnyEventObject) => {
      if (heard) deliver(event)
    },
  }
  ;(actor as unknown as { _parent: unknown })._parent = listener
  actor.start()
  return {
    send: (event) => actor.send(event),
    stop: () => {
      heard = false
      // XState refuses to stop an actor that has a parent from outside; the listener is no such parent.
      ;(actor as unknown as { _parent: unknown })._parent = undefined
      actor.stop()
    },
  }
}
