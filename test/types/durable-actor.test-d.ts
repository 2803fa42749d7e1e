/** What does not fit does not compile: checked by `tsc --noEmit`, never run. */
import { assign, createMachine, setup, toPromise, waitFor, type AnyActorRef } from 'xstate'
import { from } from 'rxjs'
import type { DurableActor } from '../../src/runtime/cell/durable-actor.ts'
import type { Engine } from '../../src/runtime/engine.ts'
import type { Receipt } from '../../src/runtime/cell/receipt.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function holds<T extends true>(): T

const order = setup({
  types: {
    context: {} as { readonly total: number },
    events: {} as { type: 'pay'; amount: number } | { type: 'ship' },
    input: {} as { customer: string },
    output: {} as { paid: number },
    emitted: {} as { type: 'paid'; amount: number } | { type: 'shipped' },
    tags: {} as 'open',
  },
}).createMachine({
  id: 'order',
  context: { total: 0 },
  initial: 'new',
  states: { new: { on: { pay: { target: 'paid', actions: assign({ total: 1 }) } } }, paid: {} },
  output: { paid: 1 },
})
const plain = createMachine({ id: 'plain' })
const optional = setup({ types: { input: {} as { n: number } | undefined } }).createMachine({
  id: 'optional',
})

export async function doors(engine: Engine): Promise<void> {
  const actor = await engine.spawn(order, { id: 'o', input: { customer: 'c' } })
  // @ts-expect-error the input is missing
  await engine.spawn(order, { id: 'o' })
  // @ts-expect-error the input has another shape
  await engine.spawn(order, { id: 'o', input: { customer: 1 } })
  // @ts-expect-error the input has one field too many
  await engine.spawn(order, { id: 'o', input: { customer: 'c', more: 1 } })
  // @ts-expect-error there is no such option
  await engine.spawn(order, { id: 'o', input: { customer: 'c' }, ifExist: 'error' })
  // @ts-expect-error an id is needed
  await engine.spawn(order, { input: { customer: 'c' } })
  await engine.spawn(plain, { id: 'p' })
  await engine.spawn(optional, { id: 'p' })
  await engine.spawn(optional, { id: 'p', input: { n: 1 } })

  const receipt = await actor.send({ type: 'pay', amount: 1 })
  holds<Equal<typeof receipt, Receipt>>()
  // @ts-expect-error there is no such event
  await actor.send({ type: 'refund' })
  // @ts-expect-error the event lacks a field
  await actor.send({ type: 'pay' })
  // @ts-expect-error the field has another type
  await actor.send({ type: 'pay', amount: '1' })
  // @ts-expect-error an event is an object
  await actor.send('ship')

  const { context, output, value } = actor.getSnapshot()
  holds<Equal<typeof context.total, number>>()
  holds<Equal<typeof output, { paid: number } | undefined>>()
  holds<Equal<typeof value, 'new' | 'paid'>>()
  // @ts-expect-error there is no such field
  void context.sum
  // @ts-expect-error there is no such state
  actor.getSnapshot().matches('shipped')
  // @ts-expect-error there is no such tag
  actor.getSnapshot().hasTag('closed')
  // @ts-expect-error a context is not written from outside
  actor.getSnapshot().context.total = 5

  actor.subscribe((snapshot) => snapshot.context.total)
  actor.subscribe({ next: (snapshot) => snapshot.context.total, complete: () => {} })
  // @ts-expect-error there is no such field
  actor.subscribe((snapshot) => snapshot.context.sum)
  actor.on('paid', (event) => event.amount)
  actor.on('*', (event) => event.type)
  // @ts-expect-error nothing of that type is emitted
  actor.on('refunded', () => {})
  // @ts-expect-error that event has no such field
  actor.on('shipped', (event) => event.amount)
  const total = actor.select((snapshot) => snapshot.context.total)
  holds<Equal<ReturnType<typeof total.get>, number>>()

  const found = await engine.get(order, 'o')
  // @ts-expect-error there may be none
  found.getSnapshot()
  holds<Equal<typeof found, DurableActor<typeof order> | undefined>>()
}

export async function tools(actor: DurableActor<typeof order>): Promise<void> {
  const ref: AnyActorRef = actor
  void ref
  const snapshot = await waitFor(actor, (state) => state.matches('paid'))
  holds<Equal<typeof snapshot.context.total, number>>()
  // @ts-expect-error there is no such state
  await waitFor(actor, (state) => state.matches('gone'))
  const output = await toPromise(actor)
  holds<Equal<typeof output, { paid: number }>>()
  from(actor).subscribe((state) => state.context.total)
}
