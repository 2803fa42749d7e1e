/**
 * Where a person finds what was given up on, and has it tried again or thrown away.
 *
 * Owns: which dead letters are being dealt with in this process.
 * Never: tries one by itself.
 *
 * I1. A dead letter is dealt with once: what becomes of it is one batch with its disappearance.
 */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { Clock } from '../clock.ts'
import {
  exhume,
  type Exhumed,
  findDeadLetter,
  listDeadLetters,
  type FoundDeadLetter,
  type RecordedDeadLetter,
} from './dead-letters.ts'
import type { Effects } from '../effects/effects.ts'
import type { AnyEventObject } from 'xstate'
import { keepMail, type KeptMail } from './outbox.ts'
import { RuntimeError } from '../runtime-error.ts'

export interface DeadLetters {
  /** What was given up on, the oldest first: mail that nobody took, actions and leaves whose attempts all failed. */
  (): Promise<readonly RecordedDeadLetter[]>
  /**
   * Sends the mail again, or has the action or the leaf tried again from the beginning; it is listed no longer. If that
   * fails as well, there is a new dead letter.
   *
   * @throws RuntimeError `DEAD_LETTER_UNKNOWN`
   */
  retry(id: string, options?: { readonly by?: string }): Promise<void>
  /**
   * Lists it no longer; the log keeps it. Of a leaf its machine hears now: as in XState, it ends in error if nobody takes
   * that.
   *
   * @throws RuntimeError `DEAD_LETTER_UNKNOWN`
   */
  discard(id: string, options?: { readonly by?: string }): Promise<void>
}

/** Whose machine started a leaf. */
type LeafOwner = {
  retryLeaf(key: string, exhumed: Exhumed): Promise<boolean>
  failLeaf(key: string, event: AnyEventObject, source: string): Promise<void>
}

export type DeskHost = {
  readonly store: EventStore
  readonly clock: Clock
  readonly effects: Effects
  /** Hands an actor to `take`, woken if need be. @throws RuntimeError `ACTOR_NOT_FOUND`, and what waking throws */
  readonly useActor: <T>(id: string, take: (cell: LeafOwner) => Promise<T>) => Promise<T>
  readonly post: { begin(key: string): void; end(key: string): void; deliver(mail: KeptMail): void }
}

export function createDeadLetters({ store, clock, effects, post, useActor }: DeskHost): DeadLetters {
  const inHand = new Set<string>()
  const take = async (id: string, deal: (letter: FoundDeadLetter) => Promise<void>): Promise<void> => {
    if (inHand.has(id)) throw unknown(id)
    inHand.add(id)
    try {
      const letter = await findDeadLetter(store, id)
      if (letter === undefined) throw unknown(id)
      await deal(letter)
    } finally {
      inHand.delete(id)
    }
  }
  const resend = async (letter: FoundDeadLetter, by: string): Promise<void> => {
    const { to, from, event, cause = null } = letter
    const { append, entry } = exhume(letter, { type: 'retried', by, time: clock.now() })
    // After all that its sender has sent so far.
    const version = (await store.head(from))?.version ?? 0
    const kept = keepMail({ to, from, event: event as AnyEventObject, cause, place: 0 }, version)
    post.begin(kept.mail.key)
    try {
      await store.appendBatch({ appends: [append], entries: [entry, kept.entry] })
    } catch (error) {
      post.end(kept.mail.key)
      throw error
    }
    post.deliver(kept.mail)
  }
  return Object.assign(() => listDeadLetters(store), {
    retry: (id: string, { by = 'a person' } = {}) =>
      take(id, async (letter) => {
        const { effect, leaf, to } = letter
        const exhumed = exhume(letter, { type: 'retried', by, time: clock.now() })
        if (effect !== undefined) return effects.revive(effect, exhumed)
        if (leaf === undefined) return resend(letter, by)
        if (!(await useActor(to, (cell) => cell.retryLeaf(leaf.key, exhumed)))) throw unknown(id)
      }),
    discard: (id: string, { by = 'a person' } = {}) =>
      take(id, async (letter) => {
        const { leaf, to, event } = letter
        // What its machine makes of that takes it off the list.
        if (leaf !== undefined)
          await useActor(to, (cell) => cell.failLeaf(leaf.key, event as AnyEventObject, by))
        const { append, entry } = exhume(letter, { type: 'discarded', by, time: clock.now() })
        await store.appendBatch({ appends: [append], entries: [entry] })
      }),
  })
}

function unknown(id: string): RuntimeError {
  return new RuntimeError('DEAD_LETTER_UNKNOWN', {
    happened: `There is no dead letter "${id}", or it is being dealt with.`,
    expected: 'The id of a dead letter that runtime.deadLetters() lists.',
    todo: 'Look there; what was retried or discarded is in the stream "<actor>~dead".',
    details: { id },
  })
}
