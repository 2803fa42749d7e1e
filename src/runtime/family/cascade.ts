/**
 * One turn: an event to an actor, and all that it leads to within the actor's family, decided before any of it is
 * written. Mail is taken in XState's own order: depth first, one event at a time per actor, in order per mailbox.
 *
 * Owns: what was decided in this turn, as records, as acts to be done once they are on disk, and what was left over.
 * Never: writes, shows or does any of it.
 *
 * I1. `undo` leaves every actor as it was before the turn.
 */
import type { AnyEventObject } from 'xstate'
import { listOf } from '../../../eventstore/young.ts'
import { withAddresses } from '../fold/actor-refs.ts'
import {
  canonicalMail,
  CHILD_FIELD,
  READS_FIELD,
  isRecordableName,
  TIMER_FIELD,
  type CanonicalEvent,
} from '../fold/canonical.ts'
import type { CellState, ChildRecord, Effect, ParentLink } from '../fold/cell-state.ts'
import { rootOf } from '../fold/child-address.ts'
import { isSupervision, relocate } from '../fold/fold-supervision.ts'
import type { FoldOutcome } from '../fold/fold.ts'
import { BIRTH, STOP, type DeadLetter, type Mail } from '../delivery/mail.ts'
import { afterCrash, crashOf, passesOver, withCrash } from './supervision.ts'
import { firedEvent } from '../fold/timer-event.ts'
import type { Act, Member, Part, TurnStep } from './turn.ts'

/** After that many steps the rest waits for the event loop to turn, on disk. */
const MAX_STEPS = 1_000

const NONE: readonly never[] = []

/** The actors among which mail is taken at once. */
export type Kinship = {
  readonly rootId: string
  /** The id of a new event; they grow with time. */
  newEventId(): string
  member(address: string): Member | undefined
  /** Who runs the leaf with this key. */
  ownerOfLeaf(key: string): Member | undefined
  /** Brings the actor to life that a first event speaks of; `undefined` if its parent is gone. */
  bear(address: string, link: ParentLink): Member | undefined
  unbear(cell: Member): void
  /** Whether earlier mail to this actor waits on disk, which this one must not overtake. */
  isWaitedFor(address: string): boolean
  /** Whether a turn is being decided: what is sent meanwhile would decide on a state that is being left. */
  deciding: boolean
}

/** Who sent an event, and which event it came of. */
type From = { readonly source?: string | undefined; readonly causationId?: string | null | undefined }

export class Cascade {
  // A first push takes room for sixteen, and most turns have one of each: they are made with the first.
  #parts: Part[] | undefined
  #script: Act[] | undefined
  // Most turns have none of these.
  #left: Mail[] | undefined
  #dead: DeadLetter[] | undefined
  readonly time: number
  readonly #kin: Kinship
  #born: Member[] | undefined
  #waiting: Member[] | undefined
  #steps = 0
  #mails = 0

  constructor(kin: Kinship, time: number) {
    this.#kin = kin
    this.time = time
  }

  get parts(): readonly Part[] {
    return this.#parts ?? NONE
  }

  get script(): readonly Act[] {
    return this.#script ?? NONE
  }

  /** Mail to other families, and what was not taken any more. */
  get left(): readonly Mail[] {
    return this.#left ?? NONE
  }

  get dead(): readonly DeadLetter[] {
    return this.#dead ?? NONE
  }

  /** Whether there is anything to be written. */
  get isEmpty(): boolean {
    return this.#parts === undefined && this.#left === undefined && this.#dead === undefined
  }

  /** The event that the turn begins with; how it fared does not depend on the rest. What throws is undone. */
  begin(cell: Member, canonical: CanonicalEvent, from: From): FoldOutcome {
    this.#kin.deciding = true
    try {
      cell.busy = true
      const outcome = this.#take(cell, canonical, from)
      this.#flush(cell)
      this.#leaveRest()
      return outcome
    } catch (error) {
      this.undo()
      throw error
    } finally {
      this.#kin.deciding = false
    }
  }

  /** Mail that was sent in an earlier turn. What throws is undone. */
  receive(mail: Mail): void {
    this.#kin.deciding = true
    try {
      this.#hand(mail)
      this.#leaveRest()
    } catch (error) {
      this.undo()
      throw error
    } finally {
      this.#kin.deciding = false
    }
  }

