/** The store alone: appends of several sizes, one at a time, each on disk before the next. */
import { join } from 'node:path'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { measure, type Measurement } from './measure.ts'

const PAYLOAD = {
  order_id: 'order-0001',
  amount: 12.5,
  note: 'a payload of the usual size, about a hundred bytes',
}

export async function* measureStore(folder: string): AsyncGenerator<Measurement> {
  const store = await openLevelEventStore({ path: join(folder, 'store') })
  for (const size of [1, 100, 1000]) {
    const events = Array.from({ length: size }, () => ({ event_type: 'order.paid', payload: PAYLOAD }))
    const name = `store: append ${size} per batch`
    yield await measure({ name, size }, async () => {
      await store.append(`orders-${size}`, events)
    })
  }
  await store.close()
}
