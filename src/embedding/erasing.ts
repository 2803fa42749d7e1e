/** The runtime's door to erasure: a subject is erased from the log, from memory, and from the files beside the log. */
import { z } from 'zod'
import type { SealedStore } from '../../eventstore/sealing/sealed-store.ts'
import { SUBJECT_ERASED, type Erasure } from '../../eventstore/sealing/subjects.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** That a subject was erased, as it is on record. */
export type RecordedErasure = Erasure & {
  /** ISO 8601, UTC. */
  readonly erased_at: string
}

export interface Erasing {
  /**
   * Erases a subject for good: everything that was sealed for it becomes unreadable, here and in every copy. What works for
   * it is stopped, unheard; its actors answer `ACTOR_ERASED` from then on. Resolves with what is on record, when no power
   * cut brings anything back. A process that dies meanwhile completes it at its next opening.
   *
   * @param options - `by`: who does it. `reason`: why; both stay in the log, so neither must say what is to be forgotten.
   * @throws RuntimeError `SUBJECT_UNKNOWN`, `INPUT_INVALID`
   */
  eraseSubject(
    subject_id: string,
    options: { readonly by: string; readonly reason: string },
  ): Promise<readonly RecordedErasure[]>
  /** Who was erased, oldest first. */
  erasures(): Promise<readonly RecordedErasure[]>
}

const wish = z.strictObject({
  subject_id: z.string().min(1),
  by: z.string().min(1),
  reason: z.string().min(1),
})

export function createErasing(sealing: SealedStore | undefined, clock: { now(): number }): Erasing {
  return {
    async eraseSubject(id, options) {
      const { subject_id, by, reason } = checkedInput(wish, { ...options, subject_id: id }, 'eraseSubject')
      const recorded = await sealing?.eraseSubject(subject_id, { by, reason, at: clock.now() })
      if (recorded !== undefined && recorded.length > 0) return recorded.map(erasureOf)
      throw unknownSubject(subject_id, sealing === undefined)
    },
    async erasures() {
      const all: RecordedErasure[] = []
      for await (const event of sealing?.erasures() ?? [])
        if (event.event_type === SUBJECT_ERASED) all.push(erasureOf(event))
      return all
    },
  }
}

function erasureOf({
  payload,
  timestamp,
}: {
  readonly payload: unknown
  readonly timestamp: string
}): RecordedErasure {
  const { subject_id, key_id, by, reason } = payload as Erasure
  return { subject_id, key_id, by, reason, erased_at: timestamp }
}

function unknownSubject(subject_id: string, isOff: boolean): RuntimeError {
  return new RuntimeError('SUBJECT_UNKNOWN', {
    happened: isOff
      ? 'This runtime seals nothing, so nothing can be erased.'
      : `The log has nothing of a subject "${subject_id}" that could still be read.`,
    expected: isOff
      ? 'A runtime that was given `sealing`.'
      : 'A subject that something was sealed for, and that was not erased.',
    todo: isOff
      ? 'Give createRuntime `sealing`; what was written before that stays in the clear.'
      : 'Check the id; runtime.erasures() lists those who were erased.',
    details: { subject_id },
  })
}