  undo(): void {
    for (const { cell, before } of this.parts) {
      cell.decided = before
      // Where a restart led them.
      for (const child of before?.children.values() ?? []) if (child.durable) relocate(child)
      cell.part = undefined
      cell.busy = false
      cell.mail = undefined
    }
    for (const cell of this.#born ?? NONE) this.#kin.unbear(cell)
  }

  #take(cell: Member, given: CanonicalEvent, from: From): FoldOutcome {
    const { source = '', causationId = null } = from
    const eventId = this.#kin.newEventId()
    const before = cell.decided
    const version = before === undefined ? 1 : before.version + 1
    const envelope = { version, time: this.time, eventId, event: given.event }
    const folded = cell.folder.fold(before, envelope)
    const canonical = this.#passesOver(cell, folded) ? withCrash(given, folded) : given
    const outcome =
      canonical === given ? folded : cell.folder.fold(before, { ...envelope, event: canonical.event })
    if (outcome.kind !== 'accepted') {
      // As in XState, an actor shows its state again for an event that means nothing.
      if (before?.link?.syncSnapshot === true) this.#tellSnapshot(before, cell.id, causationId)
      return outcome
    }
    const { state, effects, reads } = outcome
    const recorded: CanonicalEvent =
      reads === undefined ? canonical : { ...canonical, event: { ...canonical.event, [READS_FIELD]: reads } }
    const step: TurnStep = { canonical: recorded, eventId, causationId, source, state }
    if (cell.part === undefined) cell.part = this.#open(cell, before, step)
    else cell.part.steps.push(step)
    cell.decided = state
    this.#steps += 1
    this.#act(cell, { state, effects, eventId })
    return canonical === given ? outcome : { ...outcome, crashed: crashOf(folded) }
  }

  /** Whether the machine crashed on an event that its supervisor lets it pass over. */
  #passesOver(cell: Member, folded: FoldOutcome): boolean {
    if (folded.kind !== 'accepted' || folded.state.before === undefined) return false
    const { link } = folded.state
    return passesOver(cell, link && this.#kin.member(link.streamId), this.time)
  }

  #open(cell: Member, before: CellState | undefined, step: TurnStep): Part {
    const part: Part = { cell, before, steps: [step] }
    if (this.#parts === undefined) this.#parts = [part]
    else this.#parts.push(part)
    return part
  }

  #enact(act: Act): void {
    if (this.#script === undefined) this.#script = listOf(act)
    else this.#script.push(act)
  }

