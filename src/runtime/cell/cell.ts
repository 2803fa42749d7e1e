/**
 * A live actor: its state as it was decided and as it was published, and what runs for it. Its family takes its turns.
 *
 * Owns: the decided state (which may run ahead of the disk), the published state (what is on disk), the leaves and
 * alarms of its actor.
 * Never: decides by itself, shows a state or runs an effect before the event is on disk.
 *
 * I1. `published` is always a state whose last event is on disk; `decided` is never behind it.
 * I2. An effect runs in the turn in which its event becomes published, and at no other time, but for `resume`.
 * I3. After `release` it does nothing more, and what it hears is not heard.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import type { RecordedRef } from '../fold/actor-refs.ts'
import { Alarms } from './alarms.ts'
import { canonicalExternal, canonicalMail, canonicalOutcome, type CanonicalEvent } from '../fold/canonical.ts'
import type { CellHost } from './cell-host.ts'
import {
  actionFailed,
  actorFailed,
  diverged,
  doesNotWake,
  stateless,
  stoppedByParent,
} from './cell-errors.ts'
import { CellLeaves } from './cell-leaves.ts'
import { CellSelf } from './cell-self.ts'
import type { CellState, Effect, TimerRecord } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { createFolder, type Folder } from '../fold/fold.ts'
import { REVIVE } from '../fold/fold-supervision.ts'
import { logicOf } from './leaf.ts'
import type { Exhumed } from '../delivery/dead-letters.ts'
import { STOP, type Mail } from '../delivery/mail.ts'
import type { Mailbox } from '../family/mailbox.ts'
import { Sender } from '../family/sender.ts'
import { compareOwed } from '../recovery/owed.ts'
import { intended } from '../effects/owed-effect.ts'
import { Replayer } from '../fold/replay.ts'
import type { Answer, Receipt, SendOptions } from './receipt.ts'
import { isDurable } from '../fold/remote-ref.ts'
import type { RuntimeError } from '../runtime-error.ts'
import type { Restored } from '../snapshots/snapshot-keeper.ts'
import { firedEvent } from '../fold/timer-event.ts'
import type { Act, Member, Part } from '../family/turn.ts'

export type { Receipt, SendOptions } from './receipt.ts'

/** What a cell needs from the family that it belongs to. */
export type Kin = {
  readonly host: CellHost
  decide(cell: Cell, canonical: CanonicalEvent, options: SendOptions): Promise<Receipt>
  /** The same for one who waits already. */
  offer(cell: Cell, canonical: CanonicalEvent, sender: Sender): void
  /** Whether the event would end the root of the family in error; nothing is decided by the question. */
  wouldEnd(cell: Cell, canonical: CanonicalEvent): boolean
  /** Something could not be written. */
  lost(error: unknown): void
  /** Sends by hand, from an action; at most once. */
  post(from: Cell, to: string, event: AnyEventObject): void
  lookUp(systemId: string): RecordedRef | undefined
}

export class Cell implements Member {
  readonly id: string
  readonly machine: DurableMachine
  readonly folder: Folder
  /** What was decided last, be it on disk or not. */
  decided: CellState | undefined
  /** While a turn is taken: what this actor has decided in it, its mail, and whether it is in the middle of a step. */
  part: Part | undefined
  mail: Mail[] | undefined
  busy = false
  correlationId = ''
  lastTime = 0
  /** The version of its latest snapshot. */
  kept = 0
  /** The one that lives after this one has left memory. */
  successor: Cell | undefined
  /** What waits for it from outside; made with the first event. */
  mailbox: Mailbox | undefined
  /** Made with the first one: most actors at rest have none. */
  leaves: CellLeaves | undefined
  readonly #kin: Kin
  // As these are.
  #alarms: Alarms | undefined
  #published: CellState | undefined
  #closed = false

  constructor(id: string, machine: DurableMachine, kin: Kin) {
    this.id = id
    this.machine = machine
    this.#kin = kin
    this.folder = createFolder(machine, id, new CellSelf(this, kin))
  }

  /** What is on disk, if anything is. */
  get shown(): AnyMachineSnapshot | undefined {
    return this.#published?.snapshot
  }

