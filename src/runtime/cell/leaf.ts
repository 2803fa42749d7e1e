/** Runs one leaf (promise, callback or observable logic) in a real XState actor and hands what it says to the cell. */
import { createActor, type AnyActor, type AnyActorLogic, type AnyEventObject } from 'xstate'
import type { ChildRecord } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { RuntimeError } from '../runtime-error.ts'

export type Leaf = {
  /** True when it has come to its own end, which it may do while it is being started. */
  readonly finished: boolean
  send(event: AnyEventObject): void
  /** Ends the leaf: a promise's signal aborts, a callback's cleanup runs; what it says afterwards is not heard. */
  stop(): void
}

export type LeafHost = {
  readonly machine: DurableMachine
  /** It ran before a restart, and what it had to say at its start was heard then. */
  readonly again: boolean
  /** Gets its done, error and other events, in order; `last` with the one that ends it. */
  deliver(event: AnyEventObject, last: boolean): void
  /** Its cleanup threw after it was stopped. */
  onError(error: unknown): void
  log(...values: unknown[]): void
}

/** @throws RuntimeError `MACHINE_NOT_DURABLE` if the machine has no such logic. */
export function startLeaf(child: ChildRecord, host: LeafHost): Leaf {
  const actor: AnyActor = createActor(logicOf(child, host.machine), {
    id: child.id,
    input: child.input,
    syncSnapshot: child.syncSnapshot,
    logger: (...values: unknown[]) => host.log(...values),
  } as never)
  const ends = [`xstate.done.actor.${child.id}`, `xstate.error.actor.${child.id}`]
  let stopped = false
  let greeted = !host.again
  let finished = false
  // The leaf's parent is a listener, not an actor: XState relays done, error and sendBack events to it.
  const listener = {
    id: child.key,
    sessionId: child.key,
    _send: (event: AnyEventObject) => {
      const last = ends.includes(event.type)
      if (last && stopped) host.onError(event['error'])
      if (stopped || finished) return
      // The snapshot that it starts with would put the machine back to the time before it had any value.
      if (!greeted && event.type === snapshotType(child.id)) {
        greeted = true
        return
      }
      finished = last
      host.deliver(withoutLiveParts(event, actor), last)
    },
  }
  ;(actor as unknown as { _parent: unknown })._parent = listener
  actor.start()
  return {
    get finished() {
      return finished
    },
    send: (event) => actor.send(event),
    stop: () => {
      stopped = true
      // Not `stop()`, which is for actors without a parent.
      ;(actor as unknown as { _stop(): void })._stop()
    },
  }
}

function snapshotType(id: string): string {
  return `xstate.snapshot.${id}`
}

/** A snapshot event carries the leaf's snapshot, with its subscription in it; what XState would persist is enough. */
function withoutLiveParts(event: AnyEventObject, actor: AnyActor): AnyEventObject {
  if (event.type !== snapshotType(actor.id)) return event
  const { logic } = actor as { logic: AnyActorLogic }
  return { ...event, snapshot: logic.getPersistedSnapshot(event['snapshot']) }
}

/** The logic by which a child runs. @throws RuntimeError `MACHINE_NOT_DURABLE` if the machine has none of that name. */
export function logicOf(child: ChildRecord, machine: DurableMachine): AnyActorLogic {
  const logic = machine.original.implementations.actors[child.src] as AnyActorLogic | undefined
  if (logic !== undefined) return logic
  throw new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `Machine "${machine.label}" has no actor "${child.src}" for its child "${child.id}".`,
    expected: 'Every invoked or spawned actor is provided by name.',
    todo: `Provide it: machine.provide({ actors: { ${child.src} } }).`,
  })
}
