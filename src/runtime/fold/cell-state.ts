/** What folding a stream amounts to, as data: the machine's snapshot and what stands around it, and what a step intends. */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'

/** An action as XState hands it over for execution, before it is turned into data. */
export type RawAction = {
  readonly type: string
  readonly params: unknown
  readonly info: { readonly context: unknown; readonly event: AnyEventObject }
  readonly exec: ((info: unknown, params: unknown) => unknown) | undefined
}

/** A child that was started and has neither finished nor been stopped. */
export type ChildRecord = {
  readonly id: string
  readonly src: string
  readonly input: unknown
  /** `<stream>:<version>:<n>`: which incarnation of this child it is, and its idempotency key. */
  readonly key: string
  /** `event_id` of the event that started it. */
  readonly cause: string
  /** A machine or a transition function, with a stream of its own; else a leaf: promise, callback, observable. */
  readonly durable: boolean
  /** The stream of a durable child; the key of a leaf. */
  readonly address: string
  /** Whether the machine hears each of its snapshots (`onSnapshot`). */
  readonly syncSnapshot: boolean
  /** When its supervisor restarted it, in ms since the epoch. */
  readonly restarts?: readonly number[] | undefined
  /** The machine's own reference to it; the incarnation lives as long as the snapshot holds this very one. */
  readonly ref: AnyActorRef
}

/** Where a child comes from; the first event of its stream says so. */
export type ParentLink = {
  readonly streamId: string
  /** What the parent's `self` is called. */
  readonly name: string
  /** What the parent calls the child. */
  readonly id: string
  /** The key of this incarnation, in the parent's books. */
  readonly key: string
  /** The name of its logic in the parent. */
  readonly src: string
  readonly syncSnapshot: boolean
}

/** An event that is due later, at an absolute time. */
export type TimerRecord = {
  /** The id it was given, by which `cancel` finds it; its key if none was. Several may have the same. */
  readonly id: string
  /** `<stream>:<version>:<n>`; unique in the stream. */
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly dueAt: number
  readonly event: AnyEventObject
  /** Key of the child it goes to; `undefined` for the machine itself. */
  readonly childKey: string | undefined
  /** Address of the actor it goes to, if that is neither the machine itself nor one of its children. */
  readonly address: string | undefined
  /** Whether `cancel` reaches it: as in XState, a later one with the same id takes that place. */
  readonly cancellable: boolean
  /** A machine's event to itself without a delay: taken before anything else, in the same turn. */
  readonly immediate: boolean
  /** `event_id` of the event that set it. */
  readonly cause: string
}

/** The fold of a stream: the machine's snapshot, and what stands around it. */
export type CellState = {
  readonly version: number
  readonly snapshot: AnyMachineSnapshot
  /** By key. */
  readonly children: ReadonlyMap<string, ChildRecord>
  /** By key, in the order in which they were set. */
  readonly timers: ReadonlyMap<string, TimerRecord>
  /** How many children were given a name by number so far. */
  readonly booked: number
  /** `undefined` for an actor that is nobody's child. */
  readonly link: ParentLink | undefined
  /** When it was made to pass over events that it crashed on, in ms since the epoch. */
  readonly crashes?: readonly number[] | undefined
  /** What a crashed actor goes on from when it is revived: the state before the event that it crashed on. */
  readonly before?: CellState | undefined
}

/** What a step intends to do to the world, once its event is on disk; in XState's own order. */
export type Effect =
  | { readonly kind: 'start'; readonly child: ChildRecord }
  | { readonly kind: 'stop'; readonly child: ChildRecord }
  | { readonly kind: 'schedule'; readonly timer: TimerRecord }
  | { readonly kind: 'cancel'; readonly timerKey: string }
  /** To a child; `address` if it has a stream. */
  | {
      readonly kind: 'send'
      readonly childKey: string
      readonly address: string | undefined
      readonly event: AnyEventObject
    }
  /** To another durable actor: the parent, a relative, one that a reference came from. */
  | { readonly kind: 'deliver'; readonly address: string; readonly event: AnyEventObject }
  /** To an actor outside of the runtime; at most once. */
  | { readonly kind: 'relay'; readonly target: AnyActorRef; readonly event: AnyEventObject }
  | { readonly kind: 'emit'; readonly event: AnyEventObject }
  | { readonly kind: 'log'; readonly values: readonly unknown[] }
  | { readonly kind: 'action'; readonly key: string; readonly action: RawAction }

/** Before the first event: has all the fields, so that states are of one shape. */
export const UNBORN: CellState = {
  version: 0,
  snapshot: undefined as unknown as AnyMachineSnapshot,
  children: new Map(),
  timers: new Map(),
  booked: 0,
  link: undefined,
}
