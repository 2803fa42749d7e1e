/**
 * A root actor and all that descends from it: takes their turns, one at a time, and brings them to disk in order.
 *
 * Owns: the living members, the turns that are decided and not yet shown.
 * Never: shows a state, runs an effect or answers a sender before the turn is on disk.
 *
 * I1. A turn is decided in one go, written as one batch, and published in the order in which it was decided, whatever
 *     order the store answers in.
 * I2. After a failed append the whole family is broken: nothing that it decided since is shown, what runs for its
 *     members is stopped, and it must be woken anew.
 * I3. A child is a member from the turn in which it is born until the one in which it ends is published.
 */
import type { AnyEventObject } from 'xstate'
import type { RecordedEvent } from '../../../eventstore/event.ts'
import { EventLog } from '../../../eventstore/event-log.ts'
import type { Entry } from '../../../eventstore/event-store.ts'
import type { RecordedRef } from '../fold/actor-refs.ts'
import { AwaitedMail } from './awaited-mail.ts'
import { canonicalExternal, canonicalMail, type CanonicalEvent } from '../fold/canonical.ts'
import { Cascade, type Kinship } from './cascade.ts'
import type { CellHost } from '../cell/cell-host.ts'
import { Cell, type Kin } from '../cell/cell.ts'
import { bornDead, closedUnder } from '../cell/cell-errors.ts'
import type { ParentLink, TimerRecord } from '../fold/cell-state.ts'
import { withDescendants, type DurableMachine } from '../fold/durable-machine.ts'
import { loadChildren } from './family-loading.ts'
import { canAllRest } from './family-rest.ts'
import { saveDue, saveLeaving } from '../snapshots/family-snapshots.ts'
import { Flights, type Flight, type FlightHost } from './flights.ts'
import { bySystemId, ownerOfLeaf } from './kin-search.ts'
import type { Mail } from '../delivery/mail.ts'
import { keepMail, mailFor, type KeptMail, type Post } from '../delivery/outbox.ts'
import type { Receipt, SendOptions } from '../cell/receipt.ts'
import { answerRefused } from '../cell/refused.ts'
import { Sender } from './sender.ts'
import { isEndOfStore } from '../store-end.ts'
import { endsRoot } from './trial.ts'
import { batchOf } from './turn-batch.ts'
import type { Member } from './turn.ts'

/** What a family needs from the engine around it. */
export type FamilyHost = CellHost & {
  /** The family is broken (I2): forget it. */
  onBroken(family: Family, error: unknown): void
  readonly post: Post
  /** Hands the family that lives now to `take`. */
  forward(root: string, take: (family: Family) => void): void
  /** A turn has landed, and none is under way. */
  onIdle(): void
}

/** Mail in the outbox, and its entries. */
type Kept = { readonly mails: readonly KeptMail[]; readonly entries: readonly Entry[] }

const NOTHING: Kept = { mails: [], entries: [] }

export class Family implements Kin, Kinship, FlightHost {
  readonly root: Cell
  readonly host: FamilyHost
  /** The children; made with the first one. */
  #members: Map<string, Cell> | undefined
  #broken: Error | undefined
  #closed = false
  deciding = false
  /** Whether an action has sent something that is not decided yet. */
  #posting = false
  /** Whether it was used since `rest` was asked last. */
  #used = true
  #resting = false
  #lastTime = 0
  readonly #awaited = new AwaitedMail()
  /** What was found on disk when the family was woken. */
  #found: KeptMail[] = []
  readonly #flights = new Flights(this)

  constructor(id: string, machine: DurableMachine, host: FamilyHost) {
    this.host = host
    this.root = new Cell(id, machine, this)
  }

  get id(): string {
    return this.root.id
  }

  get rootId(): string {
    return this.root.id
  }

  newEventId(): string {
    return this.host.newEventId()
  }

  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  member(address: string): Cell | undefined {
    return address === this.root.id ? this.root : this.#members?.get(address)
  }

  /** A child that has ended, as its stream tells it; `undefined` if there never was one. */
  async past(address: string): Promise<Cell | undefined> {
    const head = await this.host.store.head(address)
    const machine = withDescendants(this.root.machine).find(({ label }) => label === head?.machine)
    if (machine === undefined) return undefined
    const cell = new Cell(address, machine, this)
    await cell.load()
    return cell
  }

  /** Writes the first event of a new root; resolves when it is on disk and its first effects are under way. */
  async create(first: {
    readonly type: string
    readonly input: unknown
    readonly correlationId: string
    readonly source: string
  }): Promise<void> {
    this.root.correlationId = first.correlationId
    const canonical = canonicalExternal({ type: first.type, input: first.input })
    await this.decide(this.root, canonical, { source: first.source })
  }

