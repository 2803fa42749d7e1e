/**
 * Shows what is written to a log, behind those who write it: from the log's end as it is on disk, in the pauses.
 *
 * Owns: a place in the log.
 * Never: stands in the way of an append; misses an event, however far behind it is.
 *
 * I1. While the log grows, of the time at most one part in `SHARE` is spent here: what is shown may come late.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { StreamHead } from '../../eventstore/event-store.ts'
import type { ActorWatch, WatchableLog } from './actor-watch.ts'
import type { Inspected } from './inspected.ts'

const SHARE = 60
/** ms of work after which it looks whether the log grows meanwhile. */
const SLICE_MS = 4
const LONGEST_PAUSE_MS = 3_000
/** ms between looks at a log that is level. */
const LOOK_MS = 50
/** Actors that are shown at the beginning: the ones that moved last. */
const MOST_AT_FIRST = 200

export type LiveFeedOptions = {
  readonly log: WatchableLog
  /** Position of the log's end, now. */
  readonly look: () => Promise<number>
  readonly watch: ActorWatch
  /** Resolves when there is room for more. */
  readonly give: (shown: readonly Inspected[]) => Promise<void>
  readonly signal: AbortSignal
}

/** Shows who there is, then all that comes; resolves when the signal is aborted. */
export async function feedLive({ log, look, watch, give, signal }: LiveFeedOptions): Promise<void> {
  try {
    let cursor = await look()
    const pacer = createPacer(log, signal)
    for (const head of await latestHeads(log, signal)) {
      await give(await watch.introduce(head, cursor))
      await pacer.rest()
    }
    while (!signal.aborted) {
      // Of archived events there is nothing to show: the end is taken before.
      const until = await look()
      if (until <= cursor) {
        await delay(LOOK_MS, undefined, { signal, ref: false })
        continue
      }
      pacer.begin()
      for await (const record of log.readAll({ fromPosition: cursor, signal })) {
        cursor = record.position
        await give(await watch.take(record))
        await pacer.rest()
      }
      cursor = Math.max(cursor, until)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Rests after each slice of work, if the log grew meanwhile, for as long as its share demands. */
function createPacer(log: WatchableLog, signal: AbortSignal): { begin(): void; rest(): Promise<void> } {
  let began = 0
  let position = 0
  const begin = (): void => {
    began = performance.now()
    position = log.position()
  }
  begin()
  return {
    begin,
    async rest() {
      const worked = performance.now() - began
      if (worked < SLICE_MS) return
      const grew = log.position() !== position
      const pause = grew ? Math.min(LONGEST_PAUSE_MS, worked * (SHARE - 1)) : 0
      await delay(pause, undefined, { signal, ref: false })
      begin()
    },
  }
}

async function latestHeads(log: WatchableLog, signal: AbortSignal): Promise<StreamHead[]> {
  const heads: StreamHead[] = []
  for await (const head of log.heads('', { signal })) if (head.machine !== '') heads.push(head)
  return heads.sort((a, b) => a.position - b.position).slice(-MOST_AT_FIRST)
}
