/** When the store does not take an append: those who wait are told, nothing is shown that is not on disk, and it goes on. */
import { expect, test } from 'vitest'
import { assign, emit, setup, type AnyEventObject } from 'xstate'
import type { AtomicBatch } from '../../eventstore/index.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, rest, until } from './engine-under-test.ts'
import { createFailingStore } from './failing-store.ts'
import { LeafWorld } from './leaf-world.ts'

const types = { context: {} as { n: number }, events: {} as AnyEventObject, emitted: {} as AnyEventObject }

function machineOf(world: LeafWorld) {
  return setup({
    types,
    actors: { job: world.promise('job') },
    actions: { act: world.act('act') },
  }).createMachine({
    id: 'm',
    context: { n: 0 },
    initial: 'idle',
    on: { add: { actions: [assign({ n: ({ context }) => context.n + 1 }), 'act', emit({ type: 'added' })] } },
    states: {
      idle: { on: { work: 'working' } },
      working: {
        after: { 1000: 'idle' },
        invoke: { id: 'job', src: 'job', onDone: { target: 'idle', actions: assign({ n: 100 }) } },
      },
    },
  })
}

const touches = (id: string) => (batch: AtomicBatch) =>
  batch.appends.some(({ stream_id }) => stream_id === id)

async function open() {
  const world = new LeafWorld()
  const machine = machineOf(world)
  const clock = createTestClock()
  const disk = createFailingStore(clock)
  const engine = await openEngine({ machines: [machine], clock, store: disk.store })
  return { world, machine, clock, disk, engine, actor: await engine.spawn(machine, { id: 'a' }) }
}

test('every sender in flight is told, and nothing of it is shown or done', async () => {
  const { actor, disk, engine, world } = await open()
  await actor.send({ type: 'add' })
  world.trace.length = 0
  const shown: unknown[] = []
  actor.subscribe((snapshot) => shown.push(snapshot))
  actor.on('*', (event) => shown.push(event))
  disk.failWhen(touches('a'))
  const answers = await Promise.allSettled([
    actor.send({ type: 'add' }),
    actor.send({ type: 'work' }),
    actor.send({ type: 'nonsense' }),
  ])
  expect(
    answers.map((answer) => answer.status === 'rejected' && (answer.reason as { code: string }).code),
  ).toEqual(['ENOSPC', 'ENOSPC', 'ENOSPC'])
  expect([shown, world.trace, world.running]).toEqual([[], [], []])
  expect(actor.getSnapshot()).toMatchObject({ value: 'idle', context: { n: 1 } })
  expect(actor.version).toBe(2)
  expect(await eventsOf(engine.store, 'a')).toHaveLength(2)
})

test('once the store works again the actor is woken by the next command, and watched by the same', async () => {
  const { actor, disk } = await open()
  const shown: number[] = []
  const emitted: string[] = []
  actor.subscribe((snapshot) => shown.push(snapshot.context.n))
  actor.on('added', (event) => emitted.push(event.type))
  await actor.send({ type: 'add' })
  disk.failWhen(touches('a'))
  await expect(actor.send({ type: 'add' })).rejects.toThrow('disk full')
  await expect(actor.send({ type: 'add' })).rejects.toThrow('disk full')
  disk.heal()
  expect(await actor.send({ type: 'add' })).toEqual({ accepted: true, version: 3 })
  expect(actor.getSnapshot().context.n).toBe(2)
  expect([shown.at(0), shown.at(-1), emitted]).toEqual([1, 2, ['added', 'added']])
})

test('an append that failed but did reach the disk is found there when the actor is woken, and shown', async () => {
  const { actor, disk } = await open()
  const shown: number[] = []
  actor.subscribe((snapshot) => shown.push(snapshot.context.n))
  disk.failWhen(touches('a'), { written: true })
  await expect(actor.send({ type: 'add' })).rejects.toThrow('disk full')
  expect(actor.version).toBe(1)
  disk.heal()
  expect(await actor.send({ type: 'add' })).toEqual({ accepted: true, version: 3 })
  expect(shown).toEqual([1, 2])
})

test('an outcome that could not be written is lost with the leaf that had it, which runs again when the actor wakes', async () => {
  const { actor, clock, disk, engine, world } = await open()
  await actor.send({ type: 'work' })
  disk.failWhen(touches('a'))
  world.settle({ leaf: 'job', how: 'succeed', value: 1 })
  await until(() => engine.errors.length > 0, 'the failure')
  expect(engine.errors.map(String)).toEqual(['Error: disk full'])
  await clock.advance(10_000)
  // Its alarms went with it: nothing rings for a cell that is broken.
  expect(engine.errors).toHaveLength(1)
  disk.heal()
  await actor.send({ type: 'add' })
  expect([world.startsOf('job'), world.running]).toEqual([2, ['job']])
  world.settle({ leaf: 'job', how: 'succeed', value: 1 })
  await until(() => actor.getSnapshot().value === 'idle', 'the job')
  expect(actor.getSnapshot().context.n).toBe(100)
})

