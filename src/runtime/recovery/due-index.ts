/** Keeps on disk when timers are due, in that order, so that the next one is found without looking at the others. */
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'
import type { TimerRecord } from '../fold/cell-state.ts'

const DUE = 'due/'

/** As wide as the last moment that a date can hold. */
const WIDTH = 16

type Value = { readonly stream_id: string }

/** The entry of a timer of a stream, or of none any more. */
export function dueEntry(streamId: string, { key, dueAt }: TimerRecord, isPending: boolean): Entry {
  const place = key.slice(streamId.length + 1)
  return {
    key: `${DUE}${String(Math.max(0, dueAt)).padStart(WIDTH, '0')}/${streamId}/${place}`,
    value: isPending ? ({ stream_id: streamId } satisfies Value) : undefined,
  }
}

/** When which stream has a timer due; the earliest first. */
export async function* timersByDue(
  store: EventStore,
): AsyncGenerator<{ readonly dueAt: number; readonly streamId: string }, void, undefined> {
  for await (const { key, value } of store.entries(DUE)) {
    yield { dueAt: Number(key.slice(DUE.length, DUE.length + WIDTH)), streamId: (value as Value).stream_id }
  }
}
