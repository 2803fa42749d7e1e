/** The event by which a timer is over, and how it says which timer that was. */
import type { AnyEventObject } from 'xstate'
import { TIMER_FIELD } from './canonical.ts'
import type { TimerRecord } from './cell-state.ts'

export function firedEvent(timer: TimerRecord): AnyEventObject {
  return { ...timer.event, [TIMER_FIELD]: timer.key }
}