test('a broken actor stops what ran for it at once: its leaf is let go, and no alarm rings for it', async () => {
  const { actor, clock, disk, engine, world } = await open()
  await actor.send({ type: 'work' })
  disk.failWhen(touches('a'))
  await expect(actor.send({ type: 'add' })).rejects.toThrow('disk full')
  expect([world.running, clock.pending()]).toEqual([[], []])
  await clock.advance(10_000)
  expect(engine.errors).toEqual([])
  disk.heal()
  await actor.send({ type: 'add' })
  expect([world.startsOf('job'), clock.pending().length]).toEqual([2, 1])
})

test('a failing actor does not touch its neighbours', async () => {
  const { disk, engine, machine, actor } = await open()
  const neighbour = await engine.spawn(machine, { id: 'b' })
  disk.failWhen(touches('a'))
  const [broken, fine] = await Promise.allSettled([
    actor.send({ type: 'add' }),
    neighbour.send({ type: 'add' }),
  ])
  expect([broken.status, fine.status]).toEqual(['rejected', 'fulfilled'])
})

test('a spawn that could not be written leaves nothing, and can be tried again', async () => {
  const { disk, engine, machine } = await open()
  disk.failWhen(touches('new'))
  await expect(engine.spawn(machine, { id: 'new' })).rejects.toThrow('disk full')
  expect(await engine.get(machine, 'new')).toBeUndefined()
  disk.heal()
  expect((await engine.spawn(machine, { id: 'new' })).version).toBe(1)
})

test('a refusal that could not be written is told, and the next one like it is written', async () => {
  const { clock } = await open()
  const shut = setup({ types }).createMachine({
    id: 'shut',
    context: { n: 0 },
    on: { x: { guard: () => false, actions: () => {} } },
  })
  const disk = createFailingStore(clock)
  // Refusals come through `append`.
  let broken = true
  const store = new Proxy(disk.store, {
    get(target, name) {
      if (name === 'append' && broken) return () => Promise.reject(new Error('disk full'))
      return Reflect.get(target, name, target) as unknown
    },
  })
  broken = false
  const engine = await openEngine({ machines: [shut], clock, store })
  const actor = await engine.spawn(shut, { id: 's' })
  broken = true
  await expect(actor.send({ type: 'x' })).rejects.toThrow('disk full')
  broken = false
  expect(await actor.send({ type: 'x' })).toMatchObject({ accepted: false, version: 1 })
  expect(await eventsOf(store, 's~refused')).toHaveLength(1)
})

test('states are shown in the order of versions, though the store answers in another', async () => {
  const { actor, disk } = await open()
  const shown: number[] = []
  actor.subscribe((snapshot) => shown.push(snapshot.context.n))
  const held = disk.hold()
  const answers: number[] = []
  const sending = [1, 2, 3, 4].map(() =>
    actor.send({ type: 'add' }).then(({ version }) => answers.push(version)),
  )
  await rest()
  expect([shown, actor.getSnapshot().context.n]).toEqual([[], 0])
  await held.letGo()
  await Promise.all(sending)
  expect([shown, answers]).toEqual([
    [1, 2, 3, 4],
    [2, 3, 4, 5],
  ])
})

test('closing waits for what is in flight, does none of it, and the next opening does what is owed', async () => {
  const { actor, disk, engine, machine, world } = await open()
  const held = disk.hold()
  const working = actor.send({ type: 'work' })
  const closing = engine.close()
  await rest()
  await held.letGo()
  await closing
  expect(await working).toEqual({ accepted: true, version: 2 })
  expect(world.startsOf('job')).toBe(0)
  await reopen(engine, [machine])
  expect(world.running).toEqual(['job'])
})

test('what wakes or comes into being while the engine closes does not come to life', async () => {
  const { engine, machine, world, actor } = await open()
  await actor.send({ type: 'work' })
  const second = await reopen(engine, [machine])
  await second.close()
  const third = await openEngine({ machines: [machine], store: engine.store, clock: engine.clock })
  await third.close()
  const before = world.startsOf('job')
  const fourth = await openEngine({ machines: [], store: engine.store, clock: engine.clock })
  expect(fourth.parked).toHaveLength(1)
  const fifth = await openEngine({ machines: [machine], store: engine.store, clock: engine.clock })
  const spawning = fifth.spawn(machine, { id: 'late' })
  const waking = fifth.get(machine, 'a')
  await fifth.close()
  await Promise.allSettled([spawning, waking])
  await expect(fifth.get(machine, 'a')).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  await expect(fifth.spawn(machine, { id: 'b' })).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  expect(world.startsOf('job')).toBe(before + 1)
  expect(world.running).toEqual([])
})
