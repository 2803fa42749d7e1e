/** What does not fit does not compile: checked by `tsc --noEmit`, never run. */
import { setup } from 'xstate'
import { withPolicies } from '../../src/runtime/policies.ts'

const order = setup({
  types: { context: {} as { total: number }, events: {} as { type: 'pay'; amount: number } },
  actions: { charge: (_args, _params: { amount: number }) => {}, tell: () => {} },
}).createMachine({ id: 'order', context: { total: 0 } })

withPolicies(order, {
  effects: {
    charge: {
      policy: 'verify',
      verify: ({ context, event, effect }, params: { amount: number }) => ({
        happened: context.total + event.amount + params.amount > effect.attempt ? true : 'unknown',
      }),
    },
    tell: { policy: 'ask' },
  },
})
// @ts-expect-error there is no such action
withPolicies(order, { effects: { chrage: {} } })
// @ts-expect-error nothing says how to verify it
withPolicies(order, { effects: { charge: { policy: 'verify' } } })
// @ts-expect-error there is no such policy
withPolicies(order, { effects: { charge: { policy: 'hope' } } })
// @ts-expect-error a person is asked; nothing is retried
withPolicies(order, { effects: { charge: { policy: 'ask', retries: {} } } })
