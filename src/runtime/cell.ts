/**
 * A live actor: decides on its events in memory, appends them, and only then shows and does anything.
 *
 * Owns: the decided state (which may run ahead of the disk), the published state (what is on disk), the leaves
 * and alarms of its actor.
 * Never: shows a state, runs an effect or answers a sender before the event is on disk.
 *
 * I1. `published` is always a state whose last event is on disk; `decided` is never behind it.
 * I2. Appends leave in the order of versions; the store keeps that order.
 * I3. An effect runs in the turn in which its event becomes published, and at no other time, but for `resume`.
 * I4. After a failed append the cell is broken: nothing it decided since is shown, and it must be woken anew.
 */
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate'
import { v7 as uuidv7 } from 'uuid'
import type { EventStore, Entry } from '../../eventstore/event-store.ts'
import type { NewEvent, RecordedEvent } from '../../eventstore/event.ts'
import { setAlarm } from './alarm.ts'
import { canonicalExternal, canonicalOutcome, eventOf, payloadOf, type CanonicalEvent } from './canonical.ts'
import type { Clock } from './clock.ts'
import type { DurableMachine } from './durable-machine.ts'
import {
  createFolder,
  TIMER_FIELD,
  type CellState,
  type ChildRecord,
  type Effect,
  type Folder,
} from './fold.ts'
import { startLeaf, type Leaf } from './leaf.ts'
import { owedEntries } from './owed.ts'
import { RuntimeError } from './runtime-error.ts'

/** What a sender hears once the answer is on disk. */
export type Receipt = {
  readonly accepted: boolean
  /** The stream's version that the answer is based on. */
  readonly version: number
  /** Set when not accepted. */
  readonly reason?: string
  readonly alternatives?: readonly string[]
}

/** What goes beside an event: who sent it, what it belongs to, and what to say if the machine refuses it. */
export type SendOptions = {
  readonly source?: string
  readonly causationId?: string
  readonly ifRefused?: {
    readonly by: string
    readonly reason: string
    readonly alternatives: readonly string[]
  }
}

export type Refusal = {
  readonly streamId: string
  readonly event: AnyEventObject
  readonly by: string
  readonly reason: string
  readonly alternatives: readonly string[]
  readonly version: number
  readonly state: unknown
  readonly source: string
  readonly correlationId: string
}

/** What a cell needs from the engine around it. */
export type CellHost = {
  readonly store: EventStore
  readonly clock: Clock
  recordRefusal(refusal: Refusal): Promise<void>
  onError(error: unknown): void
  /** The cell is broken (I4): forget it. */
  onBroken(cell: Cell): void
}

export type CellListener = (snapshot: AnyMachineSnapshot) => void
export type EmitListener = (event: AnyEventObject) => void

export class Cell {
  readonly id: string
  readonly machine: DurableMachine
  correlationId = ''
  #host: CellHost
  #folder: Folder
  #decided: CellState | undefined
  #published: CellState | undefined
  #broken: Error | undefined
  #closed = false
  #lastTime = 0
  #pending: Promise<unknown> = Promise.resolve()
  readonly #leaves = new Map<string, Leaf>()
  readonly #alarms = new Map<string, () => void>()
  readonly listeners = new Set<CellListener>()
  readonly emitListeners = new Set<EmitListener>()

  constructor(id: string, machine: DurableMachine, host: CellHost) {
    this.id = id
    this.machine = machine
    this.#host = host
    this.#folder = createFolder(machine, id)
  }

  get snapshot(): AnyMachineSnapshot {
    return this.#require(this.#published).snapshot
  }

  get version(): number {
    return this.#published?.version ?? 0
  }

  /** Writes the first event of a new stream; resolves when it is on disk and its first effects are under way. */
  async create(first: {
    type: string
    input: unknown
    correlationId: string
    source: string
  }): Promise<void> {
    this.correlationId = first.correlationId
    const event = canonicalExternal({ type: first.type, input: first.input }).event
    const receipt = await this.#decide({ event, normalized: [] }, { source: first.source }, 'no_stream')
    if (!receipt.accepted) throw new Error(receipt.reason)
  }

