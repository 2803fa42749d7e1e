/** Shows a recorded log from its beginning as if it happened now: at any speed, or step by step. Nothing is executed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { ActorWatch, WatchableLog } from './actor-watch.ts'
import type { Inspected } from './inspected.ts'

export type Pace =
  /** So many times as fast as it was recorded; `Infinity`: without a pause. */
  | { readonly kind: 'speed'; readonly speed: number }
  /** Waits before each event until it is told to go on; `false` ends it. */
  | { readonly kind: 'steps'; readonly next: () => Promise<boolean> }

export type PlayOptions = {
  readonly log: WatchableLog
  readonly watch: ActorWatch
  readonly give: (shown: readonly Inspected[]) => Promise<void>
  readonly pace: Pace
  /** Begins after this position. */
  readonly fromPosition: number
  readonly toPosition: number
  readonly signal: AbortSignal
  /** Called after each event that was shown. */
  readonly onShown?: (record: RecordedEvent) => void
}

/** The longest that nothing is shown, in ms: nights are not played. */
const LONGEST_GAP_MS = 2_000

/** Resolves with how many events were shown. */
export async function playLog(options: PlayOptions): Promise<number> {
  const { log, watch, give, pace, fromPosition, toPosition, signal, onShown } = options
  let shownCount = 0
  let before: number | undefined
  try {
    for await (const record of log.readAll({ fromPosition, signal })) {
      if (record.position > toPosition) break
      const shown = await watch.take(record)
      if (shown.length === 0) continue
      const at = Date.parse(record.timestamp)
      const gap = before === undefined ? 0 : at - before
      before = at
      if (pace.kind === 'steps') {
        if (!(await pace.next())) break
      } else if (gap > 0 && pace.speed !== Infinity) {
        await delay(Math.min(LONGEST_GAP_MS, gap / pace.speed), undefined, { signal })
      }
      await give(shown)
      shownCount += 1
      onShown?.(record)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return shownCount
}
