/**
 * The actor scope, self and system that a machine sees while it is folded: they collect, they never act.
 *
 * Owns: what the step under way has asked for so far, births and actions in one order; the children by `systemId`.
 * Never: starts a child, schedules a timer, reads a clock, or keeps anything from one step to the next.
 *
 * I1. One scope serves one actor; its step fields are emptied by `begin` and by `end`.
 * I2. Whatever XState asks of it inside a fold, it answers without an effect; it throws only at what cannot be durable.
 */
import type {
  ActorLogic,
  AnyActorRef,
  AnyActorScope,
  AnyEventObject,
  AnyMachineSnapshot,
  Snapshot,
} from 'xstate'
import { recordedRef, type RecordedRef } from './actor-refs.ts'
import { UNBORN, type CellState, type ParentLink, type RawAction } from './cell-state.ts'
import { childAddress } from './child-address.ts'
import { markDurable, RemoteRef } from './remote-ref.ts'
import type { StepRecord } from './step.ts'
import { RuntimeError } from '../runtime-error.ts'

/** How a live actor answers its own `self`; a mere replay has none. */
export type LiveSelf = {
  send(event: AnyEventObject): void
  getSnapshot(): AnyMachineSnapshot | undefined
  /** An event sent straight to another actor. */
  relay(target: AnyActorRef, event: AnyEventObject): void
  /** Who has this `systemId` among the actors of the family. */
  lookUp(systemId: string): RecordedRef | undefined
}

/** What was read of the world outside of the actor, by `systemId`. */
export type Reads = Readonly<Record<string, RecordedRef | null>>

type Transition = {
  readonly target: unknown
  readonly actions: readonly unknown[]
  readonly reenter: boolean
}
type InspectionEvent = {
  readonly type: string
  readonly _transitions: readonly Transition[]
  readonly actorRef: { readonly logic: object; readonly id: string }
}

const ignore = (): void => {}
const NOTHING = { unsubscribe: ignore }
const IDLE_CLOCK = { setTimeout: () => 0, clearTimeout: ignore }
const IDLE_SNAPSHOT = { _scheduledEvents: {} }
const IDLE_SCHEDULER = { schedule: ignore, cancel: ignore, cancelAll: ignore }

const NO_RECORDS: readonly StepRecord[] = []

const stubs = new WeakSet<object>()

/** Logic that stands in for a child's own: it is born in a fold, and never runs there. */
export function childStub(
  src: string,
  { durable }: { readonly durable: boolean },
): ActorLogic<Snapshot<unknown>, AnyEventObject> {
  const stub: ActorLogic<Snapshot<unknown>, AnyEventObject> = {
    getInitialSnapshot: (childScope, input) => {
      const ref = childScope.self as AnyActorRef & { _syncSnapshot?: boolean }
      const parent: unknown = ref._parent
      if (parent instanceof FoldSelf) {
        const syncSnapshot = ref._syncSnapshot === true
        const address = parent.scope.nameChild(ref, durable)
        const birth = { ref, id: ref.id, src, input, durable, address, syncSnapshot }
        parent.scope.note({ kind: 'birth', birth })
      }
      return { status: 'active', output: undefined, error: undefined }
    },
    transition: (snapshot) => snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot,
  }
  stubs.add(stub)
  return stub
}

/** Collects one step at a time: `begin`, XState's own transition over `actorScope`, then read, then `end`. */
export class FoldScope {
  readonly self: AnyActorRef
  records: readonly StepRecord[] = NO_RECORDS
  /** A microstep took a transition that has a target or actions. */
  transitioned = false
  /** A transition was selected, be it one that does nothing. */
  selected = false
  /** How many children were given a name by number so far. */
  booked = 0
  /** What the step asked the system for outside of its own children. */
  reads: Record<string, RecordedRef | null> | undefined
  readonly #live: LiveSelf | undefined
  readonly #self: FoldSelf
  #version = 0
  #recorded: Reads | undefined
  #parent: RemoteRef | undefined
  #running: CellState['children'] | undefined
  /** While a step is taken: the state that it leaves. */
  #leaving: { readonly snapshot: AnyMachineSnapshot | undefined } | undefined
  #keyed: Map<string, AnyActorRef> | undefined
  #actorScope: AnyActorScope | undefined

  constructor(actorId: string, live?: LiveSelf) {
    const self = new FoldSelf(actorId, this, live)
    this.#self = self
    this.#live = live
    this.self = self as unknown as AnyActorRef
  }

