/**
 * The fold of a stream as JSON, and back: what a snapshot of an actor keeps. What comes back goes on exactly as the
 * fold of all the events would; what could not is refused.
 */
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import type { RecordedRef } from '../fold/actor-refs.ts'
import type { CellState, ChildRecord, ParentLink, TimerRecord } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { isSelf, type FoldScope } from '../fold/fold-scope.ts'
import { packValue, Unpackable, unpackValue, type PackRefs } from './packed-value.ts'
import { isDurable, RemoteRef } from '../fold/remote-ref.ts'

/** Changes when what is packed does: older ones are then not read any more. */
export const PACKED_FORMAT = 2

/** One of the machine's own children: those that run, and those that have ended and that it has not let go of. */
type PackedChild = {
  readonly id: string
  readonly src: string
  readonly systemId: string | null
  readonly syncSnapshot: boolean | null
  readonly address: string
  /** What the parent's log knows of it. */
  readonly known: unknown
  readonly durable: boolean
  /** The rest of its record, if it runs. */
  readonly running: {
    readonly key: string
    readonly cause: string
    readonly input: unknown
    readonly restarts: readonly number[] | null
  } | null
}

export type PackedState = {
  readonly status: string
  readonly value: unknown
  readonly history: Readonly<Record<string, readonly string[]>>
  readonly context: unknown
  readonly output: unknown
  readonly error: unknown
  readonly booked: number
  readonly link: ParentLink | null
  readonly children: readonly PackedChild[]
  /** The keys of those that run, in the order in which they are kept. */
  readonly running: readonly string[]
  readonly timers: readonly unknown[]
  readonly crashes?: readonly number[]
}

type LiveChild = AnyActorRef & {
  readonly src: string
  readonly systemId?: string
  readonly _syncSnapshot?: boolean
  _snapshot: unknown
}

/** @throws Unpackable if something in it would not come back as it was */
export function packState({ snapshot, children, timers, booked, link, crashes }: CellState): PackedState {
  const own = Object.entries((snapshot.children ?? {}) as Record<string, LiveChild | undefined>)
  const refs: PackRefs = {
    pack(value) {
      if (isSelf(value)) return 'self'
      for (const [id, ref] of own) if (ref === value) return { child: id }
      if (value instanceof RemoteRef) return value.toJSON()
      if ('sessionId' in value && 'send' in value)
        throw new Unpackable('holds an actor that is not its own any more')
      return undefined
    },
  }
  const pack = (value: unknown): unknown => packValue(value, refs)
  const records = [...children.values()]
  const held = own.flatMap(([id, ref]): PackedChild[] => {
    if (ref === undefined) return []
    const record = records.find((one) => one.ref === ref)
    const { address } = (ref as unknown as { toJSON(): RecordedRef }).toJSON()
    return [
      {
        id,
        src: ref.src,
        systemId: ref.systemId ?? null,
        syncSnapshot: ref._syncSnapshot ?? null,
        address,
        known: pack(ref.getSnapshot()),
        durable: isDurable(ref),
        running: record
          ? {
              key: record.key,
              cause: record.cause,
              input: pack(record.input),
              restarts: record.restarts ?? null,
            }
          : null,
      },
    ]
  })
  if (held.filter(({ running }) => running !== null).length !== records.length) {
    throw new Unpackable('has a child that its machine does not hold')
  }
  const { status, value, context, output, error } = snapshot
  return {
    status,
    value: (value as unknown) ?? null,
    history: historyOf(snapshot),
    context: pack(context),
    output: pack(output),
    error: pack(error),
    booked,
    link: link ?? null,
    children: held,
    running: records.map(({ key }) => key),
    timers: Array.from(timers.values(), pack),
    ...(crashes !== undefined && { crashes }),
  }
}

/** What was packed at `version` of the stream. `scope`: that of the fold that goes on from it. */
export function unpackState(
  packed: PackedState,
  at: { readonly version: number; readonly machine: DurableMachine; readonly scope: FoldScope },
): CellState {
  const { scope, machine } = at
  const link = packed.link ?? undefined
  if (link !== undefined) scope.linkTo(link)
  scope.begin(undefined, at.version)
  try {
    const foldable: AnyStateMachine = machine.foldable
    const bare = {
      status: packed.status,
      value: packed.value,
      context: {},
      output: undefined,
      error: undefined,
      historyValue: historyToRevive(packed.history),
      children: Object.fromEntries(
        packed.children.map(({ id, src, systemId, syncSnapshot }) => [
          id,
          { src, syncSnapshot: syncSnapshot ?? undefined, systemId: systemId ?? undefined, snapshot: BARE },
        ]),
      ),
    }
    const restored =
      machine.kind === 'machine'
        ? (foldable.restoreSnapshot(bare as never, scope.actorScope as never) as AnyMachineSnapshot)
        : (bare as unknown as AnyMachineSnapshot)
    const own = (restored.children ?? {}) as Record<string, LiveChild>
    for (const { id, address, durable } of packed.children)
      scope.adopt(own[id] as AnyActorRef, address, durable)
    const refs = {
      unpack: (ref: unknown): AnyActorRef => {
        if (ref === 'self') return scope.self
        const { child } = ref as { child?: string }
        return child === undefined ? scope.revive(ref as RecordedRef) : (own[child] as AnyActorRef)
      },
    }
    const unpack = (value: unknown): unknown => unpackValue(value, refs)
    const records = new Map<string, ChildRecord>()
    for (const child of packed.children) {
      const ref = own[child.id] as LiveChild
      ref._snapshot = unpack(child.known)
      if (child.running === null) continue
      const { id, src, durable, address } = child
      const syncSnapshot = child.syncSnapshot === true
      const { key, cause, input, restarts } = child.running
      const record = { id, src, input: unpack(input), key, cause, durable, address, syncSnapshot, ref }
      records.set(key, restarts === null ? record : { ...record, restarts })
    }
    const timers = packed.timers.map((timer) => unpack(timer) as TimerRecord)
    const rest = {
      context: unpack(packed.context),
      output: unpack(packed.output),
      error: unpack(packed.error),
    }
    return {
      version: at.version,
      snapshot: (machine.kind === 'machine'
        ? Object.assign(restored, rest)
        : { status: packed.status, ...rest }) as AnyMachineSnapshot,
      children: new Map(packed.running.map((key) => [key, records.get(key) as ChildRecord])),
      timers: new Map(timers.map((timer) => [timer.key, timer])),
      booked: packed.booked,
      link,
      ...(packed.crashes !== undefined && { crashes: packed.crashes }),
    }
  } finally {
    scope.end()
  }
}

const BARE = { status: 'active', output: undefined, error: undefined }

function historyOf(snapshot: AnyMachineSnapshot): Record<string, string[]> {
  const history = (snapshot.historyValue ?? {}) as Record<string, readonly { readonly id: string }[]>
  return Object.fromEntries(Object.entries(history).map(([key, nodes]) => [key, nodes.map(({ id }) => id)]))
}

function historyToRevive(history: PackedState['history']): Record<string, { readonly id: string }[]> {
  return Object.fromEntries(Object.entries(history).map(([key, ids]) => [key, ids.map((id) => ({ id }))]))
}
