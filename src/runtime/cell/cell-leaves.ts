/**
 * The leaves of one actor, between those that run and what is on disk of them: hears what they say, records that they
 * failed, and sees to it that what failed for good is not lost.
 *
 * Owns: the leaves that run or are to be tried again, and those that were given up.
 * Never: moves the machine; what is to be decided it hands to the actor.
 *
 * I1. A failure is written down only for a leaf that the machine still wants: decided later than what ends it, that
 *     would bring back what is no longer owed.
 */
import type { AnyEventObject } from 'xstate'
import type { Entry } from '../../../eventstore/event-store.ts'
import type { Exhumed } from '../delivery/dead-letters.ts'
import { leafEvent } from '../effects/leaf-record.ts'
import { canonicalMail, CHILD_FIELD, type CanonicalEvent } from '../fold/canonical.ts'
import type { CellState, ChildRecord } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { triedEntry, type Tried } from '../recovery/owed.ts'
import { textOf } from '../runtime-error.ts'
import type { CellHost } from './cell-host.ts'
import { GivenUp } from './given-up.ts'
import { Leaves } from './leaves.ts'
import type { SendOptions } from './receipt.ts'

/** The actor that the leaves belong to. */
export type LeafOwner = {
  readonly id: string
  readonly correlationId: string
  readonly machine: DurableMachine
  readonly decided: CellState | undefined
  readonly isReleased: boolean
  decideQuietly(event: AnyEventObject, options: SendOptions): void
  /** Whether the event would end the root of the family in error; nothing is decided by the question. */
  wouldEnd(canonical: CanonicalEvent): boolean
  /** What became of a leaf could not be written: the actor must be woken anew. */
  lost(error: unknown): void
}

export class CellLeaves {
  readonly #owner: LeafOwner
  readonly #host: CellHost
  readonly #leaves: Leaves
  /** Leaves that had failed before their actor was woken. */
  readonly #tried: ReadonlyMap<string, Tried> | undefined
  /** Made with the first one. */
  #givenUp: GivenUp | undefined

  constructor(owner: LeafOwner, host: CellHost, tried?: ReadonlyMap<string, Tried>) {
    this.#owner = owner
    this.#host = host
    this.#tried = tried
    if (tried !== undefined) this.#givenUp = new GivenUp(owner, host, tried)
    const { machine } = owner
    const { clock, random } = host
    this.#leaves = new Leaves({
      machine,
      clock,
      random,
      noteFailure: (child, one, error) => this.#noteFailure(child, one, error),
      giveUp: (child, event, failed) => this.#giveUp(child, event, failed),
      onError: (error) => host.onError(error),
      log: (...values) => host.log(...values),
      deliver: (child, event, last) => this.#hear(child, event, last),
    })
  }

  /** Whether none runs, waits for its next attempt, or is about to run again. */
  get isIdle(): boolean {
    return this.#leaves.size === 0 && this.#givenUp?.isRising !== true
  }

  start(child: ChildRecord): void {
    this.#leaves.start(child)
  }

  /** Starts one that the fold says is under way: now, when its next attempt is due, or not by itself. */
  resume(child: ChildRecord): void {
    if (this.#givenUp?.has(child.key) === true) return
    const tried = this.#tried?.get(child.key)
    if (tried === undefined) this.#leaves.start(child, { again: true })
    else this.#leaves.startLater(child, tried)
  }

  send(key: string, event: AnyEventObject): void {
    this.#leaves.send(key, event)
  }

  stop(key: string): void {
    this.#leaves.stop(key)
  }

  stopAll(): void {
    this.#leaves.stopAll()
  }

  /** What takes off the list the given-up leaves that the machine does not want any more. */
  dropped(after: CellState): Entry[] {
    return this.#givenUp?.dropped(after) ?? []
  }

  /** Has a leaf that was given up run again; `false` if there is none of that key any more. */
  async retry(key: string, exhumed: Exhumed): Promise<boolean> {
    const child = this.#wanted(key)
    if (child === undefined || this.#givenUp?.has(key) !== true) return false
    await this.#givenUp.raise(child, exhumed)
    if (this.#wanted(key) !== undefined) this.#leaves.start(child, { again: true })
    return true
  }

  isGivenUp(key: string): boolean {
    return this.#givenUp?.has(key) === true
  }

  /** As long as the actor is the one that lives, and its machine wants the leaf. */
  #wanted(key: string): ChildRecord | undefined {
    return this.#owner.isReleased ? undefined : this.#owner.decided?.children.get(key)
  }

  #hear(child: ChildRecord, event: AnyEventObject, last: boolean): void {
    // That it is the last word of this very incarnation is for the fold to judge; the rest is heard while it runs.
    if (this.#owner.isReleased) return
    const outcome = last ? { ...event, [CHILD_FIELD]: child.key } : event
    const source = `${this.#owner.id}/${child.id}`
    this.#owner.decideQuietly(outcome, { source, causationId: child.cause })
  }

  #noteFailure(child: ChildRecord, tried: Tried, error: unknown): boolean {
    if (this.#wanted(child.key) === undefined) return false
    const { store, clock } = this.#host
    const { id: streamId, correlationId } = this.#owner
    const retry_at = new Date(tried.retryAt).toISOString()
    const facts = { attempt: tried.failed, reason: textOf(error), retry_at }
    const at = { streamId, correlationId, time: clock.now() }
    const appends = [leafEvent(at, child, { type: 'failed', facts })]
    store
      .appendBatch({ appends, entries: [triedEntry(streamId, child, tried)] })
      .catch((failed: unknown) => this.#owner.lost(failed))
    return true
  }

  /** The machine hears of it, as in XState, unless nobody up to the root would take it. */
  #giveUp(child: ChildRecord, event: AnyEventObject, failed: number): void {
    if (this.#wanted(child.key) === undefined) return
    const told = canonicalMail({ ...event, [CHILD_FIELD]: child.key })
    if (!this.#owner.wouldEnd(told)) return this.#hear(child, event, true)
    this.#givenUp ??= new GivenUp(this.#owner, this.#host)
    this.#givenUp
      .bury(child, { event: told.event, error: event['error'], failed })
      .catch((failed: unknown) => this.#owner.lost(failed))
  }
}
