/** Actions that an actor owes are a fork's to run as well: under keys of its own, and only when somebody asks for it. */
import { describe, expect, test } from 'vitest'
import { sendTo, setup } from 'xstate'
import { effectOf, withPolicies, type EffectRun } from '../../src/runtime/policies.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest, until } from './engine-under-test.ts'

type Charge = { readonly key: string; readonly originalKey: string | undefined; readonly amount: unknown }

/** A shop whose bank fails while it is `down`; `by`: who is charged for, the shop itself or a child of it. */
async function shop(by: 'itself' | 'child' = 'itself') {
  const bank = { down: true, charges: [] as Charge[] }
  const charge = (args: object, { amount }: { amount: number }): void => {
    const { key, originalKey } = effectOf(args) as EffectRun
    bank.charges.push({ key, originalKey, amount })
    if (bank.down) throw new Error('the bank is down')
  }
  const types = { events: {} as { type: 'pay'; amount: number } }
  const pay = {
    actions: {
      type: 'charge' as const,
      params: ({ event }: { event: { amount: number } }) => ({ amount: event.amount }),
    },
  }
  const clerk = setup({ types, actions: { charge } }).createMachine({ id: 'clerk', on: { pay } })
  const boss = setup({ types, actors: { clerk } }).createMachine({
    id: 'boss',
    invoke: { id: 'clerk', src: 'clerk' },
    on: { pay: { actions: sendTo('clerk', ({ event }) => event) } },
  })
  const effects = { charge: { retries: { attempts: 10, delayMs: 60_000, factor: 1, jitter: 0 } } }
  const machine = by === 'itself' ? clerk : boss
  const policies = by === 'itself' ? { effects } : { actors: { clerk: { effects } } }
  const runtime = await createTestRuntime({ machines: [withPolicies(machine, policies)] })
  const actor = await runtime.spawn(machine, { id: 's-1' })
  await actor.send({ type: 'pay', amount: 10 })
  await until(() => bank.charges.length === 1, 'the first attempt')
  await rest()
  return { bank, runtime, machine, actor }
}

async function toldOf(runtime: TestRuntime, id: string): Promise<{ type: string; payload: unknown }[]> {
  const told: { type: string; payload: unknown }[] = []
  if ((await runtime.store.head(`${id}~effects`)) === undefined) return told
  for await (const { event_type: type, payload } of runtime.store.readStream(`${id}~effects`))
    told.push({ type, payload })
  return told
}

