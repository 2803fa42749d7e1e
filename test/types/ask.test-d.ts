/** What does not fit does not compile: checked by `tsc --noEmit`, never run. */
import { setup } from 'xstate'
import type { Engine } from '../../src/runtime/engine.ts'

const price = setup({
  types: {
    context: {} as { price: number },
    events: {} as { type: 'quote'; of: string },
    emitted: {} as { type: 'quoted'; price: number } | { type: 'other' },
  },
}).createMachine({ id: 'price', context: { price: 0 } })

export async function asks(engine: Engine): Promise<number> {
  const actor = await engine.spawn(price, { id: 'p' })
  const state = await engine.ask(
    actor,
    { type: 'quote', of: 'tea' },
    { until: ({ context }) => context.price > 0 },
  )
  const quoted = await engine.ask(
    actor,
    { type: 'quote', of: 'tea' },
    { until: { emitted: 'quoted' }, timeoutMs: 5 },
  )
  // @ts-expect-error there is no such event
  await engine.ask(actor, { type: 'guess' }, { until: () => true })
  // @ts-expect-error nothing like that is emitted
  await engine.ask(actor, { type: 'quote', of: 'tea' }, { until: { emitted: 'qouted' } })
  // @ts-expect-error nothing says what the answer is
  await engine.ask(actor, { type: 'quote', of: 'tea' }, {})
  return state.context.price + quoted.price
}