  /** Folds what is on disk, without effects; `resume` starts what is still owed. */
  async load(): Promise<void> {
    for await (const record of this.#host.store.readStream(this.id)) this.#replay(record)
  }

  /** Starts the leaves and timers that the fold says are under way. */
  resume(): void {
    const state = this.#published
    if (state === undefined) return
    for (const child of state.children.values()) this.#startLeaf(child)
    for (const timer of state.timers.values()) this.#arm(timer)
  }

  /** Offers an event from outside; resolves when the answer is on disk. */
  async send(event: AnyEventObject, options: SendOptions = {}): Promise<Receipt> {
    return this.#decide(canonicalExternal(event), options)
  }

  /** Records an outcome of work that already happened; its values are normalised rather than refused. */
  async sendOutcome(event: AnyEventObject, options: SendOptions = {}): Promise<Receipt> {
    return this.#decide(canonicalOutcome(event), options)
  }

  /** Ends the actor for good, on the record. */
  async stop(options: SendOptions = {}): Promise<Receipt> {
    return this.#decide({ event: { type: 'xstate.stop' }, normalized: [] }, options)
  }

  /** Leaves memory: leaves are stopped unheard, alarms cleared; what is owed stays owed on disk. */
  async close(): Promise<void> {
    this.#closed = true
    for (const leaf of this.#leaves.values()) leaf.stop()
    for (const cancel of this.#alarms.values()) cancel()
    this.#leaves.clear()
    this.#alarms.clear()
    await this.#pending.catch(() => {})
    this.listeners.clear()
    this.emitListeners.clear()
  }

  #replay(record: RecordedEvent): void {
    const outcome = this.#folder.fold(this.#decided, {
      version: record.version,
      time: Date.parse(record.timestamp),
      eventId: record.event_id,
      event: eventOf(record),
    })
    if (outcome.kind !== 'accepted') {
      throw new RuntimeError('ACTOR_FAILED', {
        happened: `Event ${record.version} ("${record.event_type}") of "${this.id}" was accepted once and is ${outcome.kind} now: ${outcome.reason}.`,
        expected: 'A recorded event replays as it was recorded.',
        todo: `Run it with the code that wrote it (${record.machine}), or give the machine a new version.`,
        details: { stream_id: this.id, version: record.version },
      })
    }
    if (record.version === 1) this.correlationId = record.correlation_id
    this.#lastTime = Date.parse(record.timestamp)
    this.#decided = outcome.state
    this.#published = outcome.state
  }

  async #decide(canonical: CanonicalEvent, options: SendOptions, expected?: 'no_stream'): Promise<Receipt> {
    this.#assertUsable()
    const before = this.#decided
    const time = Math.max(this.#lastTime, this.#host.clock.now())
    const eventId = uuidv7()
    const version = (before?.version ?? 0) + 1
    const outcome = this.#folder.fold(before, { version, time, eventId, event: canonical.event })
    if (outcome.kind !== 'accepted') return this.#refuse(canonical.event, options, outcome)
    const { state, effects } = outcome
    if (before === undefined && state.snapshot.status === 'error') throw this.#bornDead(state.snapshot.error)
    this.#decided = state
    this.#lastTime = time
    const entries = owedEntries(this.id, before, state)
    const written = this.#append({ canonical, options, state, time, eventId, expected, entries })
    this.#pending = written
    await written
    this.#publish(state, effects)
    return { accepted: true, version }
  }

