/** Forks: a new actor from the first events of another, which decides as ever and does nothing until it is let go. */
import { describe, expect, test } from 'vitest'
import { assign, emit, fromPromise, setup, type AnyStateMachine } from 'xstate'
import type { RecordedEvent } from '../../eventstore/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest, until } from './engine-under-test.ts'

/** Fetches, waits, fetches again; notes all that it does to the world. */
function fetcherWorld() {
  const world = { fetched: [] as number[], noted: [] as string[], answers: [] as ((text: string) => void)[] }
  const machine = setup({
    types: {
      context: {} as { round: number; text: string },
      events: {} as { type: 'go' } | { type: 'note'; text: string } | { type: 'skip' },
      emitted: {} as { type: 'said'; text: string },
    },
    guards: { first: ({ context }) => context.round < 2 },
    actors: {
      fetch: fromPromise<string, number>(({ input }) => {
        world.fetched.push(input)
        return new Promise((resolve) => world.answers.push(resolve))
      }),
    },
    actions: { write: ({ event }) => void world.noted.push((event as { text: string }).text) },
  }).createMachine({
    id: 'fetcher',
    context: { round: 0, text: '' },
    initial: 'idle',
    on: { note: { actions: ['write', emit({ type: 'said', text: 'noted' })] } },
    states: {
      idle: {
        on: { go: { target: 'fetching', actions: assign({ round: ({ context }) => context.round + 1 }) } },
      },
      fetching: {
        invoke: {
          id: 'fetch',
          src: 'fetch',
          input: ({ context }) => context.round,
          onDone: { target: 'waiting', actions: assign({ text: ({ event }) => event.output }) },
        },
        on: { skip: { guard: 'first', target: 'waiting' } },
      },
      waiting: { after: { 60_000: 'idle' } },
    },
  })
  return { machine, world }
}

const note = (text: string) => ({ type: 'note', text })

async function eventsOf(runtime: TestRuntime, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of runtime.store.readStream(id)) events.push(event)
  return events
}

/** An actor at version 5: created, go, fetched, timer rang, go; its second fetch is under way. */
async function fetching() {
  const { machine, world } = fetcherWorld()
  const runtime = await createTestRuntime({ machines: [machine] })
  const actor = await runtime.spawn(machine, { id: 'f-1' })
  await actor.send({ type: 'go' })
  world.answers[0]?.('one')
  await until(() => actor.getSnapshot().value === 'waiting', 'the answer')
  await runtime.clock.advance(60_000)
  await until(() => actor.getSnapshot().value === 'idle', 'the timer')
  await actor.send({ type: 'go' })
  expect(world.fetched).toEqual([1, 2])
  return { runtime, machine, world, actor }
}

const owedBy = async (runtime: TestRuntime, id: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of runtime.store.entries(`owed/${id}/`)) keys.push(key)
  return keys
}

