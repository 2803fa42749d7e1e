/** The events that the store is measured with: small orders, no two alike, the same in each run. */
import type { NewEvent } from '../../eventstore/index.ts'

const WORDS = ['paid', 'by', 'card', 'in', 'full', 'after', 'a', 'reminder', 'from', 'the', 'shop', 'today']

/** About 100 bytes of payload; the record is about 450 bytes. */
export function sampleEvent(index: number): NewEvent {
  const mixed = Math.imul(index + 1, 0x9e3779b1) >>> 0
  const note = Array.from({ length: 8 }, (_, at) => WORDS[(mixed >>> (at * 3)) % WORDS.length]).join(' ')
  return {
    event_type: 'order.paid',
    payload: { order_id: `order-${index}`, amount: (mixed % 100_000) / 100, note },
  }
}