  async #append(what: {
    canonical: CanonicalEvent
    options: SendOptions
    state: CellState
    time: number
    eventId: string
    expected: 'no_stream' | undefined
    entries: readonly Entry[]
  }): Promise<void> {
    const { canonical, options, state } = what
    const event: NewEvent = {
      event_id: what.eventId,
      event_type: canonical.event.type,
      payload: payloadOf(canonical.event),
      timestamp: new Date(what.time).toISOString(),
      source_agent: options.source ?? '',
      correlation_id: this.correlationId,
      causation_id: options.causationId ?? null,
      machine: this.machine.label,
      state: (state.snapshot.value ?? null) as NonNullable<NewEvent['state']>,
      ...(canonical.normalized.length > 0 && { normalized: canonical.normalized }),
    }
    try {
      await this.#host.store.appendBatch({
        appends: [
          { stream_id: this.id, events: [event], expectedVersion: what.expected ?? state.version - 1 },
        ],
        entries: what.entries,
      })
    } catch (error) {
      this.#broken ??= error as Error
      this.#host.onBroken(this)
      throw error
    }
  }

  async #refuse(
    event: AnyEventObject,
    options: SendOptions,
    outcome: { readonly kind: 'ignored' | 'refused'; readonly reason: string; readonly guard?: string },
  ): Promise<Receipt> {
    const version = this.#decided?.version ?? 0
    const reason = options.ifRefused?.reason ?? outcome.reason
    const alternatives = options.ifRefused?.alternatives ?? []
    const state = this.#decided?.snapshot.value
    // The answer rests on a state that may not be on disk yet; nobody hears it before it is.
    await this.#pending
    if (outcome.kind === 'refused') {
      const by = options.ifRefused?.by ?? `guard:${outcome.guard ?? ''}`
      const source = options.source ?? ''
      const { correlationId } = this
      await this.#host.recordRefusal({
        streamId: this.id,
        event,
        by,
        reason,
        alternatives,
        version,
        state,
        source,
        correlationId,
      })
    }
    return { accepted: false, version, reason, alternatives }
  }

  #publish(state: CellState, effects: readonly Effect[]): void {
    this.#published = state
    if (this.#closed) return
    for (const effect of effects) {
      try {
        this.#execute(effect)
      } catch (error) {
        this.#host.onError(error)
      }
    }
    for (const listener of this.listeners) {
      try {
        listener(state.snapshot)
      } catch (error) {
        this.#host.onError(error)
      }
    }
  }

  #execute(effect: Effect): void {
    switch (effect.kind) {
      case 'start':
        this.#startLeaf(effect.child)
        break
      case 'stop':
        this.#leaves.get(effect.child.key)?.stop()
        this.#leaves.delete(effect.child.key)
        break
      case 'schedule':
        this.#arm(effect.timer)
        break
      case 'cancel':
        this.#alarms.get(effect.timerId)?.()
        this.#alarms.delete(effect.timerId)
        break
      case 'send':
        for (const child of this.#published?.children.values() ?? []) {
          if (child.id === effect.childId) this.#leaves.get(child.key)?.send(effect.event)
        }
        break
      case 'emit':
        for (const listener of this.emitListeners) listener(effect.event)
        break
      case 'action':
        effect.action.exec?.({ ...effect.action.info }, effect.action.params)
        break
    }
  }

  #startLeaf(child: ChildRecord): void {
    if (this.#leaves.has(child.key)) return
    const leaf = startLeaf(this.machine, child, (event) => this.#hearLeaf(child, event))
    // A leaf that finished while starting has been heard already.
    this.#leaves.set(child.key, leaf)
  }

  #hearLeaf(child: ChildRecord, event: AnyEventObject): void {
    if (this.#closed || this.#decided?.children.get(child.id)?.key !== child.key) return
    this.sendOutcome(event, { source: `${this.id}/${child.id}`, causationId: child.cause }).catch((error) =>
      this.#host.onError(error),
    )
  }

  #arm(timer: { readonly id: string; readonly dueAt: number; readonly event: AnyEventObject }): void {
    this.#alarms.get(timer.id)?.()
    const cancel = setAlarm(this.#host.clock, timer.dueAt, () => {
      this.#alarms.delete(timer.id)
      if (this.#closed || this.#decided?.timers.get(timer.id)?.dueAt !== timer.dueAt) return
      const at = new Date(this.#host.clock.now()).toISOString()
      const event = { ...timer.event, at: timer.event['at'] || at, [TIMER_FIELD]: timer.id }
      this.sendOutcome(event, { source: 'timer' }).catch((error) => this.#host.onError(error))
    })
    this.#alarms.set(timer.id, cancel)
  }

  #bornDead(cause: unknown): RuntimeError {
    return new RuntimeError('INPUT_INVALID', {
      happened: `Machine "${this.machine.label}" failed on its input for "${this.id}": ${String((cause as Error | undefined)?.message ?? cause)}.`,
      expected: 'The context factory and the initial actions accept the input.',
      todo: 'Check the input; nothing was written.',
      cause,
    })
  }

  #assertUsable(): void {
    if (this.#closed) {
      throw new RuntimeError('RUNTIME_CLOSED', {
        happened: `"${this.id}" was sent an event after the runtime was closed.`,
        expected: 'An open runtime.',
        todo: 'Open the runtime again; what is on disk is intact.',
      })
    }
    if (this.#broken !== undefined) throw this.#broken
  }

  #require<T>(value: T | undefined): T {
    if (value !== undefined) return value
    throw new RuntimeError('ACTOR_NOT_FOUND', {
      happened: `"${this.id}" has no state yet.`,
      expected: 'Its first event is on disk.',
      todo: 'Await spawn() before you use the actor.',
    })
  }
}
