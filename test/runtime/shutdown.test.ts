/** A runtime that closes ends at once whatever waits, leaves nothing behind on its clock, and loses nothing. */
import { expect, test } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { effectOf, withPolicies } from '../../src/runtime/policies.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { openEngine, reopen, rest, until } from './engine-under-test.ts'

test('what waits for its next attempt, for a timer or for an answer ends with the runtime, and goes on in the next', async () => {
  const attempts: string[] = []
  let works = false
  const attempt = (name: string): void => {
    attempts.push(name)
    if (!works) throw new Error('not yet')
  }
  const machine = setup({
    types: { events: {} as { type: 'go' } | { type: 'ask' } },
    actors: { leaf: fromPromise(async () => attempt('leaf')) },
    actions: { act: (args) => attempt(effectOf(args)?.key === undefined ? 'plain' : 'act') },
  }).createMachine({
    id: 'm',
    type: 'parallel',
    on: { go: { actions: 'act' }, ask: { actions: () => {} } },
    states: {
      leaf: {
        initial: 'on',
        states: { on: { invoke: { src: 'leaf', id: 'leaf', onDone: 'off' } }, off: {} },
      },
      timer: { initial: 'on', states: { on: { after: { 60_000: 'off' } }, off: {} } },
    },
  })
  const retries = { attempts: 3, delayMs: 60_000, jitter: 0 }
  const registered = withPolicies(machine, { effects: { act: { retries } }, actors: { leaf: { retries } } })
  const clock = createTestClock()
  const engine = await openEngine({ machines: [registered], clock, graceMs: 60_000 })
  const actor = await engine.spawn(machine, { id: 'm-1' })
  await actor.send({ type: 'go' })
  await rest()
  const question = Promise.allSettled([engine.ask(actor, { type: 'ask' }, { until: () => false })])
  await rest()
  expect(clock.pending()).toHaveLength(4)

  const before = performance.now()
  await engine.close()
  expect(performance.now() - before).toBeLessThan(30_000)
  expect(clock.pending()).toEqual([])
  expect(await question).toMatchObject([{ status: 'rejected', reason: { code: 'RUNTIME_CLOSED' } }])
  await expect(actor.send({ type: 'go' })).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  await clock.advance(1_000_000)
  expect(attempts.sort()).toEqual(['act', 'leaf'])

  works = true
  const again = await reopen(engine, [registered])
  await clock.advance(0)
  await until(() => attempts.length === 4 && again.effects.list().length === 0, 'what was owed')
  const same = await again.get(machine, 'm-1')
  await until(() => JSON.stringify(same?.getSnapshot().value) === '{"leaf":"off","timer":"off"}', 'the rest')
  expect(again.errors).toEqual([])
})

test('an attempt that does not end in time is told so, and owed still', async () => {
  let signal: AbortSignal | undefined
  const machine = setup({
    actions: {
      act: (args) => {
        ;({ signal } = effectOf(args) ?? { signal: undefined })
        return new Promise(() => {}) as never
      },
    },
  }).createMachine({ id: 'm', on: { go: { actions: 'act' } } })
  const registered = withPolicies(machine, { effects: { act: {} } })
  const engine = await openEngine({ machines: [registered], graceMs: 10 })
  const actor = await engine.spawn(machine, { id: 'm-1' })
  await actor.send({ type: 'go' })
  await engine.close()
  expect(signal?.aborted).toBe(true)
  signal = undefined
  await reopen(engine, [registered])
  await until(() => signal !== undefined, 'the next attempt')
  expect(signal).toMatchObject({ aborted: false })
})