describe('runtime.fork', () => {
  test('begins a new actor with the first events of another: types, payloads and times stay, ids are new', async () => {
    const { runtime } = await fetching()
    const fork = await runtime.fork('f-1', { at: 4, newId: 'f-2' })
    expect(fork).toEqual({ id: 'f-2', from: { stream_id: 'f-1', version: 4 }, paused: true })
    const original = (await eventsOf(runtime, 'f-1')).slice(0, 4)
    const copied = await eventsOf(runtime, 'f-2')
    const told = (events: RecordedEvent[]) =>
      events.map(({ event_type, timestamp, state, machine, version, payload }) => {
        const text = JSON.stringify(payload).replaceAll('f-2:', 'f-1:')
        return { event_type, timestamp, state, machine, version, payload: JSON.parse(text) as unknown }
      })
    expect(told(copied)).toEqual(told(original))
    expect(new Set([...original, ...copied].map(({ event_id }) => event_id)).size).toBe(8)
    // What caused what is kept, inside.
    const place = (events: RecordedEvent[]) =>
      events.map(({ causation_id }) => events.findIndex(({ event_id }) => event_id === causation_id))
    expect(place(copied)).toEqual(place(original))
    expect(place(copied)).toContain(1)
    expect(copied.map(({ correlation_id }) => correlation_id)).toEqual(Array(4).fill('f-2'))
    await runtime.close()
  })

  test('leads to the same state as the original had, and leaves the original as it was', async () => {
    const { runtime, machine, actor } = await fetching()
    const before = await eventsOf(runtime, 'f-1')
    for (let at = 1; at <= 5; at += 1) {
      const { id } = await runtime.fork('f-1', { at })
      const there = await runtime.replay('f-1', { to: at })
      const { value, context, status } = there
      expect(await runtime.replay(id)).toMatchObject({ version: at, value, context, status })
      expect((await runtime.get(machine, id))?.getSnapshot()).toMatchObject({ value, context, status })
      const timers = (await runtime.replay(id)).timers.map(({ due_at }) => due_at)
      expect(timers).toEqual(there.timers.map(({ due_at }) => due_at))
    }
    expect(await eventsOf(runtime, 'f-1')).toEqual(before)
    expect(actor.getSnapshot()).toMatchObject({ value: 'fetching', context: { round: 2, text: 'one' } })
    expect(await runtime.verify()).toMatchObject({ ok: true, streams: 6, integrity: { ok: true } })
    await runtime.close()
  })

  test('takes the last version and an id of its own when none are given, and says where it comes from in the log', async () => {
    const { runtime } = await fetching()
    const fork = await runtime.fork('f-1')
    expect(fork).toMatchObject({ id: expect.stringMatching(/^fork_/) as string, from: { version: 5 } })
    const last = (await eventsOf(runtime, 'f-1')).at(-1)
    const [created] = await eventsOf(runtime, `${fork.id}~fork`)
    expect(created).toMatchObject({
      event_type: 'fork.created',
      causation_id: last?.event_id,
      payload: {
        paused: true,
        from: {
          stream_id: 'f-1',
          version: 5,
          event_id: last?.event_id,
          position: last?.position,
          hash: last?.hash,
        },
      },
    })
    await runtime.close()
  })

  test('runs nothing that it inherits: not when it is made, not when it is looked at, not when its time has come', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 5, newId: 'leaf' })
    await runtime.fork('f-1', { at: 3, newId: 'timer' })
    for (const id of ['leaf', 'timer']) await runtime.get(machine, id)
    await runtime.clock.advance(600_000)
    await rest()
    expect(world.fetched).toEqual([1, 2])
    expect((await runtime.get(machine, 'timer'))?.getSnapshot().value).toBe('waiting')
    expect([...(await owedBy(runtime, 'leaf')), ...(await owedBy(runtime, 'timer'))]).toEqual([])
    await runtime.close()
  })

  test('is not recovered by the next opening, and stays paused over it', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 5, newId: 'f-2' })
    const second = await runtime.restart()
    await rest()
    // The original's fetch is begun again, the fork's is not.
    expect(world.fetched).toEqual([1, 2, 2])
    expect(await second.send('f-2', note('hi'))).toMatchObject({ accepted: true, version: 6 })
    expect((await second.get(machine, 'f-2'))?.getSnapshot().value).toBe('fetching')
    expect({ noted: world.noted, fetched: world.fetched.length }).toEqual({ noted: [], fetched: 3 })
    await second.close()
  })

  test('decides and records what it is sent while it is paused, and does none of it', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 1, newId: 'what-if' })
    const fork = await runtime.get(machine, 'what-if')
    const said: string[] = []
    fork?.on('said', ({ text }) => said.push(text))
    const states: unknown[] = []
    fork?.subscribe(({ value }) => states.push(value))
    expect(await fork?.send({ type: 'note', text: 'secretly' })).toMatchObject({ accepted: true, version: 2 })
    expect(await fork?.send({ type: 'go' })).toMatchObject({ accepted: true, version: 3 })
    expect(await fork?.send({ type: 'skip' })).toMatchObject({ accepted: true, version: 4 })
    await runtime.clock.advance(600_000)
    expect(states).toEqual(['idle', 'fetching', 'waiting'])
    expect({ noted: world.noted, said, fetched: world.fetched }).toEqual({
      noted: [],
      said: [],
      fetched: [1, 2],
    })
    await runtime.close()
  })

  test('is refused what its guards refuse, on the record', async () => {
    const { runtime } = await fetching()
    await runtime.fork('f-1', { at: 5, newId: 'f-2' })
    expect(await runtime.send('f-2', { type: 'skip' })).toMatchObject({ accepted: false, version: 5 })
    expect(await eventsOf(runtime, 'f-2~refused')).toMatchObject([{ event_type: 'runtime.refused' }])
    await runtime.close()
  })

  test('begins what it holds back when it is resumed, once, and goes on as any other actor', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 3, newId: 'f-2' })
    const fork = await runtime.get(machine, 'f-2')
    const due = Date.parse((await runtime.replay('f-2')).timers[0]?.due_at ?? '')
    expect(due).toBeLessThanOrEqual(runtime.clock.now())
    await Promise.all([runtime.resumeFork('f-2'), runtime.resumeFork('f-2')])
    // Its timer was due long ago.
    await runtime.clock.advance(1)
    await until(() => fork?.getSnapshot().value === 'idle', 'the timer that it inherited')
    await fork?.send({ type: 'go' })
    expect(world.fetched).toEqual([1, 2, 2])
    await fork?.send({ type: 'note', text: 'aloud' })
    expect(world.noted).toEqual(['aloud'])
    expect((await eventsOf(runtime, 'f-2~fork')).map(({ event_type }) => event_type)).toEqual([
      'fork.created',
      'fork.resumed',
    ])
    await runtime.resumeFork('f-2')
    expect(await runtime.verify()).toMatchObject({ ok: true })
    const second = await runtime.restart()
    await rest()
    expect(world.fetched.slice(3).toSorted((a, b) => a - b)).toEqual([2, 2])
    await second.close()
  })

  test('begins, when it is resumed, the leaves and timers of what it was sent while it was paused', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 1, newId: 'f-2' })
    await runtime.send('f-2', { type: 'go' })
    expect(await runtime.verify()).toMatchObject({ ok: true })
    const second = await runtime.restart()
    await second.resumeFork('f-2')
    await until(() => world.fetched.length === 4, 'the fetch of the fork and the one of the original')
    expect(world.fetched.slice(2).toSorted((a, b) => a - b)).toEqual([1, 2])
    const answer = world.answers[world.fetched.indexOf(1, 2)]
    answer?.('forked')
    const fork = await second.get(machine, 'f-2')
    await until(() => fork?.getSnapshot().value === 'waiting', 'the answer')
    expect(fork?.getSnapshot().context).toEqual({ round: 1, text: 'forked' })
    await second.close()
  })

  test('answers what it is sent while it is being resumed, each in its turn', async () => {
    const { runtime, machine, world } = await fetching()
    await runtime.fork('f-1', { at: 1, newId: 'f-2' })
    await runtime.get(machine, 'f-2')
    const sent = [runtime.send('f-2', note('before'))]
    const resumed = runtime.resumeFork('f-2')
    for (let n = 0; n < 20; n += 1) {
      sent.push(runtime.send('f-2', note(`during ${n}`)))
      await Promise.resolve()
    }
    await resumed
    sent.push(runtime.send('f-2', note('after')))
    const receipts = await Promise.all(sent)
    expect(receipts.map(({ version }) => version)).toEqual(Array.from({ length: 22 }, (_, n) => n + 2))
    expect(world.noted).not.toContain('before')
    expect(world.noted).toContain('after')
    expect(await runtime.verify()).toMatchObject({ ok: true })
    await runtime.close()
  })

  test('holds nothing back when it is made live', async () => {
    const { runtime, world } = await fetching()
    expect(await runtime.fork('f-1', { at: 5, newId: 'f-2', live: true })).toMatchObject({ paused: false })
    expect(world.fetched).toEqual([1, 2, 2])
    expect(await owedBy(runtime, 'f-2')).toHaveLength(1)
    expect(await runtime.verify()).toMatchObject({ ok: true })
    await runtime.close()
  })

  test('may be forked itself, while it is paused', async () => {
    const { runtime, machine } = await fetching()
    await runtime.fork('f-1', { at: 4, newId: 'f-2' })
    await runtime.send('f-2', { type: 'go' })
    await runtime.send('f-2', note('x'))
    await runtime.fork('f-2', { newId: 'f-3' })
    expect((await runtime.get(machine, 'f-3'))?.getSnapshot()).toMatchObject({
      value: 'fetching',
      context: { round: 2 },
    })
    expect(await runtime.verify()).toMatchObject({ ok: true, streams: 3 })
    await runtime.close()
  })

  test.each([
    { what: 'an id that is not there', id: 'f-9', options: {}, code: 'ACTOR_NOT_FOUND', says: 'f-9' },
    {
      what: 'a version beyond the end',
      id: 'f-1',
      options: { at: 6 },
      code: 'INPUT_INVALID',
      says: 'from 1 to 5',
    },
    { what: 'version 0', id: 'f-1', options: { at: 0 }, code: 'INPUT_INVALID', says: 'from 1 to 5' },
    {
      what: 'an id that is taken',
      id: 'f-1',
      options: { newId: 'f-1' },
      code: 'ACTOR_EXISTS',
      says: 'stream "f-1" already',
    },
    {
      what: 'an id that no actor may have',
      id: 'f-1',
      options: { newId: 'f-1~fork' },
      code: 'INPUT_INVALID',
      says: '~fork',
    },
  ])('refuses $what, and writes nothing', async ({ id, options, code, says }) => {
    const { runtime } = await fetching()
    const before = runtime.store.position()
    await expect(runtime.fork(id, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says) as string,
    })
    expect(runtime.store.position()).toBe(before)
    // And it is no fork that would be held back later.
    expect(await runtime.send('f-1', note('still here'))).toMatchObject({ accepted: true })
    await runtime.close()
  })

  test('refuses a prefix that today’s code does not replay', async () => {
    const { runtime } = await fetching()
    const changed: AnyStateMachine = setup({}).createMachine({
      id: 'fetcher',
      initial: 'idle',
      states: { idle: {} },
    })
    const second = await runtime.restart({ machines: [changed], logger: quiet, onError: () => {} })
    await expect(second.fork('f-1', { at: 2 })).rejects.toMatchObject({
      code: 'ACTOR_DIVERGED',
      message: expect.stringContaining('fork before it, at version 1') as string,
    })
    expect(await second.fork('f-1', { at: 1 })).toMatchObject({ from: { version: 1 } })
    await second.close()
  })

  test('refuses sessions, which know themselves by the ids in their events, and says how it is done', async () => {
    const runtime = await createTestRuntime()
    const { id } = await runtime.sessions.start({ role: 'supervisor' })
    await expect(runtime.fork(id)).rejects.toMatchObject({
      code: 'FORK_REFUSED',
      message: expect.stringContaining(`agentctl fork ${id} --into <folder>`) as string,
    })
    await runtime.close()
  })

  test('is parked like the original, if that had crashed, over restarts, and can be revived while it is paused', async () => {
    const machine = setup({ types: { events: {} as { type: 'crash' } } }).createMachine({
      id: 'm',
      on: {
        crash: {
          actions: assign(() => {
            throw new Error('broke')
          }),
        },
      },
    })
    let runtime = await createTestRuntime({ machines: [machine] })
    await (await runtime.spawn(machine, { id: 'm-1' })).send({ type: 'crash' })
    await runtime.fork('m-1', { newId: 'crashed' })
    await runtime.fork('m-1', { newId: 'well', at: 1 })
    const parked = (): string[] => runtime.parked.map(({ id }) => id).sort()
    expect(parked()).toEqual(['crashed', 'm-1'])
    await runtime.send('well', { type: 'crash' })
    expect(parked()).toEqual(['crashed', 'm-1', 'well'])
    runtime = await runtime.restart()
    expect(parked()).toEqual(['crashed', 'm-1', 'well'])
    for (const id of ['crashed', 'well']) expect(await runtime.revive(id)).toMatchObject({ accepted: true })
    expect(parked()).toEqual(['m-1'])
    runtime = await runtime.restart()
    expect(parked()).toEqual(['m-1'])
    await runtime.resumeFork('crashed')
    expect(parked()).toEqual(['m-1'])
    expect((await runtime.get(machine, 'crashed'))?.getSnapshot().status).toBe('active')
    await runtime.close()
  })

  test('only forks are resumed as forks', async () => {
    const { runtime } = await fetching()
    await expect(runtime.resumeFork('f-1')).rejects.toMatchObject({ code: 'FORK_UNKNOWN' })
    await expect(runtime.resumeFork('f-9')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' })
    await runtime.close()
  })

  test('gives children that were named by number, and timers that rang, the names that they have in the fork', async () => {
    const spawner = setup({
      types: { context: {} as { refs: unknown[] }, events: {} as { type: 'more' } },
      actors: { job: fromPromise(async () => 'done') },
    }).createMachine({
      id: 'spawner',
      context: { refs: [] },
      on: { more: { actions: assign({ refs: ({ context, spawn }) => [...context.refs, spawn('job')] }) } },
      initial: 'first',
      states: { first: { after: { 10: 'second' } }, second: {} },
    })
    const runtime = await createTestRuntime({ machines: [spawner] })
    const actor = await runtime.spawn(spawner, { id: 's-1' })
    await actor.send({ type: 'more' })
    await until(() => actor.version === 3, 'the end of the child')
    await runtime.clock.advance(10)
    await until(() => actor.getSnapshot().value === 'second', 'the timer')
    await runtime.fork('s-1', { newId: 's-2' })
    expect((await runtime.get(spawner, 's-2'))?.getSnapshot()).toMatchObject({
      value: 'second',
      children: {},
    })
    const types = (await eventsOf(runtime, 's-2')).map(({ event_type }) => event_type)
    expect(types).toContain('xstate.done.actor.s-2:0')
    expect(JSON.stringify(await eventsOf(runtime, 's-2'))).not.toContain('s-1')
    await runtime.close()
  })
})

const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false }