describe('an action that is owed', () => {
  test('is held back by a paused fork under a key of its own, listed, and run when the fork is let go', async () => {
    const { bank, runtime } = await shop()
    const { id } = await runtime.fork('s-1', { newId: 'f' })
    expect((await runtime.heldBack(id)).effects).toEqual([
      { key: 'f:2:0', stream_id: 'f', action: 'charge', original_key: 's-1:2:0' },
    ])
    expect(await toldOf(runtime, 'f')).toMatchObject([
      { type: 'effect.owed', payload: { key: 'f:2:0', original_key: 's-1:2:0', params: { amount: 10 } } },
    ])
    bank.down = false
    await runtime.clock.advance(600_000)
    await rest()
    // The original has paid, once; the fork has not.
    expect(bank.charges.map(({ key }) => key)).toEqual(['s-1:2:0', 's-1:2:0'])
    await runtime.resumeFork(id)
    await until(() => bank.charges.length === 3, 'the charge of the fork')
    expect(bank.charges[2]).toEqual({ key: 'f:2:0', originalKey: 's-1:2:0', amount: 10 })
    await until(async () => (await toldOf(runtime, 'f')).at(-1)?.type === 'effect.done', 'its outcome')
    expect(await runtime.heldBack(id)).toEqual({ effects: [], leaves: [], timers: [], mail: [] })
    await runtime.resumeFork(id)
    await runtime.clock.advance(600_000)
    expect(bank.charges).toHaveLength(3)
    expect(runtime.effects.list()).toEqual([])
    await runtime.close()
  })

  test('at an earlier version is the one that was owed there: not what was done before, and not what came later', async () => {
    const { bank, runtime, actor } = await shop()
    bank.down = false
    await runtime.clock.advance(60_000)
    await until(
      async () => (await toldOf(runtime, 's-1')).at(-1)?.type === 'effect.done',
      'the first outcome',
    )
    await actor.send({ type: 'pay', amount: 20 })
    await until(
      async () => (await toldOf(runtime, 's-1')).filter(({ type }) => type === 'effect.done').length === 2,
      'both',
    )
    await actor.send({ type: 'pay', amount: 30 })
    const heldAt = async (at: number): Promise<string[]> => {
      const { id } = await runtime.fork('s-1', { at })
      return (await runtime.heldBack(id)).effects.map(({ original_key }) => original_key ?? '')
    }
    expect(await heldAt(1)).toEqual([])
    expect(await heldAt(2)).toEqual(['s-1:2:0'])
    expect(await heldAt(3)).toEqual(['s-1:3:0'])
    await runtime.close()
  })

  test('is not run by a fork that is told to abandon it, on the record', async () => {
    const { bank, runtime } = await shop()
    const { id } = await runtime.fork('s-1', { newId: 'f' })
    await expect(runtime.resumeFork(id, { abandon: ['s-1:2:0'] })).rejects.toMatchObject({
      code: 'EFFECT_UNKNOWN',
    })
    expect((await runtime.heldBack(id)).effects).toHaveLength(1)
    await runtime.resumeFork(id, { abandon: ['f:2:0'], by: 'alice' })
    await runtime.clock.advance(600_000)
    expect(bank.charges.filter(({ key }) => key.startsWith('f'))).toEqual([])
    expect((await toldOf(runtime, 'f')).map(({ type }) => type)).toEqual(['effect.owed', 'effect.abandoned'])
    await runtime.close()
  })

  test('is run at once by a fork that is made live', async () => {
    const { bank, runtime } = await shop()
    await runtime.fork('s-1', { newId: 'f', live: true })
    await until(() => bank.charges.length === 2, 'the charge of the fork')
    expect(bank.charges[1]).toMatchObject({ key: 'f:2:0', originalKey: 's-1:2:0' })
    await runtime.close()
  })

  test('is inherited from a paused fork by its fork, with the key that it had there', async () => {
    const { bank, runtime } = await shop()
    await runtime.fork('s-1', { newId: 'f' })
    await runtime.fork('f', { newId: 'g' })
    expect((await runtime.heldBack('g')).effects).toMatchObject([{ key: 'g:2:0', original_key: 'f:2:0' }])
    bank.down = false
    await runtime.resumeFork('g')
    await until(() => bank.charges.some(({ key }) => key === 'g:2:0'), 'the charge of the second fork')
    expect((await runtime.heldBack('f')).effects).toHaveLength(1)
    await runtime.close()
  })

  test('of a child is the one of the child in the fork', async () => {
    const { bank, runtime } = await shop('child')
    await runtime.fork('s-1', { newId: 'f' })
    const [held] = (await runtime.heldBack('f')).effects
    expect(held).toMatchObject({ key: expect.stringMatching(/^f:/) as string, action: 'charge' })
    expect(held?.original_key).toBe(bank.charges[0]?.key)
    bank.down = false
    await runtime.resumeFork('f')
    await until(() => bank.charges.some(({ key }) => key === held?.key), 'the charge of the fork’s child')
    await runtime.close()
  })
})

test('what a fork holds back lists its timers and leaves as well; an actor that is no fork holds nothing', async () => {
  const machine = setup({}).createMachine({
    id: 'm',
    initial: 'a',
    states: { a: { after: { 1_000: 'b' } }, b: {} },
  })
  const runtime = await createTestRuntime({ machines: [machine] })
  await runtime.spawn(machine, { id: 'm-1' })
  await runtime.fork('m-1', { newId: 'f' })
  expect((await runtime.heldBack('f')).timers).toMatchObject([{ stream_id: 'f', kind: 'timer' }])
  await expect(runtime.heldBack('m-1')).rejects.toMatchObject({ code: 'FORK_UNKNOWN' })
  await expect(runtime.heldBack('nobody')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' })
  await runtime.close()
})
