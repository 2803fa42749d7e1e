/**
 * What is sent to actors from outside and waits: for its turn, or for its answer to come to disk.
 *
 * Owns: how many wait for each actor, and the events whose turn has not come.
 * Never: holds back what actors send each other, timers, or outcomes of work: those are the engine's own.
 *
 * I1. What is sent to one actor from outside is decided in the order in which it was sent.
 * I2. An actor that takes more than `BURST` events in one turn of the event loop lets the others go first: after that
 *     each that waits takes one, in turn.
 * I3. No more than its limit waits for one actor; what comes then is turned away, and nothing of it is written.
 */
import type { CanonicalEvent } from '../fold/canonical.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import type { Receipt } from '../cell/receipt.ts'
import { RuntimeError } from '../runtime-error.ts'
import type { Sender } from './sender.ts'

/** So many events are decided at once, in one turn of the event loop. */
const BURST = 128

/** How many that had to wait are decided before the event loop turns again. */
const SLICE = 512

const DEFAULT_LIMIT = 10_000

/** Whom events are for. */
type Addressee = {
  readonly id: string
  readonly machine: DurableMachine
  mailbox: Mailbox | undefined
  /** Its turn has come. */
  take(canonical: CanonicalEvent, sender: Sender): void
}

type Waiting = { readonly canonical: CanonicalEvent; readonly sender: Sender }

/** Of one actor; its cell keeps it. */
export class Mailbox {
  /** Not answered yet. */
  waiting = 0
  /** Decided in this turn of the event loop. */
  taken = 0
  turn = -1
  queue: Waiting[] = []
}

export class Mailboxes {
  readonly #limit: number
  #turn = 0
  #isTurning = false
  /** Those with a queue, each once; the first one is next. */
  #inLine: Addressee[] = []
  /** How many wait for an actor that is being woken, by its id. */
  readonly #asleep = new Map<string, number>()

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit
  }

  /** Hands an event to its cell, at once or when its turn comes; if too many wait for it, turns the sender away. */
  offer(cell: Addressee, canonical: CanonicalEvent, sender: Sender): void {
    const limit = cell.machine.policies.mailboxLimit ?? this.#limit
    if ((cell.mailbox?.waiting ?? 0) >= limit) sender.fail(mailboxFull(cell.id, limit))
    else this.offerUrgently(cell, canonical, sender)
  }

  /** The same for what is not to be turned away. */
  offerUrgently(cell: Addressee, canonical: CanonicalEvent, sender: Sender): void {
    const box = (cell.mailbox ??= new Mailbox())
    if (box.turn !== this.#turn) {
      box.turn = this.#turn
      box.taken = 0
      this.#turnLater()
    }
    sender.waitIn(box)
    if (box.taken < BURST && box.queue.length === 0) {
      box.taken += 1
      cell.take(canonical, sender)
      return
    }
    if (box.queue.length === 0) this.#inLine.push(cell)
    box.queue.push({ canonical, sender })
  }

  /** Decides at once all that has been taken in. */
  empty(): void {
    while (this.#inLine.length > 0) for (const cell of this.#inLine.splice(0)) this.#takeOne(cell)
  }

  /** While the actor is being woken for it: `wake` hands the event on. @throws RuntimeError `MAILBOX_FULL` */
  async whileAsleep(id: string, wake: (awake: () => void) => Promise<Receipt>): Promise<Receipt> {
    const before = this.#asleep.get(id) ?? 0
    if (before >= this.#limit) throw mailboxFull(id, this.#limit)
    this.#asleep.set(id, before + 1)
    let isCounted = true
    const awake = (): void => {
      if (!isCounted) return
      isCounted = false
      const left = (this.#asleep.get(id) ?? 1) - 1
      if (left === 0) this.#asleep.delete(id)
      else this.#asleep.set(id, left)
    }
    try {
      return await wake(awake)
    } finally {
      awake()
    }
  }

  #turnLater(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(() => this.#next())
  }

  #next(): void {
    this.#turn += 1
    this.#isTurning = false
    for (let left = SLICE; left > 0 && this.#inLine.length > 0;) {
      const round = this.#inLine.slice(0, left)
      this.#inLine.splice(0, round.length)
      left -= round.length
      for (const cell of round) this.#takeOne(cell)
    }
    if (this.#inLine.length > 0) this.#turnLater()
  }

  #takeOne(cell: Addressee): void {
    const { mailbox: box } = cell
    const next = box?.queue.shift()
    if (box === undefined || next === undefined) return
    if (box.queue.length > 0) this.#inLine.push(cell)
    cell.take(next.canonical, next.sender)
  }
}

function mailboxFull(id: string, limit: number): RuntimeError {
  return new RuntimeError('MAILBOX_FULL', {
    happened: `"${id}" was sent an event while ${limit} others wait for it.`,
    expected: 'No more than mailboxLimit events from outside wait for one actor.',
    todo: 'Await the answers to earlier events, then send it again; nothing of it was written.',
    details: { stream_id: id, limit },
  })
}
