/** What a user's first program looks like: run against the packed package by the packaging checks. */
import { createRuntime, defineAgent, type Receipt } from '@agent-orchestration/core'
import { openLevelEventStore } from '@agent-orchestration/core/eventstore'
import { createTestRuntime } from '@agent-orchestration/core/testing'
import { createMachine } from 'xstate'

const lamp = createMachine({
  id: 'lamp',
  initial: 'off',
  states: { off: { on: { press: 'on' } }, on: { on: { press: 'off' } } },
})
const double = defineAgent('double', async (ctx, input: number) => ctx.step('double', () => input * 2))

const runtime = await createRuntime({ path: '.project', machines: [lamp], agents: [double] })
const actor = await runtime.spawn(lamp, { id: 'lamp-1' })
const receipt: Receipt = await actor.send({ type: 'press' })
const run = await runtime.agents.start(double, { input: 21 })
const { output } = await run.result({ timeoutMs: 10_000 })
await runtime.close()

const store = await openLevelEventStore({ path: '.project/log' })
const report = await store.verify()
await store.close()
await using test = await createTestRuntime()

console.log(
  JSON.stringify({
    ...receipt,
    value: output.value,
    verified: report.ok,
    events: report.events > 5,
    test: test.path,
  }),
)