  get snapshot(): AnyMachineSnapshot {
    if (this.#published === undefined) throw stateless(this.id)
    return this.#published.snapshot
  }

  /** The version on disk. */
  get version(): number {
    return this.#published?.version ?? 0
  }

  /** Folds what is on disk, without effects; `resume` starts what is still owed. */
  async load(): Promise<void> {
    const { store, snapshots } = this.#kin.host
    const head = snapshots && (await store.head(this.id))
    const kept = head && (await snapshots.load(this, head.version))
    // What a snapshot does not lead to, the whole stream may.
    if (kept !== undefined && (await this.#foldOn(kept)) === 'folded') return
    const trouble = await this.#foldOn()
    if (trouble !== 'folded') throw trouble
  }

  /** Folds what comes after a snapshot, or all there is; gives back what does not hold. */
  async #foldOn(kept?: Restored): Promise<RuntimeError | 'folded'> {
    const { store } = this.#kin.host
    const from = kept?.state.version ?? 0
    const replayer = new Replayer(this.machine, this.id, { folder: this.folder, state: kept?.state })
    let correlationId = kept?.correlationId
    let last: RecordedEvent | undefined
    // The event that the snapshot was made after is read once more: it must be the same one.
    for await (const record of store.readStream(this.id, { fromVersion: Math.max(from, 1) })) {
      if (record.version === from) {
        if (record.hash !== kept?.hash) return diverged(record, 'its snapshot is of another event')
        continue
      }
      const replayed = replayer.take(record)
      if (replayed.kind === 'diverged') return doesNotWake(replayed)
      correlationId ??= record.correlation_id
      last = record
    }
    const { state } = replayer
    if (state === undefined) return 'folded'
    const owed = await compareOwed(store, this.id, state)
    if (owed.kind === 'differs') {
      const how = `it owed [${owed.onDisk.join(', ')}] and owes [${owed.folded.join(', ')}] now`
      return diverged(last ?? { stream_id: this.id, version: from, machine: this.machine.label }, how)
    }
    this.correlationId = correlationId ?? ''
    this.lastTime = last === undefined ? (kept?.time ?? 0) : Date.parse(last.timestamp)
    this.kept = from
    if (owed.tried.size > 0) this.leaves = new CellLeaves(this, this.#kin.host, owed.tried)
    this.decided = owed.state
    this.#published = owed.state
    return 'folded'
  }

  /** Whether nothing keeps it in memory: no leaf that runs, nothing in its mailbox, nobody who watches. */
  get canRest(): boolean {
    if ((this.mailbox?.waiting ?? 0) > 0) return false
    return this.leaves?.isIdle !== false && this.#kin.host.audience(this.id) === undefined
  }

  /** Whether it is known, from the disk or by what was decided. */
  get exists(): boolean {
    return this.decided !== undefined
  }

  /** @throws RuntimeError `MACHINE_NOT_DURABLE` if the logic of a leaf that is under way is gone. */
  assertResumable(): void {
    for (const child of this.#published?.children.values() ?? []) {
      if (!child.durable) logicOf(child, this.machine)
    }
  }

  /** Starts the leaves that the fold says are under way. */
  resume(): void {
    const state = this.#published
    if (state === undefined) return
    // Those who watched the cell before this one may have missed something.
    const audience = this.#kin.host.audience(this.id)
    if (audience !== undefined && audience.seen !== state.version) this.#announce(state)
    for (const child of state.children.values()) {
      if (!child.durable) this.#useLeaves().resume(child)
    }
  }

  /** Sets the alarm of a timer that the fold says is pending. */
  arm(timer: TimerRecord): void {
    // Not if it was taken in its own turn, or if what was decided since has done away with it.
    if (this.decided?.timers.has(timer.key) !== true) return
    this.#alarms ??= new Alarms(this.#kin.host.clock, (due) => this.#ring(due))
    this.#alarms.set(timer)
  }

  /** Offers an event from outside; resolves when the answer is on disk. */
  send(event: AnyEventObject, options: SendOptions = {}): Promise<Receipt> {
    return new Promise((give, fail) => this.offer(event, options, { give, fail }))
  }

  /** The same for one who waits already, without a promise in between. */
  offer(event: AnyEventObject, options: SendOptions, answer: Answer): void {
    let canonical: CanonicalEvent
    try {
      canonical = canonicalExternal(event)
    } catch (error) {
      answer.fail(error)
      return
    }
    this.#kin.host.mailboxes.offer(this, canonical, new Sender(options, answer))
  }

  /** Whether it was released: another one of the same id may live by now. */
  get isReleased(): boolean {
    return this.#closed
  }

  /** Records an outcome of work that already happened; its values are normalised rather than refused. */
  async sendOutcome(event: AnyEventObject, options: SendOptions = {}): Promise<Receipt> {
    return this.#urgently(canonicalOutcome(event), options)
  }

  /** Ends the actor for good, on the record. A child is ended by its parent alone. */
  async stop(options: SendOptions = {}): Promise<Receipt> {
    if (this.decided?.link !== undefined) throw stoppedByParent(this.id, this.decided.link.streamId)
    return this.#urgently({ event: { type: STOP }, normalized: [] }, options)
  }

  /** Lets it go on from before the event that it crashed on. */
  async revive(options: SendOptions = {}): Promise<Receipt> {
    return this.#urgently({ event: { type: REVIVE }, normalized: [] }, options)
  }

  /** Its turn has come. */
  take(canonical: CanonicalEvent, sender: Sender): void {
    this.#kin.offer(this, canonical, sender)
  }

  /** In its turn, after what was sent before it, and never turned away. */
  #urgently(canonical: CanonicalEvent, options: SendOptions): Promise<Receipt> {
    return new Promise((give, fail) => {
      this.#kin.host.mailboxes.offerUrgently(this, canonical, new Sender(options, { give, fail }))
    })
  }

  /** Stops leaves, unheard, and alarms; what is owed stays owed on disk. */
  release(): void {
    this.#closed = true
    this.#alarms?.clear()
    this.leaves?.stopAll()
  }

  /** Shows a state that has come to disk, and does what goes with it. */
  publish({ state, effects, announce }: Act): void {
    if (state.before !== undefined || this.#published?.before !== undefined) {
      this.#kin.host.crashes.note(this.id, state)
    }
    this.#published = state
    if (this.#closed) return
    for (const effect of effects) {
      try {
        this.#execute(effect)
      } catch (error) {
        this.#kin.host.onError(error)
      }
    }
    if (!announce) return
    if (state.snapshot.status !== 'active') this.#alarms?.clear()
    this.#announce(state)
  }

  /** As XState tells it: a final state is shown and then complete, a stopped actor is only complete. */
  #announce({ snapshot, version, link }: CellState): void {
    const audience = this.#kin.host.audience(this.id)
    if (audience !== undefined) audience.seen = version
    if (snapshot.status === 'error') {
      const heard = audience?.fail(snapshot.error) ?? false
      // A child's error is its parent's to take care of.
      if (!heard && link === undefined) this.#kin.host.onError(actorFailed(this.id, version, snapshot.error))
      return
    }
    if (snapshot.status !== 'stopped') audience?.next(snapshot)
    if (snapshot.status !== 'active') audience?.complete()
  }

  #execute(effect: Effect): void {
    switch (effect.kind) {
      case 'start':
        if (!effect.child.durable) this.#useLeaves().start(effect.child)
        break
      case 'stop':
        this.leaves?.stop(effect.child.key)
        break
      case 'schedule':
        this.arm(effect.timer)
        break
      case 'cancel':
        this.#alarms?.cancel(effect.timerKey)
        break
      case 'send':
        this.leaves?.send(effect.childKey, effect.event)
        break
      case 'deliver':
        break
      case 'relay':
        effect.target.send(effect.event)
        break
      case 'emit':
        this.#kin.host.audience(this.id)?.emit(effect.event)
        break
      case 'log':
        this.#kin.host.log(...effect.values)
        break
      case 'action':
        this.#act(effect)
        break
    }
  }

  #act({ key, action }: Extract<Effect, { kind: 'action' }>): void {
    const owed = intended(action)
    if (owed !== undefined) {
      this.#kin.host.effects.begin(owed, action)
      return
    }
    const fail = (error: unknown): void =>
      this.#kin.host.onError(actionFailed({ id: this.id, key, type: action.type }, error))
    try {
      const result = action.exec?.({ ...action.info }, action.params)
      if (result instanceof Promise) result.catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** Has a leaf that was given up run again; `false` if there is none of that key any more. */
  async retryLeaf(key: string, exhumed: Exhumed): Promise<boolean> {
    return (await this.leaves?.retry(key, exhumed)) ?? false
  }

  /** Lets the machine hear how a leaf that was given up has failed, if it still wants it. */
  async failLeaf(key: string, event: AnyEventObject, source: string): Promise<void> {
    if (this.leaves?.isGivenUp(key) === true) await this.#urgently({ event, normalized: [] }, { source })
  }

  wouldEnd(canonical: CanonicalEvent): boolean {
    return this.#kin.wouldEnd(this, canonical)
  }

  lost(error: unknown): void {
    this.#kin.lost(error)
  }

  #useLeaves(): CellLeaves {
    return (this.leaves ??= new CellLeaves(this, this.#kin.host))
  }

  #ring(timer: TimerRecord): void {
    if (this.#closed || this.decided?.timers.has(timer.key) !== true) return
    const event = firedEvent(timer)
    // An event that asks for its moment (`at: ''`) is told: a machine has no clock of its own.
    if (event['at'] === '') event['at'] = new Date(this.#kin.host.clock.now()).toISOString()
    this.decideQuietly(event, { source: 'timer', causationId: timer.cause })
  }

  /** Sends by hand, from an action. */
  relay(target: AnyActorRef, event: AnyEventObject): void {
    // A replay sends nothing.
    if (this.#published === undefined) return
    for (const child of this.#published.children.values()) {
      if (child.ref !== target || child.durable) continue
      this.leaves?.send(child.key, event)
      return
    }
    if (isDurable(target)) this.#kin.post(this, target.sessionId, event)
  }

  /** Decides what nobody waits for. */
  decideQuietly(event: AnyEventObject, options: SendOptions): void {
    const sent = (async () => this.#kin.decide(this, canonicalMail(event), options))()
    sent.catch((error) => this.#kin.host.onError(error))
  }
}
