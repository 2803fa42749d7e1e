/**
 * Folds a log once, and afterwards what is new in it: a second question costs what was recorded since the first.
 *
 * Owns: up to where it has folded.
 * Never: keeps an event, or folds one twice, or two at a time.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'

export type FollowedLog = {
  /** Folds all that is on disk now; resolves with what `read` makes of it, before anything more is folded. */
  read<T>(read: () => T): Promise<T>
}

export function followLog(
  store: Pick<EventStore, 'position' | 'readAll'>,
  fold: (event: RecordedEvent) => void,
): FollowedLog {
  let folded = 0
  let last: Promise<unknown> = Promise.resolve()
  const catchUp = async (): Promise<void> => {
    if (store.position() <= folded) return
    for await (const event of store.readAll({ fromPosition: folded })) {
      if (event.position <= folded) continue
      fold(event)
      folded = event.position
    }
  }
  return {
    read(read) {
      const answer = last.then(catchUp).then(read)
      // What went wrong with one question is no answer to the next.
      last = answer.catch(() => {})
      return answer
    },
  }
}