  /** Mail goes out in the order of the effects; all the rest is for later. */
  #act(
    cell: Member,
    { state, effects, eventId }: { state: CellState; effects: readonly Effect[]; eventId: string },
  ): void {
    let chunk: readonly Effect[] = effects
    let from = 0
    for (let index = 0; index < effects.length; index += 1) {
      const effect = effects[index] as Effect
      const sent = this.#sentBy(cell, state, effect)
      if (sent === undefined) continue
      // A timer that is due at once is armed as well, in case that this turn does not come to it.
      const until = effect.kind === 'schedule' ? index + 1 : index
      this.#enact({ cell, state, effects: effects.slice(from, until), announce: false })
      from = index + 1
      this.#deliver({ ...sent, from: cell.id, cause: eventId, place: this.#mails++ })
    }
    if (from > 0) chunk = effects.slice(from)
    const { status } = state.snapshot
    if (status === 'active' && state.link?.syncSnapshot === true) {
      if (from === 0) this.#enact({ cell, state, effects: chunk, announce: false })
      this.#tellSnapshot(state, cell.id, eventId)
      if (from === 0) chunk = []
    }
    this.#enact(new Announcement(cell, state, chunk))
    if (status !== 'active') this.#end(cell, state, eventId)
  }

  #sentBy(
    cell: Member,
    state: CellState,
    effect: Effect,
  ): { readonly to: string; readonly event: AnyEventObject } | undefined {
    switch (effect.kind) {
      case 'start':
        return effect.child.durable ? birthOf(effect.child, cell, state) : undefined
      case 'stop':
        return effect.child.durable ? { to: effect.child.address, event: { type: STOP } } : undefined
      case 'send':
        return effect.address === undefined ? undefined : { to: effect.address, event: effect.event }
      case 'deliver':
        return { to: effect.address, event: effect.event }
      case 'schedule':
        return effect.timer.immediate ? { to: cell.id, event: firedEvent(effect.timer) } : undefined
      default:
        return undefined
    }
  }

  #deliver(mail: Mail): void {
    if (!isRecordableName((mail.event as AnyEventObject | undefined)?.type)) {
      this.#die(mail, 'it is no event')
      return
    }
    if (this.#steps >= MAX_STEPS || this.#kin.isWaitedFor(mail.to)) {
      // What is due at once to oneself is kept as a timer already.
      if (mail.event[TIMER_FIELD] === undefined) this.#leave(mail)
      return
    }
    this.#hand(mail)
  }

  #hand(mail: Mail): void {
    const cell = this.#kin.member(mail.to)
    if (cell === undefined) {
      this.#deliverAbroad(mail)
      return
    }
    if (isOver(cell)) {
      if (mail.event.type !== STOP) this.#die(mail, 'the actor has ended')
      return
    }
    if (mail.event.type === STOP) this.#clearMail(cell)
    cell.mail ??= []
    cell.mail.push(mail)
    if (!cell.busy) {
      cell.busy = true
      this.#flush(cell)
    }
  }

  #deliverAbroad(mail: Mail): void {
    if (mail.event.type === BIRTH) {
      const cell = this.#kin.bear(mail.to, mail.event['parent'] as ParentLink)
      if (cell === undefined) return
      ;(this.#born ??= []).push(cell)
      cell.busy = true
      this.#take(cell, canonicalMail(mail.event), { source: mail.from, causationId: mail.cause })
      this.#flush(cell)
      return
    }
    const owner = this.#kin.ownerOfLeaf(mail.to)
    if (owner?.decided !== undefined) {
      const effects: Effect[] = [{ kind: 'send', childKey: mail.to, address: undefined, event: mail.event }]
      this.#enact({ cell: owner, state: owner.decided, effects, announce: false })
    } else if (rootOf(mail.to) !== this.#kin.rootId) {
      this.#leave(mail)
    } else if (mail.event.type !== STOP) {
      this.#die(mail, 'there is no such actor any more')
    }
  }

  #flush(cell: Member): void {
    for (let mail = cell.mail?.shift(); mail !== undefined; mail = cell.mail?.shift()) {
      if (this.#steps >= MAX_STEPS) {
        cell.mail?.unshift(mail)
        this.#waiting ??= []
        this.#waiting.push(cell)
        break
      }
      this.#take(cell, canonicalMail(mail.event), { source: mail.from, causationId: mail.cause })
    }
    cell.busy = false
    if (cell.mail?.length === 0) cell.mail = undefined
  }

  /** Tells the parent, unless it has no longer anything to do with this incarnation. */
  #end(cell: Member, { link, snapshot }: CellState, eventId: string): void {
    this.#clearMail(cell)
    if (link === undefined || snapshot.status === 'stopped') return
    const parent = this.#kin.member(link.streamId)
    if (parent?.decided?.children.has(link.key) !== true) return
    const { id, key } = link
    const seenTo =
      snapshot.status === 'error'
        ? afterCrash(parent, link, { error: snapshot.error, time: this.time })
        : undefined
    const event =
      seenTo ??
      (snapshot.status === 'done'
        ? { type: `xstate.done.actor.${id}`, output: snapshot.output, actorId: id, [CHILD_FIELD]: key }
        : { type: `xstate.error.actor.${id}`, error: snapshot.error, actorId: id, [CHILD_FIELD]: key })
    this.#deliver({ to: link.streamId, from: cell.id, event, cause: eventId, place: this.#mails++ })
  }

  #tellSnapshot({ link, snapshot }: CellState, from: string, cause: string | null): void {
    if (link === undefined) return
    const { status, value, context, output, error, tags } = snapshot
    const shown = { status, value, context, output, error, ...(tags !== undefined && { tags: [...tags] }) }
    const event = { type: `xstate.snapshot.${link.id}`, snapshot: withAddresses(shown) }
    this.#deliver({ to: link.streamId, from, event, cause, place: this.#mails++ })
  }

  #clearMail(cell: Member): void {
    for (const mail of cell.mail ?? []) this.#die(mail, 'the actor has ended')
    cell.mail = undefined
  }

  #die({ to, from, event, cause }: Mail, reason: string): void {
    // A timer of its own, or the end of a child: nobody sent these.
    if (event[TIMER_FIELD] !== undefined || event[CHILD_FIELD] !== undefined) return
    if (isSupervision(event.type)) return
    ;(this.#dead ??= []).push({ to, from, event, cause, reason })
  }

  #leave(mail: Mail): void {
    ;(this.#left ??= []).push(mail)
  }

  /** What this turn does not come to any more waits on disk, in the order in which it was sent. */
  #leaveRest(): void {
    for (const { cell } of this.parts) {
      cell.part = undefined
      cell.busy = false
    }
    if (this.#waiting === undefined) return
    for (const cell of this.#waiting) {
      for (const mail of cell.mail ?? []) if (mail.event[TIMER_FIELD] === undefined) this.#leave(mail)
      cell.mail = undefined
    }
    this.#left?.sort((a, b) => a.place - b.place)
  }
}

/** The last act of a step. Waits for the disk with each event: a class for the sake of the garbage collector (young.ts). */
class Announcement implements Act {
  readonly cell: Member
  readonly state: CellState
  readonly effects: readonly Effect[]
  readonly announce = true

  constructor(cell: Member, state: CellState, effects: readonly Effect[]) {
    this.cell = cell
    this.state = state
    this.effects = effects
  }
}

function isOver(cell: Member): boolean {
  return cell.decided !== undefined && cell.decided.snapshot.status !== 'active'
}

function birthOf(
  child: ChildRecord,
  parent: Member,
  { link }: CellState,
): { readonly to: string; readonly event: AnyEventObject } {
  const { id, key, src, syncSnapshot, input, address } = child
  const name = link?.id ?? parent.id
  const own: ParentLink = { streamId: parent.id, name, id, key, src, syncSnapshot }
  return { to: address, event: { type: BIRTH, input, parent: own } }
}
