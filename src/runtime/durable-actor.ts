/** What users hold of a durable actor: it looks like an XState `ActorRef`, and its `send` answers from the disk. */
import type {
  AnyActorLogic,
  AnyEventObject,
  AnyStateMachine,
  EmittedFrom,
  EventFromLogic,
  SnapshotFrom,
  Subscription,
} from 'xstate'
import type { Cell, Receipt, SendOptions } from './cell.ts'

type Observer<T> = {
  readonly next?: (value: T) => void
  readonly error?: (error: unknown) => void
  readonly complete?: () => void
}

/** A reference to one durable actor; typed by its machine. */
export interface DurableActor<TMachine extends AnyActorLogic = AnyStateMachine> {
  readonly id: string
  /**
   * Offers an event. Resolves when the answer is on disk: accepted, or refused and why.
   * A call that is not awaited never becomes an unhandled rejection; trouble goes to `onError`.
   */
  send(event: EventFromLogic<TMachine>, options?: SendOptions): Promise<Receipt>
  /** The state on disk; right after a `send` that was not awaited, still the one before it. */
  getSnapshot(): SnapshotFrom<TMachine>
  subscribe(
    observer: Observer<SnapshotFrom<TMachine>> | ((snapshot: SnapshotFrom<TMachine>) => void),
    error?: (error: unknown) => void,
    complete?: () => void,
  ): Subscription
  /** Hears emitted events of a type (`*` for all); at most once each. */
  on<TType extends EmittedFrom<TMachine>['type'] | '*'>(
    type: TType,
    handler: (
      event: TType extends '*' ? EmittedFrom<TMachine> : Extract<EmittedFrom<TMachine>, { type: TType }>,
    ) => void,
  ): Subscription
  /** Ends the actor for good, on the record. */
  stop(): Promise<Receipt>
  /** The version on disk. */
  readonly version: number
}

/** Wraps a cell. `resolve` gives the live cell, waking it anew if it has left memory. */
export function durableActor<TMachine extends AnyActorLogic>(
  id: string,
  host: { cell: () => Cell; resolve: () => Promise<Cell>; onError: (error: unknown) => void },
): DurableActor<TMachine> {
  const actor: DurableActor<TMachine> = {
    id,
    get version() {
      return host.cell().version
    },
    send(event, options) {
      return quiet(
        host.resolve().then((cell) => cell.send(event as AnyEventObject, options)),
        host.onError,
      )
    },
    getSnapshot: () => host.cell().snapshot as SnapshotFrom<TMachine>,
    subscribe(observer, error, complete) {
      const target: Observer<SnapshotFrom<TMachine>> =
        typeof observer === 'function'
          ? { next: observer, ...(error && { error }), ...(complete && { complete }) }
          : observer
      const { listeners, snapshot } = host.cell()
      const finish = (status: string, reason: unknown): void => {
        if (status === 'error') target.error?.(reason)
        else target.complete?.()
      }
      if (snapshot.status !== 'active') {
        finish(snapshot.status, snapshot.error)
        return { unsubscribe: () => {} }
      }
      const listener = (next: { status: string; error: unknown }): void => {
        if (next.status !== 'error') target.next?.(next as SnapshotFrom<TMachine>)
        if (next.status === 'active') return
        listeners.delete(listener)
        finish(next.status, next.error)
      }
      listeners.add(listener)
      return { unsubscribe: () => void listeners.delete(listener) }
    },
    on(type, handler) {
      const { emitListeners } = host.cell()
      const listener = (event: AnyEventObject): void => {
        if (type === '*' || event.type === type) handler(event as never)
      }
      emitListeners.add(listener)
      return { unsubscribe: () => void emitListeners.delete(listener) }
    },
    stop: () => host.resolve().then((cell) => cell.stop()),
  }
  const symbol = (Symbol as unknown as { observable?: symbol }).observable ?? '@@observable'
  Object.defineProperty(actor, symbol, { value: () => actor, enumerable: false })
  return actor
}

/** Keeps a promise that nobody awaits from becoming an unhandled rejection, and says its trouble to `onError`. */
function quiet<T>(promise: Promise<T>, onError: (error: unknown) => void): Promise<T> {
  promise.catch(onError)
  return promise
}
