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
import type { Answer, Receipt, SendOptions } from '../cell/receipt.ts'
import { RuntimeError } from '../runtime-error.ts'

/** So many events are decided at once, in one turn of the event loop. */
const BURST = 128

/** How many that had to wait are decided before the event loop turns again. */
const SLICE = 512

const DEFAULT_LIMIT = 10_000

/** Who waits for the answer, and what goes beside the event. */
export type Offer = { readonly options: SendOptions; readonly answer: Answer }
/** Whom events are for. */
type Addressee = {
  readonly id: string
  readonly machine: DurableMachine
  mailbox: Mailbox | undefined
  /** Its turn has come. */
  take(canonical: CanonicalEvent, offer: Offer): void
}

type Waiting = { readonly canonical: CanonicalEvent; readonly offer: Offer }

/** Of one actor; its cell keeps it. */
export class Mailbox {
  /** Not answered yet. */
  waiting = 0
  /** Decided in this turn of the event loop. */
  taken = 0
  turn = -1
  queue: Waiting[] = []
}

/** Counts an event out of its mailbox when its sender is answered. */
class Counted implements Answer {
  readonly #box: Mailbox
  readonly #answer: Answer

  constructor(box: Mailbox, answer: Answer) {
    this.#box = box
    this.#answer = answer
    box.waiting += 1
  }

  give(receipt: Receipt): void {
    this.#box.waiting -= 1
    this.#answer.give(receipt)
  }

  fail(error: unknown): void {
    this.#box.waiting -= 1
    this.#answer.fail(error)
  }
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

  /** Hands an event to its cell, at once or when its turn comes. `isUrgent`: not to be turned away. */
  offer(
    cell: Addressee,
    { canonical, offer }: Waiting,
    { isUrgent = false }: { readonly isUrgent?: boolean } = {},
  ): void {
    const box = (cell.mailbox ??= new Mailbox())
    const limit = cell.machine.policies.mailboxLimit ?? this.#limit
    if (box.waiting >= limit && !isUrgent) {
      offer.answer.fail(mailboxFull(cell.id, limit))
      return
    }
    if (box.turn !== this.#turn) {
      box.turn = this.#turn
      box.taken = 0
      this.#turnLater()
    }
    const counted = { options: offer.options, answer: new Counted(box, offer.answer) }
    if (box.taken < BURST && box.queue.length === 0) {
      box.taken += 1
      cell.take(canonical, counted)
      return
    }
    if (box.queue.length === 0) this.#inLine.push(cell)
    box.queue.push({ canonical, offer: counted })
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
    cell.take(next.canonical, next.offer)
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
