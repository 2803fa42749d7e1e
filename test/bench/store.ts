/** The store alone: appends of several sizes, and sealed ones, one at a time, each on disk before the next. */
import { join } from 'node:path'
import { createMemoryKeyRing, openLevelEventStore, openSealedStore } from '../../eventstore/index.ts'
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
  const sealed = await openSealedStore(store, { keys: createMemoryKeyRing(), subjectOf: () => 'somebody' })
  const events = Array.from({ length: 100 }, () => ({ event_type: 'order.paid', payload: PAYLOAD }))
  yield await measure({ name: 'store: append 100 per batch, sealed', size: 100 }, async () => {
    await sealed.append('orders-sealed', events)
  })
  await sealed.close()
}
