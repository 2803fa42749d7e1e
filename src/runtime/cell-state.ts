/** What folding a stream amounts to, as data: the machine's snapshot and what stands around it, and what a step intends. */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'

/** An action as XState hands it over for execution, before it is turned into data. */
export type RawAction = {
  readonly type: string
  readonly params: unknown
  readonly info: { readonly context: unknown; readonly event: AnyEventObject }
  readonly exec: ((info: unknown, params: unknown) => unknown) | undefined
}

/** A leaf (promise, callback, observable) that was started and has neither finished nor been stopped. */
export type ChildRecord = {
  readonly id: string
  readonly src: string
  readonly input: unknown
  /** `<stream>:<version>:<n>`: which incarnation of this child it is, and its idempotency key. */
  readonly key: string
  /** `event_id` of the event that started it. */
  readonly cause: string
  /** Whether the machine hears each of its snapshots (`onSnapshot`). */
  readonly syncSnapshot: boolean
  /** The machine's own reference to it; the incarnation lives as long as the snapshot holds this very one. */
  readonly ref: AnyActorRef
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
}

/** What a step intends to do to the world, once its event is on disk; in XState's own order. */
export type Effect =
  | { readonly kind: 'start'; readonly child: ChildRecord }
  | { readonly kind: 'stop'; readonly child: ChildRecord }
  | { readonly kind: 'schedule'; readonly timer: TimerRecord }
  | { readonly kind: 'cancel'; readonly timerKey: string }
  | { readonly kind: 'send'; readonly childKey: string; readonly event: AnyEventObject }
  /** To an actor outside of the runtime; at most once. */
  | { readonly kind: 'relay'; readonly target: AnyActorRef; readonly event: AnyEventObject }
  | { readonly kind: 'emit'; readonly event: AnyEventObject }
  | { readonly kind: 'log'; readonly values: readonly unknown[] }
  | { readonly kind: 'action'; readonly key: string; readonly action: RawAction }
