/** Tells a failed write after which the store takes no more from one that was refused for itself. */
import { RuntimeError } from './runtime-error.ts'

/** After these the store's handle takes no more writes until it is opened again: nothing can go on. */
export function isEndOfStore(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return (
    code === 'ES_WRITE_UNKNOWN' ||
    code === 'ES_NOT_WRITTEN' ||
    code === 'ES_POISONED' ||
    code === 'ES_DISK_FULL'
  )
}

/** An actor that was woken now would do again what it owes, and could record no outcome. */
export function notWoken(id: string, cause: unknown): RuntimeError {
  return new RuntimeError('STORE_STOPPED', {
    happened: `"${id}" was not woken: a write to the log failed, and the log takes no more.`,
    expected: 'A log that can be written: what an actor owes is begun when it wakes.',
    todo: 'Close the runtime, remove the cause (is the disk full?), and open it again; what is on disk is intact.',
    cause,
    details: { stream_id: id },
  })
}
