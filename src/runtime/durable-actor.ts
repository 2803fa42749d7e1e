/** What users hold of a durable actor: it looks like an XState `ActorRef`, and its `send` answers from the disk. */
import type {
  ActorRef,
  AnyActorLogic,
  AnyActorRef,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  EmittedFrom,
  EventFromLogic,
  SnapshotFrom,
  Subscription,
} from 'xstate'
import { recordedRef } from './actor-refs.ts'
import type { Audience, Observer } from './audience.ts'
import type { Cell, Receipt, SendOptions } from './cell.ts'
import { Reply } from './reply.ts'

/**
 * A reference to one durable actor; typed by its machine. It is an `ActorRef`, so what is made for one (`waitFor`,
 * `toPromise`, `from` of RxJS, `useSelector`) takes it as well.
 */
export interface DurableActor<TMachine extends AnyActorLogic = AnyStateMachine> extends ActorRef<
  SnapshotFrom<TMachine>,
  EventFromLogic<TMachine>,
  EmittedFrom<TMachine>
> {
  readonly id: string
  /**
   * Offers an event. Resolves when the answer is on disk: accepted, or refused and why.
   * A call that is not awaited never becomes an unhandled rejection; its trouble goes to `onError`.
   *
   * @throws RuntimeError `EVENT_INVALID`, `EVENT_RESERVED`, `RUNTIME_CLOSED`; EventStoreError `ES_NOT_SERIALISABLE`
   * with the path, `ES_WRITE_UNKNOWN`, `ES_NOT_WRITTEN`, `ES_POISONED`
   */
  // oxlint-disable-next-line typescript/no-misused-promises -- as long as nobody needs the answer, it is XState's `send`
  send(event: EventFromLogic<TMachine>, options?: SendOptions): Promise<Receipt>
  /** The state on disk; right after a `send` that was not awaited, still the one before it. */
  getSnapshot(): SnapshotFrom<TMachine>
  /** Hears each state once it is on disk, and completes when the actor is done or stopped. */
  subscribe(observer: Observer<SnapshotFrom<TMachine>>): Subscription
  subscribe(
    next: ((snapshot: SnapshotFrom<TMachine>) => void) | undefined,
    error?: (error: unknown) => void,
    complete?: () => void,
  ): Subscription
  /** Hears emitted events of a type (`*` for all); at most once each. */
  on<TType extends EmittedFrom<TMachine>['type'] | '*'>(
    type: TType,
    handler: (event: EmittedFrom<TMachine> & (TType extends '*' ? unknown : { type: TType })) => void,
  ): Subscription
  /** A part of the state, with those of its changes that `equal` (default `Object.is`) tells apart. */
  select<T>(
    selector: (snapshot: SnapshotFrom<TMachine>) => T,
    equal?: (a: T, b: T) => boolean,
  ): ReturnType<typeof selectFrom<SnapshotFrom<TMachine>, T>>
  /** Ends the actor for good, on the record. */
  // oxlint-disable-next-line typescript/no-misused-promises -- as above
  stop(): Promise<Receipt>
  /** The version on disk. */
  readonly version: number
}

/** What a reference needs from the engine. */
export type ActorHost = {
  /** The live cell, or the last one there was. */
  cell(): Cell
  /** Hands the live cell to `take`, waking it if it has left memory. */
  use<T>(take: (cell: Cell) => Promise<T>): Promise<T>
  /** Who watches the actor; made if nobody did. */
  audience(): Audience
  /** Somebody has stopped watching. */
  dismiss(audience: Audience): void
  onError(error: unknown): void
}

/** A reference to the actor `id`. */
export function durableActor<TMachine extends AnyActorLogic>(
  id: string,
  host: ActorHost,
): DurableActor<TMachine> {
  type State = SnapshotFrom<TMachine>
  const getSnapshot = (): State => host.cell().snapshot as State
  const subscription = (audience: Audience, leave: () => void): Subscription => ({
    unsubscribe() {
      leave()
      host.dismiss(audience)
    },
  })
  const subscribe = (
    first: Observer<State> | ((snapshot: State) => void) | undefined,
    error?: (error: unknown) => void,
    complete?: () => void,
  ): Subscription => {
    const observer = typeof first === 'object' ? first : { next: first, error, complete }
    const { snapshot } = host.cell()
    if (snapshot.status === 'active') {
      const audience = host.audience()
      return subscription(audience, audience.subscribe(observer as Observer<AnyMachineSnapshot>))
    }
    if (snapshot.status !== 'error') observer.complete?.()
    else if (observer.error === undefined) host.onError(snapshot.error)
    else observer.error(snapshot.error)
    return { unsubscribe: () => {} }
  }
  const reply = (answer: Promise<Receipt>): Promise<Receipt> =>
    Reply.to(answer, (error) => host.onError(error))

  const actor = {
    id,
    sessionId: id,
    get src() {
      return host.cell().machine.original
    },
    get system() {
      return LONE_SYSTEM
    },
    get version() {
      return host.cell().version
    },
    start: () => {},
    send: (event: AnyEventObject, options?: SendOptions) =>
      reply(host.use((cell) => cell.send(event, options))),
    stop: () => reply(host.use((cell) => cell.stop())),
    getSnapshot,
    getPersistedSnapshot: () => {
      const { machine, snapshot } = host.cell()
      return machine.foldable.getPersistedSnapshot(snapshot)
    },
    subscribe,
    on(type: string, handler: (event: never) => void) {
      const audience = host.audience()
      return subscription(audience, audience.on(type, handler as (event: AnyEventObject) => void))
    },
    select: <T>(selector: (snapshot: State) => T, equal?: (a: T, b: T) => boolean) =>
      selectFrom({ getSnapshot, subscribe }, selector, equal),
    toJSON: () => recordedRef(id, id),
  }
  for (const name of new Set([Symbol.observable ?? '@@observable', '@@observable'])) {
    Object.defineProperty(actor, name, { value: () => actor, enumerable: false })
  }
  return actor as unknown as DurableActor<TMachine>
}

/** Each durable actor is the root of a system of its own, which has no actors that others could find. */
const LONE_SYSTEM = {
  get: () => undefined,
  getAll: () => ({}),
  inspect: () => ({ unsubscribe: () => {} }),
} as unknown as AnyActorRef['system']

type Selectable<TState> = {
  getSnapshot(): TState
  subscribe(next: (snapshot: TState) => void): Subscription
}

function selectFrom<TState, T>(
  actor: Selectable<TState>,
  selector: (snapshot: TState) => T,
  equal: (a: T, b: T) => boolean = Object.is,
): { get(): T; subscribe(observer: Observer<T> | ((value: T) => void)): Subscription } {
  return {
    get: () => selector(actor.getSnapshot()),
    subscribe(observer) {
      const next = typeof observer === 'function' ? observer : observer.next?.bind(observer)
      let last = selector(actor.getSnapshot())
      return actor.subscribe((snapshot) => {
        const value = selector(snapshot)
        if (equal(last, value)) return
        last = value
        next?.(value)
      })
    },
  }
}
