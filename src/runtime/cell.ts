/**
 * A live actor: decides on its events in memory, appends them, and only then shows and does anything.
 *
 * Owns: the decided state (which may run ahead of the disk), the published state (what is on disk), the turns in
 * between, the leaves and alarms of its actor.
 * Never: shows a state, runs an effect or answers a sender before the event is on disk.
 *
 * I1. `published` is always a state whose last event is on disk; `decided` is never behind it.
 * I2. Turns are decided, appended and published in the order of versions, whatever order the store answers in.
 * I3. An effect runs in the turn in which its event becomes published, and at no other time, but for `resume`.
 * I4. After a failed append the cell is broken: nothing it decided since is shown, its leaves and alarms are stopped,
 *     and its actor must be woken anew.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { Alarms } from './alarms.ts'
import type { Audience } from './audience.ts'
import { canonicalExternal, canonicalOutcome, eventOf, type CanonicalEvent } from './canonical.ts'
import { actionFailed, actorFailed, bornDead, closedUnder, diverged, stateless } from './cell-errors.ts'
import type { CellState, ChildRecord, Effect, TimerRecord } from './cell-state.ts'
import type { Clock } from './clock.ts'
import type { DurableMachine } from './durable-machine.ts'
import { CHILD_FIELD, createFolder, type Folder } from './fold.ts'
import { Flights, type Flight } from './flights.ts'
import { logicOf } from './leaf.ts'
import { Leaves } from './leaves.ts'
import { compareOwed } from './owed.ts'
import type { Receipt, Refusal, SendOptions } from './receipt.ts'
import { sameStateValue } from './state-value.ts'
import { firedEvent, recordsOf, takeTurn, type Turn } from './turn.ts'

export type { Receipt, Refusal, SendOptions } from './receipt.ts'

/** What a cell needs from the engine around it. */
export type CellHost = {
  readonly store: EventStore
  readonly clock: Clock
  /** Those who watch the actor, if anybody does. */
  audience(id: string): Audience | undefined
  recordRefusal(refusal: Refusal): Promise<void>
  onError(error: unknown): void
  log(...values: unknown[]): void
  /** The cell is broken (I4), because the store failed: forget it. */
  onBroken(cell: Cell, error: unknown): void
}

export class Cell {
  readonly id: string
  readonly machine: DurableMachine
  correlationId = ''
  readonly #host: CellHost
  readonly #folder: Folder
  // Made when the first one is needed: most actors at rest have neither.
  #leaves: Leaves | undefined
  #alarms: Alarms | undefined
  #decided: CellState | undefined
  #published: CellState | undefined
  #broken: Error | undefined
  #closed = false
  #folding = false
  #lastTime = 0
  readonly #flights = new Flights()