  /** What XState's own step is given; made for the first one, since many machines are moved without it. */
  get actorScope(): AnyActorScope {
    const { self } = this
    this.#actorScope ??= {
      self,
      id: this.#self.sessionId,
      sessionId: this.#self.sessionId,
      system: self.system,
      logger: ignore,
      defer: ignore,
      stopChild: ignore,
      // Only a transition function emits by itself.
      emit: (event: AnyEventObject) => this.note({ kind: 'action', action: emission(event) }),
      actionExecutor: (action: RawAction) => this.execute(action),
    } as unknown as AnyActorScope
    return this.#actorScope
  }

  get system(): AnyActorRef['system'] {
    return this.self.system
  }

  /** `reads`: what the step was told when it was taken first. */
  begin(before: CellState | undefined, version: number, reads?: Reads): void {
    this.end()
    this.booked = before?.booked ?? 0
    this.#version = version
    this.#recorded = reads
    this.#running = before?.children
    this.#leaving = before ?? UNBORN
    if (before?.link !== undefined && this.#parent === undefined) this.linkTo(before.link)
  }

  /** Makes the actor a child, as its first event says. */
  linkTo(link: ParentLink): void {
    this.#parent = this.remote({ id: link.name, address: link.streamId })
    this.#self._parent = this.#parent
    this.#self.id = link.id
  }

  /** The reference that a recorded address stands for. */
  revive(at: RecordedRef): AnyActorRef {
    if (at.address === this.#self.sessionId) return this.self
    if (at.address === this.#parent?.sessionId) return this.#parent as unknown as AnyActorRef
    for (const { ref, address } of this.#running?.values() ?? []) if (address === at.address) return ref
    return this.remote(at) as unknown as AnyActorRef
  }

  remote(at: { readonly id: string; readonly address: string }): RemoteRef {
    return new RemoteRef(at, (target, event) => this.#live?.relay(target, event))
  }

  /** Gives a child that is being born its address. */
  nameChild(ref: AnyActorRef, durable: boolean): string {
    const key = `${this.#self.sessionId}:${this.#version}:${this.records.length}`
    const address = durable ? childAddress(key) : key
    this.adopt(ref, address, durable)
    return address
  }

  /** Makes a reference the one to the child at this address. */
  adopt(ref: AnyActorRef, address: string, durable: boolean): void {
    Object.assign(ref, { sessionId: address, toJSON: () => recordedRef(ref.id, address) })
    if (durable) markDurable(ref)
  }

  /** Asks for an actor that is not among the children; what is answered goes on the record. */
  read(systemId: string): AnyActorRef | undefined {
    let found = this.#recorded?.[systemId]
    if (found === undefined) {
      if (this.#live === undefined) return undefined
      found = this.#live.lookUp(systemId) ?? null
      this.reads ??= {}
      this.reads[systemId] = found
    }
    return found === null ? undefined : this.revive(found)
  }

  /** Lets go of what the step held. */
  end(): void {
    this.records = NO_RECORDS
    this.transitioned = false
    this.selected = false
    this.reads = undefined
    this.#recorded = undefined
    this.#running = undefined
    this.#leaving = undefined
    this.#keyed = undefined
  }

  /** The actor's own state, as its machine sees it: in a step the one that it leaves, live and in a replay. */
  get shown(): AnyMachineSnapshot | undefined {
    return this.#leaving === undefined ? this.#live?.getSnapshot() : this.#leaving.snapshot
  }

  note(record: StepRecord): void {
    if (this.records === NO_RECORDS) this.records = [record]
    else (this.records as StepRecord[]).push(record)
  }

  /** What `inspect` would find out about a step that XState takes. */
  select(moves: boolean): void {
    this.selected = true
    this.transitioned ||= moves
  }

  inspect(event: InspectionEvent): void {
    if (event.type === '@xstate.actor' && !stubs.has(event.actorRef.logic))
      throw inlineChild(event.actorRef.id)
    if (event.type !== '@xstate.microstep' || event._transitions.length === 0) return
    this.selected = true
    this.transitioned ||= event._transitions.some(
      (t) => t.target !== undefined || t.actions.length > 0 || t.reenter,
    )
  }

  /** The children that have a `systemId`; as in XState, those that have not ended. */
  keyed(): Map<string, AnyActorRef> {
    if (this.#keyed === undefined) {
      this.#keyed = new Map()
      for (const { ref } of this.#running?.values() ?? []) {
        const { systemId } = ref as { systemId?: string }
        if (systemId !== undefined) this.#keyed.set(systemId, ref)
      }
    }
    return this.#keyed
  }

  /** Takes an action down that the step asks for. */
  execute(action: RawAction): void {
    if (action.type === 'xstate.spawnChild' && (action.params as { id?: unknown }).id === undefined) {
      throw namelessChild()
    }
    if (action.type === 'xstate.stopChild') {
      const stopped = action.params as { systemId?: string } | undefined
      if (stopped?.systemId !== undefined && this.keyed().get(stopped.systemId) === stopped) {
        this.keyed().delete(stopped.systemId)
      }
    }
    this.note({ kind: 'action', action })
  }
}

/** What a machine knows as `self`. */
class FoldSelf {
  id: string
  readonly sessionId: string
  readonly src: string
  readonly system: FoldSystem
  readonly ref = this
  readonly scope: FoldScope
  readonly live: LiveSelf | undefined
  _parent: RemoteRef | undefined = undefined

  constructor(actorId: string, scope: FoldScope, live: LiveSelf | undefined) {
    this.id = actorId
    this.sessionId = actorId
    this.src = actorId
    this.scope = scope
    this.live = live
    this.system = new FoldSystem(this)
  }

  send(event: AnyEventObject): void {
    this.live?.send(event)
  }
  _send(event: AnyEventObject): void {
    this.live?.send(event)
  }
  getSnapshot(): AnyMachineSnapshot | undefined {
    return this.scope.shown
  }
  subscribe(): typeof NOTHING {
    return NOTHING
  }
  on(): typeof NOTHING {
    return NOTHING
  }
  toJSON(): object {
    return recordedRef(this.id, this.sessionId)
  }
}

/** Whether this is what a machine knows as `self`. */
export function isSelf(value: object): boolean {
  return value instanceof FoldSelf
}

/** What a machine and its children know as `system`. */
class FoldSystem {
  readonly #self: FoldSelf

  constructor(self: FoldSelf) {
    this.#self = self
  }

  get _logger(): () => void {
    return ignore
  }
  get _clock(): typeof IDLE_CLOCK {
    return IDLE_CLOCK
  }
  get _snapshot(): typeof IDLE_SNAPSHOT {
    return IDLE_SNAPSHOT
  }
  get scheduler(): typeof IDLE_SCHEDULER {
    return IDLE_SCHEDULER
  }
  _bookId(): string {
    return `${this.#self.sessionId}:${this.#self.scope.booked++}`
  }
  _register(id: string): string {
    return id
  }
  _unregister(): void {}
  _set(systemId: string, ref: AnyActorRef): void {
    this.#self.scope.keyed().set(systemId, ref)
  }
  _sendInspectionEvent(event: InspectionEvent): void {
    this.#self.scope.inspect(event)
  }
  _relay(_source: unknown, target: AnyActorRef, event: AnyEventObject): void {
    this.#self.live?.relay(target, event)
  }
  get(systemId: string): AnyActorRef | undefined {
    return this.#self.scope.keyed().get(systemId) ?? this.#self.scope.read(systemId)
  }
  getAll(): Record<string, AnyActorRef> {
    return Object.fromEntries(this.#self.scope.keyed())
  }
  inspect(): typeof NOTHING {
    return NOTHING
  }
  getSnapshot(): object {
    return IDLE_SNAPSHOT
  }
  start(): void {}
}

function emission(event: AnyEventObject): RawAction {
  return { type: 'xstate.emit', params: { event }, info: { context: undefined, event }, exec: undefined }
}

function inlineChild(id: string): RuntimeError {
  return new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: `A child ("${id}") was spawned from inline logic, which has no name to find it by again.`,
    expected: 'Children are named in setup({ actors }) and spawned by that name.',
    todo: "Name the logic in setup({ actors }), and spawn('thatName', { id }).",
  })
}

function namelessChild(): RuntimeError {
  return new RuntimeError('MACHINE_NOT_DURABLE', {
    happened: 'spawnChild was used without an id; XState keeps such a child under the key "undefined".',
    expected: 'A spawned child has an id, by which it is stopped, sent to and recovered.',
    todo: "Give it one: spawnChild('name', { id: 'some-id' }).",
  })
}