  /** Folds what is on disk, without effects; `resume` starts what is still owed. */
  async load(): Promise<void> {
    const [found] = await Promise.all([mailFor(this.host.store, this.id), this.root.load()])
    await loadChildren(this.root, { store: this.host.store, add: (id, logic) => this.#add(id, logic) })
    for (const { lastTime } of this.members()) this.#lastTime = Math.max(this.#lastTime, lastTime)
    this.#found = found.filter(({ key }) => !this.host.post.isUnderWay(key))
    for (const mail of this.#found) this.#awaited.add(mail, this.id)
  }

  /** Starts the leaves and timers that the fold says are under way. */
  resume(): void {
    // All of them or none: a leaf whose logic is gone parks the family.
    for (const cell of this.members()) cell.assertResumable()
    const timers: { readonly cell: Cell; readonly timer: TimerRecord }[] = []
    for (const cell of this.members()) {
      cell.resume()
      for (const timer of cell.decided?.timers.values() ?? []) timers.push({ cell, timer })
    }
    // In the order in which they were set, over all members: ids of events grow with time.
    if (this.#members !== undefined) timers.sort((a, b) => (a.timer.cause < b.timer.cause ? -1 : 1))
    for (const { cell, timer } of timers) cell.arm(timer)
    for (const mail of this.#found.splice(0)) {
      const { post } = this.host
      post.begin(mail.key)
      this.receive(mail)
        .catch((error: unknown) => this.host.onError(error))
        .finally(() => post.end(mail.key))
    }
  }

  /** Takes mail that waited on disk; resolves when that it was taken is there as well. */
  async receive(mail: KeptMail): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#closed) throw closedUnder(mail.to)
    this.#awaited.remove(mail)
    const cascade = this.#cascade()
    cascade.receive(mail)
    await this.#depart(cascade, mail.key).landed()
  }

  /** To another family, to a leaf of another member, or to nobody. */
  async #sendAbroad(mail: Mail): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    const cascade = this.#cascade()
    cascade.receive(mail)
    await this.#depart(cascade).landed()
  }

  isWaitedFor(address: string): boolean {
    return this.#awaited.isAwaitedBy(address)
  }

  decide(cell: Cell, canonical: CanonicalEvent, options: SendOptions): Promise<Receipt> {
    return new Promise((give, fail) => this.offer(cell, canonical, new Sender(options, { give, fail })))
  }

  offer(cell: Cell, canonical: CanonicalEvent, sender: Sender): void {
    try {
      if (this.#broken !== undefined) throw this.#broken
      // A child that has ended is no member, and says so even when its family has left memory.
      const isPast = this.#resting && cell.decided?.snapshot.status !== 'active'
      if (this.#closed && !isPast) throw closedUnder(cell.id)
      this.#offer(cell, canonical, sender)
    } catch (error) {
      sender.fail(error)
    }
  }

  #offer(cell: Cell, canonical: CanonicalEvent, sender: Sender): void {
    const { options } = sender
    const before = cell.decided
    this.#used = true
    const cascade = this.#cascade()
    const outcome = cascade.begin(cell, canonical, options)
    if (before === undefined && outcome.kind === 'accepted' && outcome.state.snapshot.status === 'error') {
      cascade.undo()
      throw bornDead({ id: cell.id, machine: cell.machine.label }, outcome.state.snapshot.error)
    }
    const flight = cascade.isEmpty ? this.#flights.last : this.#depart(cascade)
    if (outcome.kind === 'accepted') {
      sender.taken(outcome)
      flight?.await(sender)
      return
    }
    const refused = { event: canonical.event, options, outcome, landed: flight?.landed() }
    answerRefused(this.host, cell, refused).then(
      (receipt) => sender.give(receipt),
      (error: unknown) => sender.fail(error),
    )
  }

  wouldEnd(cell: Cell, canonical: CanonicalEvent): boolean {
    return endsRoot(this.#cascade(), [...this.members()], { cell, canonical })
  }

  lost(error: unknown): void {
    this.#break(error)
    if (!isEndOfStore(error)) this.host.onError(error)
  }

  post(from: Cell, to: string, event: AnyEventObject): void {
    if (this.#resting) {
      // What an action still has to say is said by the one that lives now.
      this.host.forward(this.id, (family) => family.post(family.member(from.id) ?? family.root, to, event))
      return
    }
    if (this.#closed || from.decided === undefined) return
    const send = (): void => {
      this.#posting = false
      const sent = (async () => {
        const target = this.member(to)
        if (target !== undefined) await this.decide(target, canonicalMail(event), { source: from.id })
        else await this.#sendAbroad({ to, from: from.id, event, cause: null, place: 0 })
      })()
      sent.catch((error) => this.host.onError(error))
    }
    // Inside a fold the event would decide on a state that is being left.
    if (!this.deciding) send()
    else {
      this.#posting = true
      queueMicrotask(send)
    }
  }

  lookUp(systemId: string): RecordedRef | undefined {
    return bySystemId(this.members(), systemId)
  }

  ownerOfLeaf(key: string): Cell | undefined {
    return ownerOfLeaf(this.members(), key)
  }

  bear(address: string, link: ParentLink): Cell | undefined {
    const parent = this.member(link.streamId)
    const machine = parent?.machine.children.get(link.src)
    if (parent === undefined || machine === undefined || !parent.decided?.children.has(link.key))
      return undefined
    const cell = this.#add(address, machine)
    cell.correlationId = parent.correlationId
    return cell
  }

  unbear(cell: Member): void {
    this.#members?.delete(cell.id)
  }

  /** Stops leaves, unheard, and alarms, and takes no more events; what is owed stays owed on disk. */
  release(): void {
    this.#closed = true
    for (const cell of this.members()) cell.release()
  }

  /**
   * Leaves memory, if nothing keeps it there: work under way, somebody who watches, a timer that is about to be due, or
   * that it was used since it was asked last.
   */
  rest(): boolean {
    const wasUsed = this.#used
    this.#used = false
    if (wasUsed || this.#closed || this.#broken !== undefined) return false
    if (this.deciding || this.#posting || !this.#flights.isEmpty || this.#found.length > 0) return false
    if (!canAllRest(this.members(), this.host.clock.now())) return false
    this.#resting = true
    this.release()
    const { store, snapshots } = this.host
    if (snapshots !== undefined) void saveLeaving({ store, snapshots, time: this.#lastTime }, this.members())
    return true
  }

  /** Leaves memory, once all it decided is on disk. */
  async close(): Promise<void> {
    this.release()
    await this.#flights.settled()
  }

  *members(): Generator<Cell> {
    yield this.root
    if (this.#members !== undefined) yield* this.#members.values()
  }

  #add(address: string, machine: DurableMachine): Cell {
    const cell = new Cell(address, machine, this)
    this.#members ??= new Map()
    this.#members.set(address, cell)
    return cell
  }

  #cascade(): Cascade {
    const time = Math.max(this.#lastTime, Math.floor(this.host.clock.now()))
    this.#lastTime = time
    return new Cascade(this, time)
  }

  /** Puts mail into the outbox. */
  #keep(left: readonly Mail[]): Kept {
    const kept = left.map((mail) => keepMail(mail, this.member(mail.from)?.decided?.version ?? 0))
    for (const { mail } of kept) {
      this.host.post.begin(mail.key)
      this.#awaited.add(mail, this.id)
    }
    return { mails: kept.map(({ mail }) => mail), entries: kept.map(({ entry }) => entry) }
  }

  /** Sends a turn to the disk. `taken`: the entry of the mail that it began with. */
  #depart(cascade: Cascade, taken?: string): Flight {
    const { script, left } = cascade
    const { mails, entries } = left.length === 0 ? NOTHING : this.#keep(left)
    const batch = batchOf(cascade, { taken, mails: entries })
    const flight = this.#flights.depart(script, mails)
    // What machines have taken was checked when it came, and is JSON since; what goes beside events may be anything.
    if (batch.entries === undefined) EventLog.appendSound(this.host.store, batch, flight)
    else EventLog.appendFor(this.host.store, batch, flight)
    return flight
  }

  onFailed(error: unknown): void {
    this.#break(error)
  }

  /** A turn is on disk. */
  onWritten(flight: Flight, events: readonly RecordedEvent[]): void {
    if (this.host.snapshots !== undefined) saveDue(this.host.snapshots, flight.script, events)
    try {
      this.#land()
    } catch (error) {
      this.#break(error)
    }
  }

  #land(): void {
    for (let next = this.#flights.arrived(); next !== undefined; next = this.#flights.arrived()) {
      for (const act of next.script) {
        act.cell.publish(act)
        if (act.announce && act.state.link !== undefined && act.state.snapshot.status !== 'active') {
          this.#members?.delete(act.cell.id)
        }
      }
      for (const mail of next.mails) this.host.post.deliver(mail)
      next.land()
    }
    if (this.#flights.isEmpty) this.host.onIdle()
  }

  #break(error: unknown): void {
    for (const { key } of this.#flights.lose(error)) this.host.post.end(key)
    if (this.#broken !== undefined) return
    this.#broken = error as Error
    this.release()
    this.host.onBroken(this, error)
  }
}