  constructor(id: string, machine: DurableMachine, host: CellHost) {
    this.id = id
    this.machine = machine
    this.#host = host
    this.#folder = createFolder(machine, id, {
      send: (event) => this.#sendToSelf(event),
      getSnapshot: () => this.#published?.snapshot,
      relay: (target, event) => this.#sendToChild(target, event),
    })
  }

  get snapshot(): AnyMachineSnapshot {
    if (this.#published === undefined) throw stateless(this.id)
    return this.#published.snapshot
  }

  /** The version on disk. */
  get version(): number {
    return this.#published?.version ?? 0
  }

  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  /** Writes the first event of a new stream; resolves when it is on disk and its first effects are under way. */
  async create(first: {
    readonly type: string
    readonly input: unknown
    readonly correlationId: string
    readonly source: string
  }): Promise<void> {
    this.correlationId = first.correlationId
    const canonical = canonicalExternal({ type: first.type, input: first.input })
    await this.#decide(canonical, { source: first.source })
  }

  /** Folds what is on disk, without effects; `resume` starts what is still owed. */
  async load(): Promise<void> {
    const { store } = this.#host
    let state: CellState | undefined
    let last: RecordedEvent | undefined
    for await (const record of store.readStream(this.id)) {
      state = this.#replay(state, record)
      last = record
    }
    if (state === undefined || last === undefined) return
    const owed = await compareOwed(store, this.id, state)
    if (owed.kind === 'differs') {
      throw diverged(last, `it owed [${owed.onDisk.join(', ')}] and owes [${owed.folded.join(', ')}] now`)
    }
    this.#decided = owed.state
    this.#published = owed.state
  }

  /** Starts the leaves and timers that the fold says are under way. */
  resume(): void {
    const state = this.#published
    if (state === undefined) return
    // Those who watched the cell before this one may have missed something.
    if (this.#host.audience(this.id) !== undefined) this.#announce(state)
    // All of them or none: a leaf whose logic is gone parks the actor.
    for (const child of state.children.values()) logicOf(child, this.machine)
    for (const child of state.children.values()) this.#useLeaves().start(child, { again: true })
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

  /** Stops leaves, unheard, and alarms, and takes no more events; what is owed stays owed on disk. */
  release(): void {
    this.#closed = true
    this.#alarms?.clear()
    this.#leaves?.stopAll()
  }

  /** Leaves memory, once all it decided is on disk. */
  async close(): Promise<void> {
    this.release()
    await Promise.allSettled(this.#flights.landings())
  }

  #replay(before: CellState | undefined, record: RecordedEvent): CellState {
    const time = Date.parse(record.timestamp)
    const { version, event_id: eventId } = record
    const outcome = this.#folder.fold(before, { version, time, eventId, event: eventOf(record) })
    if (outcome.kind !== 'accepted') throw diverged(record, `it is ${outcome.kind} now: ${outcome.reason}`)
    const { value } = outcome.state.snapshot
    if (!sameStateValue(value, record.state)) {
      throw diverged(
        record,
        `it led to ${JSON.stringify(record.state)} and leads to ${JSON.stringify(value)} now`,
      )
    }
    if (version === 1) this.correlationId = record.correlation_id
    this.#lastTime = time
    return outcome.state
  }

  async #decide(canonical: CanonicalEvent, options: SendOptions): Promise<Receipt> {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#closed) throw closedUnder(this.id)
    const before = this.#decided
    const time = Math.max(this.#lastTime, Math.floor(this.#host.clock.now()))
    this.#folding = true
    const turn = (() => {
      try {
        const causationId = options.causationId ?? null
        return takeTurn({ folder: this.#folder, before, time, causationId }, canonical)
      } finally {
        this.#folding = false
      }
    })()
    if ('kind' in turn) return this.#refuse(canonical.event, options, turn)
    const first = turn.steps[0]?.state ?? turn.last
    if (before === undefined && first.snapshot.status === 'error') {
      throw bornDead({ id: this.id, machine: this.machine.label }, first.snapshot.error)
    }
    const { correlationId } = this
    const source = options.source ?? ''
    const about = { streamId: this.id, machine: this.machine.label, correlationId, source, before, time }
    const records = recordsOf(turn, about)
    this.#decided = turn.last
    this.#lastTime = time
    const flight = this.#flights.depart(turn)
    this.#write(flight, records, before?.version).catch((failure) => this.#break(failure))
    await flight.landed
    return { accepted: true, version: first.version }
  }

  async #write(
    flight: Flight,
    { events, entries }: ReturnType<typeof recordsOf>,
    after: number | undefined,
  ): Promise<void> {
    const append = { stream_id: this.id, events, expectedVersion: after ?? ('no_stream' as const) }
    await this.#host.store.appendBatch({ appends: [append], entries })
    flight.written = true
    for (let next = this.#flights.arrived(); next !== undefined; next = this.#flights.arrived()) {
      this.#publish(next.turn)
      next.land()
    }
  }

  #break(error: unknown): void {
    this.#flights.lose(error)
    if (this.#broken !== undefined) return
    this.#broken = error as Error
    this.release()
    this.#host.onBroken(this, error)
  }

  async #refuse(
    event: AnyEventObject,
    options: SendOptions,
    outcome: { readonly kind: 'ignored' | 'refused'; readonly reason: string; readonly guard?: string },
  ): Promise<Receipt> {
    const version = this.#decided?.version ?? 0
    const reason = options.ifRefused?.reason ?? outcome.reason
    const alternatives = options.ifRefused?.alternatives ?? []
    const state: unknown = this.#decided?.snapshot.value
    // The answer rests on a state that may not be on disk yet; nobody hears it before it is.
    await this.#flights.last?.landed
    if (outcome.kind === 'refused') {
      const by = options.ifRefused?.by ?? `guard:${outcome.guard ?? ''}`
      const about = { streamId: this.id, event, by, reason, alternatives, version, state }
      const { correlationId } = this
      await this.#host.recordRefusal({ ...about, source: options.source ?? '', correlationId })
    }
    return { accepted: false, version, reason, alternatives }
  }

  #publish(turn: Turn): void {
    for (const { state, effects } of turn.steps) {
      this.#published = state
      if (this.#closed) continue
      for (const effect of effects) {
        try {
          this.#execute(effect)
        } catch (error) {
          this.#host.onError(error)
        }
      }
      if (state.snapshot.status !== 'active') this.#alarms?.clear()
      this.#announce(state)
    }
  }

  /** As XState tells it: a final state is shown and then complete, a stopped actor is only complete. */
  #announce({ snapshot, version }: CellState): void {
    const audience = this.#host.audience(this.id)
    if (snapshot.status === 'error') {
      const heard = audience?.fail(snapshot.error) ?? false
      if (!heard) this.#host.onError(actorFailed(this.id, version, snapshot.error))
      return
    }
    if (snapshot.status !== 'stopped') audience?.next(snapshot)
    if (snapshot.status !== 'active') audience?.complete()
  }

  #execute(effect: Effect): void {
    switch (effect.kind) {
      case 'start':
        this.#useLeaves().start(effect.child)
        break
      case 'stop':
        this.#leaves?.stop(effect.child.key)
        break
      case 'schedule':
        this.#arm(effect.timer)
        break
      case 'cancel':
        this.#alarms?.cancel(effect.timerKey)
        break
      case 'send':
        this.#leaves?.send(effect.childKey, effect.event)
        break
      case 'relay':
        effect.target.send(effect.event)
        break
      case 'emit':
        this.#host.audience(this.id)?.emit(effect.event)
        break
      case 'log':
        this.#host.log(...effect.values)
        break
      case 'action':
        this.#act(effect)
        break
    }
  }

  #act({ key, action }: Extract<Effect, { kind: 'action' }>): void {
    const fail = (error: unknown): void =>
      this.#host.onError(actionFailed({ id: this.id, key, type: action.type }, error))
    try {
      const result = action.exec?.({ ...action.info }, action.params)
      if (result instanceof Promise) result.catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  #hear(child: ChildRecord, event: AnyEventObject, last: boolean): void {
    // That it is the last word of this very incarnation is for the fold to judge; the rest is heard while it runs.
    if (this.#closed) return
    const outcome = last ? { ...event, [CHILD_FIELD]: child.key } : event
    this.#sendQuietly(outcome, { source: `${this.id}/${child.id}`, causationId: child.cause })
  }

  #useLeaves(): Leaves {
    this.#leaves ??= new Leaves({
      machine: this.machine,
      onError: (error) => this.#host.onError(error),
      log: (...values) => this.#host.log(...values),
      deliver: (child, event, last) => this.#hear(child, event, last),
    })
    return this.#leaves
  }

  #arm(timer: TimerRecord): void {
    // Not if it was taken in its own turn, or if what was decided since has done away with it.
    if (this.#decided?.timers.has(timer.key) !== true) return
    this.#alarms ??= new Alarms(this.#host.clock, (due) => this.#ring(due))
    this.#alarms.set(timer)
  }

  #ring(timer: TimerRecord): void {
    if (this.#closed || this.#decided?.timers.has(timer.key) !== true) return
    const event = firedEvent(timer)
    // An event that asks for its moment (`at: ''`) is told: a machine has no clock of its own.
    if (event['at'] === '') event['at'] = new Date(this.#host.clock.now()).toISOString()
    this.#sendQuietly(event, { source: 'timer', causationId: timer.cause })
  }

  #sendToSelf(event: AnyEventObject): void {
    // A replay sends nothing.
    if (this.#closed || this.#published === undefined) return
    const send = (): void => this.#sendQuietly(event, { source: this.id })
    // Inside a fold the event would decide on a state that is being left.
    if (this.#folding) queueMicrotask(send)
    else send()
  }

  #sendToChild(target: AnyActorRef, event: AnyEventObject): void {
    for (const child of this.#published?.children.values() ?? []) {
      if (child.ref === target) this.#leaves?.send(child.key, event)
    }
  }

  #sendQuietly(event: AnyEventObject, options: SendOptions): void {
    this.sendOutcome(event, options).catch((error) => this.#host.onError(error))
  }
}
