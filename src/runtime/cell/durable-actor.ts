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
import { recordedRef, type RecordedRef } from '../fold/actor-refs.ts'
import type { Audience, Observer } from './audience.ts'
import type { Cell, Receipt, SendOptions } from './cell.ts'
import { Reply } from '../reply.ts'

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
   * @throws RuntimeError `EVENT_INVALID`, `EVENT_RESERVED`, `MAILBOX_FULL`, `RUNTIME_CLOSED`; EventStoreError `ES_NOT_SERIALISABLE`
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

/** What references need from the engine; one for all of them. */
export type ActorHost = {
  /** Hands the live cell to `take`, waking it if it has left memory. */
  use<T>(id: string, take: (cell: Cell) => Promise<T>): Promise<T>
  /** The same for an event from outside, of which no more wait than may. */
  offer(id: string, take: (cell: Cell) => Promise<Receipt>): Promise<Receipt>
  /** Who watches the actor; made if nobody did. */
  audience(id: string, version: number): Audience
  /** Somebody has stopped watching. */
  dismiss(id: string, audience: Audience): void
  readonly onError: (error: unknown) => void
}

/** A reference to the actor whose cell this is, or was. */
export function durableActor<TMachine extends AnyActorLogic>(
  cell: Cell,
  host: ActorHost,
): DurableActor<TMachine> {
  return new Reference(cell, host) as unknown as DurableActor<TMachine>
}

type State = AnyMachineSnapshot
type Observing = Observer<State> | ((snapshot: State) => void) | undefined

/** One object with methods: there may be one of them for each actor. */
class Reference {
  readonly id: string
  readonly #host: ActorHost
  /** The live cell, or the last one there was. */
  #cell: Cell
  #send: ((event: AnyEventObject, options?: SendOptions) => Promise<Receipt>) | undefined

  constructor(cell: Cell, host: ActorHost) {
    this.id = cell.id
    this.#cell = cell
    this.#host = host
  }

  get sessionId(): string {
    return this.id
  }
  get src(): AnyActorLogic {
    return this.#now().machine.original
  }
  get system(): AnyActorRef['system'] {
    return LONE_SYSTEM
  }
  get version(): number {
    return this.#now().version
  }

  /** As in XState, it may be taken off and called by itself. */
  get send(): (event: AnyEventObject, options?: SendOptions) => Promise<Receipt> {
    this.#send ??= (event, options) => this.#offer(event, options)
    return this.#send
  }

  start(): void {}

  stop(): Promise<Receipt> {
    const reply = new Reply<Receipt>(this.#host.onError)
    this.#host
      .use(this.id, (cell) => cell.stop())
      .then(
        (receipt) => reply.give(receipt),
        (error: unknown) => reply.fail(error),
      )
    return reply
  }

  getSnapshot(): State {
    return this.#now().snapshot
  }

  getPersistedSnapshot(): unknown {
    const { machine, snapshot } = this.#now()
    return machine.foldable.getPersistedSnapshot(snapshot)
  }

  subscribe(first: Observing, error?: (error: unknown) => void, complete?: () => void): Subscription {
    const observer = typeof first === 'object' ? first : { next: first, error, complete }
    const { snapshot } = this.#now()
    if (snapshot.status === 'active') {
      const audience = this.#host.audience(this.id, this.version)
      return this.#watched(audience, audience.subscribe(observer))
    }
    if (snapshot.status !== 'error') observer.complete?.()
    else if (observer.error === undefined) this.#host.onError(snapshot.error)
    else observer.error(snapshot.error)
    return { unsubscribe: () => {} }
  }

  on(type: string, handler: (event: AnyEventObject) => void): Subscription {
    const audience = this.#host.audience(this.id, this.version)
    return this.#watched(audience, audience.on(type, handler))
  }

  select<T>(
    selector: (snapshot: State) => T,
    equal?: (a: T, b: T) => boolean,
  ): ReturnType<typeof selectFrom<State, T>> {
    return selectFrom(this, selector, equal)
  }

  toJSON(): RecordedRef {
    return recordedRef(this.id, this.id)
  }

  #offer(event: AnyEventObject, options?: SendOptions): Promise<Receipt> {
    const reply = new Reply<Receipt>(this.#host.onError)
    const cell = this.#now()
    // Nearly always it is awake.
    if (!cell.isReleased && cell.exists) cell.offer(event, options ?? NO_OPTIONS, reply)
    else
      this.#host
        .offer(this.id, (woken) => woken.send(event, options))
        .then(
          (receipt) => reply.give(receipt),
          (error: unknown) => reply.fail(error),
        )
    return reply
  }

  #now(): Cell {
    while (this.#cell.successor !== undefined) this.#cell = this.#cell.successor
    return this.#cell
  }

  #watched(audience: Audience, leave: () => void): Subscription {
    return {
      unsubscribe: () => {
        leave()
        this.#host.dismiss(this.id, audience)
      },
    }
  }
}
for (const name of new Set([Symbol.observable ?? '@@observable', '@@observable'])) {
  Object.defineProperty(Reference.prototype, name, {
    value(this: Reference) {
      return this
    },
  })
}

const NO_OPTIONS: SendOptions = {}

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
