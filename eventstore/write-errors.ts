/** Why something was not appended, or may not have been: the writer's errors in one place. */
import { EventStoreError } from './errors.ts'

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const closedError = (): EventStoreError =>
  new EventStoreError('ES_CLOSED', {
    happened: 'The event store is closed',
    expected: 'Expected an open store',
    remedy: 'Open the store again, and call close() only after the last use',
  })

export const poisonedError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_POISONED', {
    happened: `An earlier write failed (${reason(cause)}), so the store takes no more appends; nothing was written`,
    expected: 'Expected every write to succeed: after a failure LevelDB may acknowledge what it will lose',
    remedy: 'Remove the cause (is the disk full?), close this store and open it again',
    cause,
  })

export const unknownError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_WRITE_UNKNOWN', {
    happened: `The write failed (${reason(cause)}); whether the events are on disk is unknown`,
    expected: 'Expected the disk to take the write',
    remedy:
      'Close and open the store, then append again with the same commandId: it finds the first result if there is one',
    cause,
  })

export const notWrittenError = (cause: unknown): EventStoreError =>
  new EventStoreError('ES_NOT_WRITTEN', {
    happened: `A write before this one failed (${reason(cause)}); these events were not written`,
    expected: 'Expected the write before to succeed',
    remedy: 'Close and open the store, then append again',
    cause,
  })

export const busyError = (): EventStoreError =>
  new EventStoreError('ES_BUSY', {
    happened: 'More events wait to be written than the store wants to hold; nothing was written',
    expected: 'Expected the disk to keep up with what is appended',
    remedy: "Try again later, append with whenFull: 'wait', or send less",
  })
